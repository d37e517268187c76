"""One device's turn: it is reached and prepared, its cells are measured, and an error costs this device alone."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from harness.config.devices import Device
from harness.core.errors import (
    BoardError,
    ConnectionLostError,
    ConversionError,
    HarnessError,
    ProvisionError,
    TransferError,
)
from harness.core.safetext import plain
from harness.estimate.estimator import Estimator
from harness.records.cell import Reason
from harness.records.estimate import NoEstimate
from harness.run import resume
from harness.run.attempt import RETRIES, Attempts, Underway
from harness.run.cell import clip, failed, reason_of
from harness.run.context import Context
from harness.run.estimates import estimating
from harness.run.fit import unfit
from harness.run.plan import CellJob, by_name, for_runtime
from harness.run.round_robin import RoundRobin
from harness.run.rounds import joined
from harness.run.session import Session, Work, open_session
from harness.runtimes.releases import Releases


@dataclass
class DeviceTurn:
    """A device's turn to be measured.

    Attributes:
        left: the cells that are not done yet.
        context: their shared settings; the probe is added once the board has answered.
        late_until: the end of the late turn in ``time.monotonic()`` seconds. None means the main turn, in which the
            cells are first named after the board's runtimes.
    """

    underway: Underway
    device: Device
    left: list[CellJob]
    context: Context
    late_until: float | None = None

    def take(self) -> None:
        """Measure the remaining cells. A fault of the board, or a bug in the harness, costs only the cells of this
        device.

        Raises:
            StoreError: results can't be stored any more, so further measurements would be lost.
        """
        if not self.left or self.underway.halt.stopped:
            return
        say = partial(self.underway.watcher.device, self.device.name)
        try:
            say("starting")
            with (
                estimating(self.device, wanted=self.context.estimate) as estimates,
                open_session(
                    self.device,
                    say,
                    self.underway.halt.wait,
                    work=Work(
                        self.underway.conversions.where_possible(self.left),
                        Releases.of(self.underway.ledger.schedule.fleet.file),
                        self.underway.tokens.get(self.device.name),
                    ),
                    opened=self.underway.halt.note,
                    plugin=estimates.option if isinstance(estimates, Estimator) else None,
                ) as session,
            ):
                if isinstance(estimates, NoEstimate):
                    say(f"no estimated cycles: {estimates.reason}")
                self.context = replace(self.context, estimates=estimates)
                if not self.underway.halt.stopped:
                    self._measure(session)
        except BoardError as error:
            if not self.underway.halt.ending:
                say(str(error))
                self.fail(reason_of(error))
        except HarnessError:
            raise
        except Exception as error:  # a bug in the harness
            text = f"a mistake in the harness: {type(error).__name__}: {error}"
            say(text)
            self.fail(Reason(code="internal", text=plain(text)[:4000]), traceback.format_exc())
        finally:
            say("done")

    def _measure(self, session: Session) -> None:
        self.context = replace(self.context, probe=session.probe)
        self._same_board(session)
        if self.late_until is None:
            able, unable = self._able(session)
            kept, dropped = session.resolve(able)
            self.left = self._converted(session, self._named_for(session, kept, [*unable, *dropped]))
        if not self.left:
            return
        self._deploy(session)
        sent = sum(session.sent.values())
        self.underway.ledger.sent(self.device.name, sent)
        session.say(f"ready, {sent} artifact bytes sent")
        attempts = Attempts(self.underway, session, self.context)
        seed = f"{self.context.run}:{self.device.name}"  # each run has other orders
        RoundRobin(self.underway, attempts, seed, late_until=self.late_until).measure(self.left)

    def _same_board(self, session: Session) -> None:
        measured = self.underway.ledger.board(self.device.name)
        if measured is not None and (note := resume.same_board(measured, session.probe, self.device.name)):
            session.say(note)

    def _able(self, session: Session) -> tuple[list[CellJob], list[Reason]]:
        """The jobs that this board can run. Of the others those fail whose network or runtime was asked for by name.
        Also returns why the rest is left out.
        """
        able, unable = [], []
        for job in self.left:
            if (lacking := session.lacking(job)) is not None:
                self._fail_one(job, reason_of(lacking))
                continue
            runtime = str(session.requested_for(job))
            why = unfit(job.shipped, self.device, runtime=runtime, delegate=job.delegate, seen=session.probe)
            if why is None:
                able.append(job)
            elif by_name(job, self.underway.ledger.schedule.options):
                self._fail_one(job, Reason(code="unfit", text=clip(why)))
            else:
                unable.append(Reason(code="left-out", text=f"{self.device.name}: {job.shipped.label}: {why}"[:4000]))
        return able, unable

    def _fail_one(self, job: CellJob, reason: Reason) -> None:
        self.underway.keep(job, failed(self.underway.measurement(job, self.context), [reason]))

    def _named_for(self, session: Session, jobs: Sequence[CellJob], dropped: Sequence[Reason]) -> list[CellJob]:
        """The jobs under the names of the runtimes that really run, without those that are finished."""
        renamed = [(job, for_runtime(job, session.runtime_for(job))) for job in jobs]
        self.underway.ledger.rename_jobs(renamed, self.device.name, dropped)
        return [job for _, job in renamed if not self.underway.ledger.finished(job)]

    def _converted(self, session: Session, jobs: Sequence[CellJob]) -> list[CellJob]:
        """The jobs with the files that the board runs. A job whose file can't be made fails."""
        kept = []
        for job in jobs:
            try:
                kept.append(self.underway.conversions.of(job, session.say))
            except (ConversionError, ProvisionError) as error:
                if not self.underway.halt.ending:
                    session.say(str(error))
                    self.underway.keep(job, failed(self.underway.measurement(job, self.context), [reason_of(error)]))
        return kept

    def _deploy(self, session: Session) -> None:
        """Deploy the files. Content hashes tell which have arrived, so a new connection sends only the rest."""
        for attempt in range(RETRIES + 1):
            try:
                return session.deploy(self.left, self.underway.ledger.schedule.tests)
            except (ConnectionLostError, TransferError) as error:
                if attempt == RETRIES or self.underway.halt.ending:
                    raise
                session.say(f"sending again: {error}")
                session.board.reconnect()
        raise AssertionError("unreachable")

    def fail(self, reason: Reason, trace: str = "") -> None:
        """Store the remaining cells as FAILED, or as INVALID with the rounds that they have."""
        for job in self.left:
            cell = failed(self.underway.measurement(job, self.context), [reason], stderr=trace[-4000:])
            measured = self.underway.ledger.partly(job)
            self.underway.keep(job, joined([measured, cell], self.context.rounds) if measured else cell)
