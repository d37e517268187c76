"""Times inferences: the warm-up, and the passes over all images."""

import hashlib
import math
from types import ModuleType
from typing import Dict, List, Optional, Sequence, Tuple

from .clock import now_ns, spin
from .process import Stops
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


def one_pass(
    np: ModuleType,
    model: Model,
    inputs: List[Array],
    slow: float,
    stops: Optional[Stops],
    digest: Optional["hashlib._Hash"],
) -> Tuple[List[int], List[int], int]:
    """Run each image once. Returns latencies in ns, predictions, and the number of outputs with NaN or infinity.

    ``slow`` is the share of an injected slowdown. ``digest`` is a hash to update with the outputs, or None.
    """
    latency, predictions, not_finite = [], [], 0
    if stops:
        stops.begin()
    for value in inputs:
        taken = timed(model, value)
        if slow:
            taken += spin(int(taken * slow))
        latency.append(taken)
        result = model.get()
        if digest is not None:
            digest.update(result.tobytes())
        not_finite += not np.isfinite(result).all()
        predictions.append(int(result.reshape(-1).argmax()))
        if stops:
            stops.lap()
    return latency, predictions, not_finite


def passes(np: ModuleType, model: Model, inputs: List[Array], plan: Json, board: Board) -> Json:
    """Run whole passes over all images until ``min_runs`` and ``min_ns`` are reached, or ``max_ns`` is passed.

    Returns this part of the answer, see :class:`harness.records.answer.RunnerResult`.
    """
    latency: List[int] = []
    first: Optional[List[int]] = None
    during: List[Dict[str, str]] = []
    outputs, stable, not_finite, total = hashlib.sha256(), True, 0, 0
    stops = Stops() if plan.get("watch") else None
    idle: Dict[str, str] = {}
    start = board.state()
    most = plan.get("max_runs", 900000) - len(inputs)
    while first is None or (
        (len(latency) < plan["min_runs"] or total < plan["min_ns"]) and total < plan["max_ns"] and len(latency) <= most
    ):
        digest = outputs if first is None else None
        times, predictions, wrong = one_pass(
            np, model, inputs, slow=plan.get("inject_slowdown", 0.0), stops=stops, digest=digest
        )
        latency += times
        total += sum(times)
        not_finite += wrong
        idle = stops.end() if stops else {}
        if first is None:
            first = predictions
        stable = stable and predictions == first
        if len(during) < 255:
            during.append(board.state())
    return {
        "latency_ns": latency,
        "predictions": first or [],
        "predictions_stable": stable,
        "not_finite": int(not_finite),
        "outputs_sha256": outputs.hexdigest(),
        "evidence": {"start": start, "during": during, "end": dict(board.state(), **idle)},
    }
