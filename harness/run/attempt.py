"""One cell is measured, and measured again if the connection broke or if the cause of a disturbance may have passed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.core.errors import (
    ConnectionLostError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
    RunnerError,
)
from harness.records.cell import Cell, Reason
from harness.records.estimate import Estimate, NoEstimate
from harness.run.bookkeeping import Bookkeeping
from harness.run.cell import Measurement, failed, reason_of
from harness.run.context import Context
from harness.run.conversion import Conversions
from harness.run.estimates import Marking, estimated, marking, untold
from harness.run.forks import Forks
from harness.run.golden.all import Goldens
from harness.run.halt import Halt
from harness.run.ledger import Ledger
from harness.run.measure import run_cell, timeout_s
from harness.run.operators import extra_s, timeable
from harness.run.outcome import Watcher
from harness.run.plan import CellJob
from harness.run.rounds import attempt_record, with_earlier
from harness.run.session import Session
from harness.run.timeouts import Timeouts

#: A broken connection is retried this often for one cell; errors that are not transient are not retried.
RETRIES = 2
#: Errors that cost one cell and say nothing about the next; any other error ends the device.
RETURNING = (RunnerError, RemoteCommandError)
#: Reasons that pass by themselves. A cell with no other reason is measured again, so that a short disturbance by
#: another program doesn't cost a run. The round's evidence keeps why the earlier measurements didn't count.
PASSING = {"background-load", "unstable", "clock-stepped", "stopped"}
PAUSE_S = 2.0
#: At the end of the run, a local device's disturbed cells are measured once more for this long, in seconds.
LATE_S = 120.0


#: What a test does to a measurement on purpose. Such a cell never counts; what else is against it is judged and
#: repeated as in any other, so that benchmarks measure the same machinery.
ON_PURPOSE = {"slowdown-injected"}


def against(reasons: Iterable[Reason]) -> set[str]:
    """The codes of what is against a measurement, without what a test does to it on purpose."""
    return {reason.code for reason in reasons} - ON_PURPOSE


def passing(reasons: Iterable[Reason]) -> bool:
    """Whether something is against a measurement, and all of it passes by itself."""
    codes = against(reasons)
    return bool(codes) and codes <= PASSING


@dataclass(frozen=True)
class Underway:
    """The state that all devices of a run share while it is measured.

    ``tokens`` are those of leases that an earlier process of the run may still hold, by the device's name.
    """

    ledger: Bookkeeping
    halt: Halt
    watcher: Watcher
    goldens: Goldens
    conversions: Conversions
    tokens: Mapping[str, str] = field(default_factory=dict)

    def keep(self, job: CellJob, cell: Cell) -> None:
        """Store a cell and report it to the watcher. A failure caused by stopping is neither stored nor reported."""
        if cell.status == "FAILED" and self.halt.ending:
            return
        self.ledger.keep(job, cell)
        self.watcher.cell_ended(job, cell)

    def measurement(self, job: CellJob, context: Context) -> Measurement:
        """A measurement of a job that begins now."""
        test = self.ledger.schedule.tests[job.inputs]
        return Measurement(job, test, context, self.goldens.comparer(job, test))


def late_jobs(ledger: Ledger, device: str) -> list[CellJob]:
    """The jobs of this process that other programs disturbed on a local device.

    They are measured once more at the end: the machine may be quiet then, and at least the emulated boards of this run
    are off.
    """
    disturbed = {
        cell.cell
        for cell in ledger.cells()
        if cell.device.name == device and cell.status == "INVALID" and passing(cell.reasons)
    }
    return [job for job in ledger.ended(device) if job.cell in disturbed]


@dataclass
class Attempts:
    """Measures rounds of cells of one device in one session."""

    underway: Underway
    session: Session
    context: Context
    _timeouts: Timeouts = field(default_factory=Timeouts)
    _told: list[NoEstimate] = field(default_factory=list)

    @property
    def most_tries(self) -> int:
        """How often a disturbed round is measured at once, at most."""
        return RETRIES + 1

    def round(self, job: CellJob, tries: int, *, first: bool, forked: bool = False) -> Cell:
        """Measure one round. It is measured again on a new connection if the old one broke, or after a pause if the
        cause of a disturbance may have passed. A board that stays unreachable ends the device.

        Args:
            tries: how often a disturbed round is measured.
            first: whether this is the cell's first round, in which each operator may be timed and cycles may be
                estimated as well.
            forked: whether a forked process may measure it, see :mod:`harness.run.forks`.
        """
        halt, board = self.underway.halt, self.session.board
        context = self.context if first else replace(self.context, profile_ops=False, estimates=None)
        earlier: list[dict[str, object]] = []
        measurement = self.underway.measurement(job, context)
        for attempt in range(RETRIES + 1):
            try:
                if board.suspect:
                    board.reconnect()
                cell = self._once(job, context, forked=forked)
                if not passing(cell.reasons) or attempt + 1 >= tries:
                    return with_earlier(cell, earlier)
                earlier.append(attempt_record(cell))
                halt.wait(PAUSE_S)
            except ConnectionLostError as error:
                if attempt == RETRIES or halt.ending:
                    raise
                self.session.say(f"connecting again: {error}")
                board.suspect = True
            except (RemoteTimeoutError, OutputLimitError) as error:
                board.suspect = True  # a hung or talking program may still be there; the next lease ends it
                return failed(measurement, [reason_of(error)])
            except RETURNING as error:
                return failed(measurement, [reason_of(error)])
        raise AssertionError("unreachable")

    def _once(self, job: CellJob, context: Context, *, forked: bool) -> Cell:
        """One measurement on the current connection. Where a forked process fails, the runtime may not bear it: then
        this round and later ones are measured by processes of their own.
        """
        forks = self.session.forks
        if not forked or job.delegate != "cpu" or context.device.effective_clock != "wall":
            return self._measured(job, context)
        with contextlib.suppress(*RETURNING):
            cell = self._measured(job, context, forks)
            if cell.status != "FAILED" or self.underway.halt.ending:
                return cell
        forks.refuse(self.session.runtime_for(job))
        return self._measured(job, context)

    def _measured(self, job: CellJob, context: Context, forks: Forks | None = None) -> Cell:
        """One measurement. A runner that dies may have died of taking the network apart, so then it measures alone."""
        try:
            return self._alone(job, context, forks)
        except RunnerError as error:
            if not context.profile_ops or self.underway.halt.ending:
                raise
            why = f"the runner did not survive taking the network apart: {error}"
            self.session.say(f"{job.shipped.label}: no costs of operators: {why}")
            return untold(self._alone(job, replace(context, profile_ops=False), forks), job, why)

    def _alone(self, job: CellJob, context: Context, forks: Forks | None) -> Cell:
        measurement = self.underway.measurement(job, context)
        test = measurement.test
        estimate = marking(context.estimates, job, profile=context.profile_ops)
        limit_s = self._timeouts.limit_s(job, test, timeout_s(job, test, mlperf=self.context.mlperf))
        longer_s = extra_s(timeable(job, context))  # prefixes take time that other cells don't
        if isinstance(estimate, Marking):
            estimate.begin()
            longer_s += estimate.extra_s
        limit_s += longer_s
        self.session.lease.renew(limit_s)
        begun = time.monotonic()
        prepared = self.session.prepared(job, test)
        marks = estimate.marks if isinstance(estimate, Marking) else None
        cell = run_cell(self.session.connection, measurement, prepared, limit_s=limit_s, marks=marks, forks=forks)
        if cell.status == "FAILED":
            return cell
        if not longer_s:
            self._timeouts.took(job, test, time.monotonic() - begun)
        made = estimated(cell, estimate)
        self._tell(job, made.estimate)
        return made

    def _tell(self, job: CellJob, estimate: Estimate | NoEstimate | None) -> None:
        """Say why a cell has no estimate, each reason once; a reason that holds for the whole board has been said."""
        if isinstance(estimate, NoEstimate) and estimate != self.context.estimates and estimate not in self._told:
            self._told.append(estimate)
            self.session.say(f"{job.shipped.label}: no estimated cycles: {estimate.reason}")
