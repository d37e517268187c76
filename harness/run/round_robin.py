"""All rounds of a device's cells. Each takes every cell once, in a new order, so that a drift affects all alike."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core import rounds
from harness.records.cell import Cell
from harness.results.change import round_medians
from harness.run.attempt import Attempts, Underway, passing
from harness.run.plan import CellJob
from harness.run.rounds import joined, parts_of, replaced

#: After this many disturbed rounds in a row a local device counts as busy: its rounds are not retried at once, and the
#: late turn ends.
BUSY = 3


@dataclass
class _Progress:
    """The rounds of one cell so far, each as a cell; ``doubtful`` ones are from before and wait for a better one."""

    parts: list[Cell] = field(default_factory=list)
    doubtful: list[Cell] = field(default_factory=list)

    @property
    def started_alone(self) -> bool:
        """Whether a round that counts tells how a process of its own starts: loading time and peak memory."""
        return any(part.peak_rss_bytes is not None and part not in self.doubtful for part in self.parts)

    @property
    def at_first(self) -> bool:
        """Whether the next round is the cell's first, or takes its place."""
        return not self.parts or (bool(self.doubtful) and self.doubtful[0] is self.parts[0])

    def add(self, part: Cell) -> None:
        """Add a round. A good round replaces a doubtful one."""
        if not self.doubtful:
            self.parts.append(part)
        elif not part.reasons:
            old = self.doubtful.pop(0)
            self.parts[self.parts.index(old)] = replaced(old, part)


@dataclass
class RoundRobin:
    """Measures the cells of one device in one session, round by round; every round is stored at once.

    Attributes:
        seed: of the cells' order in each round.
        late_until: the end of the late turn in ``time.monotonic()`` seconds; None in the run's main turn.
    """

    underway: Underway
    attempts: Attempts
    seed: str
    late_until: float | None = None
    _disturbed: int = 0
    _progress: dict[str, _Progress] = field(default_factory=dict)

    def measure(self, left: list[CellJob]) -> None:
        """Measure the missing rounds and remove finished cells from ``left``. The late turn also ends when other
        programs clearly go on disturbing.
        """
        planned = self.attempts.context.rounds
        for job in left:
            self._progress[job.cell] = self._taken_over(job)
        for number in range(planned):
            due = [job for job in left if self._due(job, number)]
            if planned > 1 and due:
                self.attempts.session.say(f"round {number + 1} of {planned}")
            self.attempts.session.forks.end()  # so that each round has another layout of memory
            for job in self._shuffled(due, number):
                if self.underway.halt.ending or self._late_is_over():
                    return
                self._round(job, left)
        self._until_narrow(left)
        for job in list(left):
            self._end(job, left)

    def _taken_over(self, job: CellJob) -> _Progress:
        """The rounds that are stored already; none where the cell's fault lies in no single round."""
        stored = self.underway.ledger.stored(job)
        if stored is None or not stored.rounds:
            return _Progress()
        parts = parts_of(stored)
        doubtful = [part for part in parts if part.reasons]
        complete = len(parts) >= self.attempts.context.rounds
        return _Progress(parts, doubtful) if doubtful or not complete else _Progress()

    def _due(self, job: CellJob, number: int) -> bool:
        progress = self._progress[job.cell]
        return len(progress.parts) <= number or bool(progress.doubtful)

    def _shuffled(self, jobs: Sequence[CellJob], number: int) -> list[CellJob]:
        """The cells in random order; the first round uses the plan's order, which is shuffled as well."""
        order = list(jobs)
        if number:
            random.Random(f"{self.seed}:{number}").shuffle(order)  # noqa: S311 - an order, not a secret
        return order

    def _round(self, job: CellJob, left: list[CellJob]) -> None:
        """Measure and store one more round of a cell; a round that FAILED is the cell's last."""
        progress = self._progress[job.cell]
        self.underway.watcher.cell_started(job)
        part = self.attempts.round(job, self._tries(), first=progress.at_first, forked=progress.started_alone)
        self._disturbed = self._disturbed + 1 if part.reasons and passing(part.reasons) else 0
        planned = self.attempts.context.rounds
        if not part.latency_ns and self.underway.halt.ending:
            return  # stopping made it fail
        if not part.latency_ns:
            self.underway.keep(job, joined([*progress.parts, part], planned))
            left.remove(job)
            return
        progress.add(part)
        if len(progress.parts) < planned or progress.doubtful or self._precision is not None:
            self.underway.ledger.keep_partly(joined(progress.parts, planned))
        else:
            self._end(job, left)

    def _end(self, job: CellJob, left: list[CellJob]) -> None:
        if parts := self._progress[job.cell].parts:
            self.underway.keep(job, joined(parts, self.attempts.context.rounds))
            left.remove(job)

    @property
    def _precision(self) -> float | None:
        """The requested half width of the interval, as a share; None for counted instructions."""
        context = self.attempts.context
        return context.precision if context.device.effective_clock == "wall" else None

    def _until_narrow(self, left: list[CellJob]) -> None:
        """Measure more rounds of the cells whose interval is wider than requested, until the time for that is over."""
        if self._precision is None:
            return
        until, number = time.monotonic() + self.attempts.context.budget_s, self.attempts.context.rounds
        while wide := [job for job in left if self._half_width(job) > self._precision]:
            self.attempts.session.forks.end()
            for job in self._shuffled(wide, number):
                if self.underway.halt.ending:
                    return
                if time.monotonic() > until:
                    self._say_wide(wide)
                    return
                self._round(job, left)
            number += 1

    def _half_width(self, job: CellJob) -> float:
        whole = joined(self._progress[job.cell].parts, 1)
        if len(whole.round_sizes) < 2:
            return float("inf")
        return rounds.half_width(rounds.estimate(round_medians(whole)))

    def _say_wide(self, jobs: Sequence[CellJob]) -> None:
        wide = ", ".join(f"{job.shipped.label} {job.runtime} ±{self._half_width(job):.1%}" for job in jobs)
        self.attempts.session.say(f"time is over, and not within ±{self._precision:.1%}: {wide}")

    def _late_is_over(self) -> bool:
        return self.late_until is not None and (time.monotonic() > self.late_until or self._disturbed >= BUSY)

    def _tries(self) -> int:
        """How often a disturbed round is measured now; a local device gets its last try at the end of the run."""
        if not self.attempts.session.device.local:
            return self.attempts.most_tries
        return 1 if self.late_until is not None or self._disturbed >= BUSY else self.attempts.most_tries - 1
