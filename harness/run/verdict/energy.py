"""Energy of the timed inferences, from any sensor that a board has; None without one.

Sensors are read between passes, never during an invocation. A counter (RAPL, a hwmon energy input) is exact over the
passes, including the reads between them. A power sensor is sampled once after each pass. Its chip averages over the
last milliseconds, so the reading is of the load that just ended; the mean of all readings times the timed nanoseconds
is an estimate. Where a board has several sensors, the one with the widest scope is used: the whole board before a
single rail, and never their sum, since one rail feeds the other. The sensors are in :mod:`harness.boards`.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from harness.boards.power import counters_uj
from harness.boards.registry import POWER_SENSORS, watts
from harness.boards.state import BoardState
from harness.records.answer import RunnerResult

#: A higher reading means a broken sensor.
MOST_W = 1e5


@dataclass(frozen=True)
class Energy:
    """``joules`` over all timed inferences; ``watts``: the mean power; ``method`` names the sensor and its reading."""

    joules: float
    watts: float
    samples: int
    method: str


def energy(answer: RunnerResult) -> Energy | None:
    """The energy of the timed inferences, from the best sensor available."""
    evidence = answer.evidence
    seconds = sum(answer.latency_ns) / 1e9
    counted = _counted(BoardState.parse(evidence.start), BoardState.parse(evidence.end), seconds)
    if counted:
        return counted
    states = [BoardState.parse(raw) for raw in evidence.during if raw]
    for sensor in POWER_SENSORS:
        readings = [power for state in states if (power := watts(sensor, state)) is not None]
        if readings and 0 < max(readings) <= MOST_W:
            mean = statistics.fmean(readings)
            method = f"{sensor.method}, mean of one reading after each pass"
            return Energy(joules=mean * seconds, watts=mean, samples=len(readings), method=method)
    return None


def _counted(start: BoardState, end: BoardState, seconds: float) -> Energy | None:
    """Energy from counters; a counter that has wrapped (its value decreased) is not used."""
    before_uj, after_uj = counters_uj(start), counters_uj(end)
    used_uj = 0
    for path, after in after_uj.items():
        before = before_uj.get(path)
        if before is None or after is None or after < before:
            return None
        used_uj += after - before
    elapsed_ns = (end.monotonic_ns or 0) - (start.monotonic_ns or 0)
    if not used_uj or elapsed_ns <= 0:
        return None
    mean = used_uj / 1e6 / (elapsed_ns / 1e9)
    if mean > MOST_W:
        return None
    method = f"counter {', '.join([*after_uj][:4])} over the passes, by their timed share"
    return Energy(joules=mean * seconds, watts=mean, samples=2, method=method)
