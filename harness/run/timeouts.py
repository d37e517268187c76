"""The time limit of the next cell, derived from the durations of earlier cells on the same board."""

from __future__ import annotations

from harness.run.images import TestSet
from harness.run.measure import SLOWEST_S_PER_MAC, work
from harness.run.plan import CellJob

#: The factors by which the fixed part (starting Python, loading, warm-up) and the time of a multiply-accumulate may
#: exceed the largest seen: the next cell may be another variant, or the board may be busy.
FIXED_TIMES = 10.0
RATE_TIMES = 20.0
FLOOR_S = 30.0


class Timeouts:
    """Time limits that follow from a board's speed in one run; not shared between threads."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []

    def took(self, job: CellJob, test: TestSet, seconds: float) -> None:
        """Record that a cell finished successfully after so many seconds."""
        self._seen.append((work(job, test), seconds))

    def limit_s(self, job: CellJob, test: TestSet, most_s: float) -> float:
        """Seconds for the next cell, at most ``most_s``, which also holds where nothing is known.

        Start-up dominates the time of a much smaller network, so only cells with at least a quarter of the work count.
        """
        if not self._seen:
            return most_s
        due = work(job, test)
        fixed = max(FLOOR_S, FIXED_TIMES * max(seconds for _, seconds in self._seen))
        rates = [seconds / done for done, seconds in self._seen if done and done >= due / 4]
        rate = min(SLOWEST_S_PER_MAC, RATE_TIMES * max(rates)) if rates else SLOWEST_S_PER_MAC
        return min(most_s, fixed + rate * due)
