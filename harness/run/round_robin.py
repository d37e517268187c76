"""All rounds of a device's cells. Each takes every cell once, in a new order, so that a drift affects all alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.core.errors import CellTooLargeError
from harness.records.cell import Cell
from harness.run.attempt import Attempts, Underway, against, passing
from harness.run.outcome import Wide, share_text
from harness.run.plan import CellJob
from harness.run.rounds import UNSTABLE, joined, parts_of, replaced

#: After this many disturbed rounds in a row a local device counts as busy: its rounds are not retried at once, and the
#: late turn ends.
BUSY = 3


@dataclass
class _Progress:
    """The rounds of one cell so far, each as a cell.

    Attributes:
        doubtful: the rounds from before that wait for a better one.
        dropped: a disturbed round beyond the planned ones, which the next good one replaces.
        full: whether the cell's file has no room for another round.
    """

    parts: list[Cell] = field(default_factory=list)
    doubtful: list[Cell] = field(default_factory=list)
    dropped: Cell | None = None
    full: bool = False

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
            self.parts.append(replaced(self.dropped, part) if self.dropped else part)
            self.dropped = None
        elif not against(part.reasons):
            old = self.doubtful.pop(0)
            self.parts[self.parts.index(old)] = replaced(old, part)

    def drop(self, part: Cell) -> None:
        """Leave a round out; the next one that is added says so."""
        self.dropped = replaced(self.dropped, part) if self.dropped else part


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
        """The rounds that are stored already; none where the cell's fault lies in no single round, or where better
        rounds beside the old ones would hide it.
        """
        stored = self.underway.ledger.stored(job)
        if stored is None or not stored.rounds or stored.status == "FAILED" or UNSTABLE in against(stored.reasons):
            return _Progress()
        parts = parts_of(stored)
        doubtful = [part for part in parts if against(part.reasons)]
        complete = len(parts) >= self.attempts.context.rounds
        wrong_as_a_whole = complete and not doubtful and bool(against(stored.reasons))
        return _Progress() if wrong_as_a_whole else _Progress(parts, doubtful)

    def _due(self, job: CellJob, number: int) -> bool:
        progress = self._progress[job.cell]
        return not progress.full and (len(progress.parts) <= number or bool(progress.doubtful))

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
        disturbed = passing(part.reasons)
        self._disturbed = self._disturbed + 1 if disturbed else 0
        planned = self.attempts.context.rounds
        if not part.latency_ns and self.underway.halt.ending:
            return  # stopping made it fail
        if not part.latency_ns:
            self.underway.keep(job, joined([*progress.parts, part], planned))
            left.remove(job)
            return
        if disturbed and not progress.doubtful and len(progress.parts) >= planned:
            progress.drop(part)  # --precision asked for it, and a cell without it is as planned
            return
        progress.add(part)
        if len(progress.parts) < planned or progress.doubtful or self._precision is not None:
            self._keep(job, self.underway.ledger.keep_partly)
        else:
            self._end(job, left)

    def _end(self, job: CellJob, left: list[CellJob]) -> None:
        if self._progress[job.cell].parts:
            self._keep(job, lambda cell: self.underway.keep(job, cell))
            left.remove(job)

    def _keep(self, job: CellJob, keep: Callable[[Cell], None]) -> None:
        """Store a cell's rounds. One that its file has no room for is left out, and no more follow."""
        progress, planned = self._progress[job.cell], self.attempts.context.rounds
        try:
            keep(joined(progress.parts, planned))
        except CellTooLargeError as error:
            if len(progress.parts) < 2:
                raise
            progress.parts.pop()
            progress.full = True
            self.attempts.session.say(f"no more rounds of {job.shipped.label} {job.runtime}: {error}")
            keep(joined(progress.parts, planned))

    @property
    def _precision(self) -> float | None:
        """The requested half width of the interval, as a share; None for counted instructions."""
        context = self.attempts.context
        return context.precision if context.device.effective_clock == "wall" else None

    def _until_narrow(self, left: list[CellJob]) -> None:
        """Measure more rounds of the cells whose interval is wider than requested, until the time for that is over."""
        if (precision := self._precision) is None:
            return
        until, number = time.monotonic() + self.attempts.context.budget_s, self.attempts.context.rounds
        while wide := self._wide(left, precision):
            self.attempts.session.forks.end()
            for job in self._shuffled([job for job, _ in wide], number):
                if self.underway.halt.ending:
                    return
                if time.monotonic() > until or self._late_is_over():
                    self._say_wide(self._wide(left, precision), precision)
                    return
                self._round(job, left)
            number += 1

    def _wide(self, left: Sequence[CellJob], precision: float) -> list[tuple[CellJob, Wide]]:
        """The cells that more rounds would make precise enough, and how far each got. A cell that does not count is
        not among them, since no more rounds make it count.
        """
        found = []
        for job in left:
            progress = self._progress[job.cell]
            if progress.full or not progress.parts:
                continue
            whole = joined(progress.parts, self.attempts.context.rounds)
            if not against(whole.reasons) and (wide := Wide.of(whole, precision)):
                found.append((job, wide))
        return found

    def _say_wide(self, found: Sequence[tuple[CellJob, Wide]], precision: float) -> None:
        wide = "; ".join(f"{job.shipped.label} {job.runtime} {each.text}" for job, each in found)
        self.attempts.session.say(f"time is over, and not within ±{share_text(precision)}: {wide}")

    def _late_is_over(self) -> bool:
        return self.late_until is not None and (time.monotonic() > self.late_until or self._disturbed >= BUSY)

    def _tries(self) -> int:
        """How often a disturbed round is measured now; a local device gets its last try at the end of the run."""
        if not self.attempts.session.device.local:
            return self.attempts.most_tries
        return 1 if self.late_until is not None or self._disturbed >= BUSY else self.attempts.most_tries - 1
