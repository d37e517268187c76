"""Times inferences: the warm-up, and the passes over all images."""

import math
from typing import Dict, List, Optional, Sequence, Tuple

from .clock import now_ns, spin
from .process import Stops
from .readers import Reader
from .runtimes.base import Model
from .shapes import Array, Json
from .state import Board


def timed(model: Model, value: Array) -> int:
    """The latency of one inference, in nanoseconds."""
    model.set(value)
    invoke = model.invoke
    started = now_ns()
    invoke()
    return now_ns() - started


def middle(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]


def steady(values: Sequence[int], tolerance: float) -> bool:
    """Whether the latter half of the series, which must have 20 values, shows no trend.

    This is Cox and Stuart's sign test for trend (Biometrika 42, 1955). It compares each value of the half's first part
    with its partner in the second part; without a trend, as many rise as fall. The series is steady if p >= 0.2: a late
    end of the warm-up costs little, and an early one spoils the measurement. It is also steady if the medians of both
    parts differ by at most ``tolerance`` (a share). Signs and medians give single slow runs no weight.
    """
    recent = values[len(values) // 2 :]
    half = len(recent) // 2
    if half < 10:
        return False
    early, late = recent[:half], recent[-half:]
    if abs(middle(late) - middle(early)) <= tolerance * middle(early):
        return True
    steps = [b - a for a, b in zip(early, late)]  # noqa: B905 - Python 3.6 has no strict
    rises, falls = sum(1 for step in steps if step > 0), sum(1 for step in steps if step < 0)
    z = max(abs(rises - falls) - 1, 0) / math.sqrt(max(rises + falls, 1))
    return math.erfc(z / math.sqrt(2)) >= 0.2


def warm_up(model: Model, inputs: List[Array], plan: Json, stops: Optional[Stops]) -> Tuple[List[int], str]:
    """Run at least ``min_runs`` and ``min_ns``, then until :func:`steady`, at most ``max_runs`` or ``max_ns``.

    Returns all latencies in nanoseconds, and the reason for the end. Without a ``tolerance`` the series is not tested.
    """
    values: List[int] = []
    total, look = 0, 0
    while len(values) < plan["max_runs"]:
        taken = timed(model, inputs[len(values) % len(inputs)])
        if stops:
            stops.lap()
        values.append(taken)
        total += taken
        if len(values) < plan["min_runs"] or total < plan["min_ns"]:
            continue
        if plan.get("tolerance") is None:
            return values, "fixed"
        if len(values) >= look:
            if steady(values, plan["tolerance"]):
                return values, "steady"
            look = len(values) + max(5, len(values) // 5)
        if total >= plan["max_ns"]:
            return values, "max-time"
    return values, "fixed" if plan.get("tolerance") is None else "max-runs"


def warmed_up(model: Model, inputs: List[Array], plan: Json) -> Tuple[List[int], str, Dict[str, str]]:
    """As :func:`warm_up`; also returns the idle times of the process if the plan asks to watch them."""
    stops = Stops() if plan.get("watch") else None
    if stops:
        stops.begin()
    values, ended = warm_up(model, inputs, plan, stops)
    return values, ended, stops.end() if stops else {}


def one_pass(model: Model, inputs: List[Array], reader: Reader, slow: float, stops: Optional[Stops]) -> List[int]:
    """Run each input once. Returns the latencies in ns; ``slow`` is the share of an injected slowdown."""
    latency = []
    reader.begin()
    if stops:
        stops.begin()
    for value in inputs:
        taken = timed(model, value)
        if slow:
            taken += spin(int(taken * slow))
        latency.append(taken)
        reader.read()
        if stops:
            stops.lap()
    reader.end()
    return latency


def passes(model: Model, inputs: List[Array], reader: Reader, plan: Json, board: Board) -> Json:
    """Run whole passes over all inputs until ``min_runs`` and ``min_ns`` are reached, or ``max_ns`` is passed.

    Returns this part of the answer, see :class:`harness.records.answer.RunnerResult`.
    """
    latency: List[int] = []
    during: List[Dict[str, str]] = []
    total, looked = 0, 0
    stops = Stops() if plan.get("watch") else None
    idle: Dict[str, str] = {}
    start = board.state()
    most = plan.get("max_runs", 900000) - len(inputs)
    while not latency or (
        (len(latency) < plan["min_runs"] or total < plan["min_ns"]) and total < plan["max_ns"] and len(latency) <= most
    ):
        times = one_pass(model, inputs, reader, slow=plan.get("inject_slowdown", 0.0), stops=stops)
        latency += times
        total += sum(times)
        idle = stops.end() if stops else {}
        if len(during) < 255 and total - looked >= plan.get("state_ns", 0):
            during.append(board.state())
            looked = total
    end = dict(board.state(), **idle)
    return dict(reader.answer(), latency_ns=latency, evidence={"start": start, "during": during, "end": end})
