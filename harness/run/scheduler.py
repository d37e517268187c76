"""The main job: every device in its own thread, one cell at a time on each, every finished cell stored at once."""

from __future__ import annotations

import secrets
import threading
import time
import traceback
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness import __version__
from harness.config.devices import Device, Fleet
from harness.core.errors import (
    BoardError,
    ConnectionLostError,
    HarnessError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
    RunnerError,
    StoreError,
    TransferError,
    UsageError,
)  # fmt: skip
from harness.core.files import write_atomic
from harness.core.safetext import plain
from harness.records.cell import Cell, DeviceInfo, Reason, RunInfo
from harness.records.manifest import readable
from harness.remote.base import Connection
from harness.results import store
from harness.run import resume as resuming
from harness.run.context import Context
from harness.run.images import TestSet, prepare
from harness.run.measure import failed, now, reason_of, run_cell, timeout_s
from harness.run.outcome import Bad, Outcome, Watcher
from harness.run.plan import Job, Options, for_runtime, groups, inventory, make, plain_options, stored_options
from harness.run.session import Session, measured, open_session
from harness.run.timeouts import Pace

#: A broken connection is tried again this often for one cell; what is not transient is not retried.
RETRIES = 2

#: What costs one cell and says nothing about the next; anything else ends the device.
RETURNING = (RunnerError, RemoteCommandError)
#: What passes by itself: a cell with no other reason than these is measured again, so that another program's moment
#: doesn't cost a run. Why the earlier measurements didn't count is kept in the cell's evidence.
PASSING = {"background-load", "unstable", "clock-stepped", "stopped"}
PAUSE_S = 2.0
#: A local device's disturbed cells are measured once more at the end of the run, for so long; in seconds.
LATE_S = 120.0
#: So many disturbed cells one after the other, and a local device is taken to be busy: its cells are not tried again at
#: once, and the last round ends.
BUSY = 3
#: How often the main thread looks out for an interruption, in seconds.
LOOK_OUT_S = 0.2


def passing(reasons: Iterable[Reason]) -> bool:
    """Whether all that is wrong with a measurement passes by itself."""
    return {reason.code for reason in reasons} <= PASSING


def _unfinished(device: str, planned: Iterable[str], finished: Container[str]) -> bool:
    return any(cell.startswith(f"{device}+") and cell not in finished for cell in planned)


class Run:
    """One run: plans in the constructor (nothing is touched when that raises), measures in :meth:`execute`.

    Args:
        inject_slowdown: only for proving that a slowdown is found; such cells are INVALID by name.
        state_root: a folder on the boards whose files stand in for /proc's and /sys's; INVALID by name, too.
    """

    def __init__(
        self, fleet: Fleet, options: Options, *, models: Path, results: Path, resume: str | None = None,
        inject_slowdown: float = 0.0, state_root: str = "",
    ) -> None:  # fmt: skip
        folder, info = resuming.reopen(results, resume) if resume is not None else (None, None)
        options = stored_options(info) if info else options
        self.options = options
        self.results = results
        self.inject_slowdown = inject_slowdown
        self.state_root = state_root
        #: what a person should know before anything is measured
        self.notes: list[str] = []
        self._earlier_runs: set[str] = set()
        self._boards: dict[str, DeviceInfo] = {}
        finished = self._look_through(folder) if folder else set()
        if info:
            waiting = [name for name in info.devices if _unfinished(name, info.planned, finished)]
            self.fleet, self.notes = resuming.fleet_then(info, fleet, waiting)
        else:
            self.fleet = fleet.only(list(options.only))
        damaged: list[Reason] = []
        shipped = inventory(models, options.models, options.variants, damaged)
        self.plan = make(self.fleet, shipped, options, everything=info is not None)
        if info:
            resuming.planned_alone(self.plan, info)
            if gone := resuming.missing(self.plan, info.planned, finished):
                raise UsageError(
                    f"run {info.run}: {len(gone)} of its cells can't be measured from {models}/ any more, "
                    f"{gone[0]} among them", fix="put the artifacts back, or start a new run",
                )  # fmt: skip
        self.plan.skipped += damaged
        if not self.plan.cells:
            raise UsageError(
                "nothing to run: every cell is left out", fix="; ".join(r.text for r in self.plan.skipped[:3])
            )
        split = shipped[0].manifest.split
        wanted = {job.samples for jobs in self.plan.jobs.values() for job in jobs}
        self.tests: dict[int | None, TestSet] = {n: prepare(split, data=options.data, samples=n) for n in wanted}
        self._manifests = readable(models) | {item.manifest.name: item.manifest for item in shipped}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._done: set[str] = set()
        self._measured: set[str] = set()
        self._connections: list[Connection] = []
        #: what has been measured, or has failed, in this process, by device
        self._ended: dict[str, list[Job]] = {}
        self._interrupted: Callable[[], bool] = lambda: False
        self._open(folder, info)

    def _look_through(self, folder: Path) -> set[str]:
        """Note what is in a run that is gone on with: boards, and which run cells say they are of. The VALID cells."""
        finished = set()
        for cell in store.readable_cells(folder):
            self._earlier_runs.add(cell.run)
            if cell.latency_ns and cell.device.machine:
                self._boards[cell.device.name] = cell.device
            if cell.status == "VALID":
                finished.add(cell.cell)
        return finished

    def _open(self, folder: Path | None, info: RunInfo | None) -> None:
        if folder is None or info is None:
            name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
            self.info = RunInfo(
                run=name, started=now(), harness=__version__,
                devices=tuple(d.name for d in self.fleet.devices), planned=self.plan.cells,
                skipped=tuple(self.plan.skipped), options=plain_options(self.options),
                config={d.name: d.model_dump(mode="json") for d in self.fleet.devices},
            )  # fmt: skip
            self.folder = self.results / name
            return
        self.folder, self.info = folder, info
        planned = {job.cell: job for jobs in self.plan.jobs.values() for job in jobs}
        for cell in store.readable_cells(folder):
            job = planned.get(cell.cell)
            if job and cell.status != "FAILED" and not measured(job, cell.model.sha256):
                raise UsageError(
                    f"run {info.run} measured another {job.shipped.label} than is here now", fix="start a new run"
                )
            if cell.status != "FAILED":
                self._measured.add(cell.cell)
            if cell.status == "VALID":
                self._done.add(cell.cell)

    @property
    def again(self) -> str:
        """What to write behind ``--resume`` to go on with this run."""
        return resuming.address(self.results, self.folder)

    def execute(self, watcher: Watcher, interrupted: Callable[[], bool] = lambda: False) -> Outcome:
        """Measure everything that is not finished yet.

        Args:
            interrupted: looked at several times a second; when it is true, every board is let go.

        Raises:
            StoreError: results can't be written (what was written stays), or another process works on this run.
            KeyboardInterrupt: it was interrupted, and every board has been let go.
        """
        self._interrupted = interrupted
        if not self.folder.exists():
            store.create_run(self.results, self.info)
        with store.claimed(self.folder):
            return self._execute(watcher)

    def _execute(self, watcher: Watcher) -> Outcome:
        for name, manifest in self._manifests.items():
            write_atomic(self.folder / "manifests" / f"{name}.json", manifest.model_dump_json(indent=1) + "\n")
        self._rename()
        outcome = Outcome(self.info.run, self.folder)
        self.outcome = outcome
        watcher.planned(self.plan)
        self._together(watcher, [partial(self._devices, group, watcher) for group in groups(self.fleet.devices)])
        self._together(watcher, [partial(self._late, watcher)])
        for cell in store.readable_cells(self.folder):
            outcome.cells[cell.cell] = cell.status
            if cell.status != "VALID":
                outcome.bad.append(Bad.of(cell))
        outcome.skipped = self.info.skipped
        return outcome

    def _look_out(self, watcher: Watcher) -> None:
        if self._interrupted():
            watcher.device("run", "interrupted: letting the boards go; once more ends it at once")
            raise KeyboardInterrupt

    def _together(self, watcher: Watcher, tasks: Sequence[Callable[[], None]]) -> None:
        """Do all at once, each in a thread of its own. This one looks out for an interruption meanwhile."""
        with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
            waiting = {pool.submit(task) for task in tasks}
            try:
                while waiting:
                    done, waiting = wait(waiting, timeout=LOOK_OUT_S, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    self._look_out(watcher)
            except BaseException:
                self.stop()
                raise

    def _rename(self) -> None:
        """A run whose folder was copied is one of its own: what is in it says so, before more is measured into it."""
        if self._earlier_runs - {self.info.run}:
            store.write_run(self.folder, self.info)
            for cell in store.readable_cells(self.folder):
                store.write_cell(self.folder, cell.model_copy(update={"run": self.info.run}))

    def _late(self, watcher: Watcher) -> None:
        """Once more what other programs disturbed on this very machine: it may be quiet now, the emulated boards of
        this run at least are off. Each cell once, no longer than :data:`LATE_S` in all, and not on where :data:`BUSY`
        in a row show that nothing has changed."""
        until = time.monotonic() + LATE_S
        for device in self.fleet.devices:
            if device.local and not self._stop.is_set():
                spoilt = {
                    cell.cell for cell in store.readable_cells(self.folder)
                    if cell.device.name == device.name and cell.status == "INVALID" and passing(cell.reasons)
                }  # fmt: skip
                if again := [job for job in self._ended.get(device.name, []) if job.cell in spoilt]:
                    watcher.device(device.name, f"measuring {len(again)} cells again that other programs disturbed")
                    self._device(device, watcher, again, until)

    def stop(self) -> None:
        """End all device threads: connections are closed under the commands they wait for."""
        self._stop.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def _connected(self, connection: Connection) -> None:
        with self._lock:
            self._connections.append(connection)
        if self._stop.is_set():  # meanwhile; nobody closes this one under us then
            connection.close()

    def _devices(self, group: Sequence[Sequence[Device]], watcher: Watcher) -> None:
        """Steps one after the other; the devices of one step side by side."""
        for step in group:
            with ThreadPoolExecutor(max_workers=len(step)) as pool:
                for future in [pool.submit(self._device, device, watcher) for device in step]:
                    future.result()

    def _device(self, device: Device, watcher: Watcher, again: Sequence[Job] = (), until: float | None = None) -> None:
        """All cells of one device that are not finished; or those in ``again`` once more, as long as there is time."""
        jobs = [*again] or [job for job in self.plan.jobs[device.name] if job.cell not in self._done]
        if not jobs or self._stop.is_set():
            return
        asked = self.options
        context = Context(
            self.info.run, device, None, self.inject_slowdown, self.state_root, asked.mlperf, asked.profile_ops
        )
        left = jobs
        try:
            watcher.device(device.name, "starting")
            with open_session(
                device, partial(watcher.device, device.name), self._stop.wait, jobs=jobs, opened=self._connected
            ) as session:
                if self._stop.is_set():
                    return
                context = replace(context, probe=session.probe)
                self._same_board(session)
                left = [*again] or self._named_for(session, *session.resolve(jobs))
                self._deploy(session, left)
                with self._lock:
                    total = self.outcome.sent_bytes.get(device.name, 0) + sum(session.sent.values())
                    self.outcome.sent_bytes[device.name] = total
                watcher.device(device.name, f"ready, {sum(session.sent.values())} artifact bytes sent")
                self._cells(session, left, context, watcher, None if not again else until)
        except BoardError as error:
            if self._ending():
                return
            watcher.device(device.name, str(error))
            self._fail(watcher, left, context, reason_of(error))
        except HarnessError:  # results can't be kept any more: no use in measuring on
            raise
        except Exception as error:  # a mistake of ours: it may cost this board's cells, not the other boards'
            text = f"a mistake in the harness: {type(error).__name__}: {error}"
            watcher.device(device.name, text)
            self._fail(watcher, left, context, Reason(code="internal", text=plain(text)[:4000]), traceback.format_exc())
        finally:
            watcher.device(device.name, "done")

    def _cells(
        self, session: Session, left: list[Job], context: Context, watcher: Watcher, until: float | None
    ) -> None:
        """Measure one after the other, and take what is done off ``left``. With ``until`` it is the last round, which
        ends there, or when it is plain that other programs go on disturbing."""
        pace, disturbed = Pace(), 0
        while left:
            if self._ending() or (until is not None and (time.monotonic() > until or disturbed == BUSY)):
                return
            job = left[0]
            watcher.cell_started(job)
            tries = RETRIES + 1
            if session.device.local:  # its last try is at the end of the run
                tries = 1 if until is not None or disturbed >= BUSY else RETRIES
            cell = self._cell(session, job, context, pace, tries)
            disturbed = disturbed + 1 if cell.reasons and passing(cell.reasons) else 0
            self._keep(watcher, job, cell)
            del left[0]

    def _fail(self, watcher: Watcher, jobs: list[Job], context: Context, reason: Reason, trace: str = "") -> None:
        for job in jobs:
            cell = failed(job, self.tests[job.samples], context, [reason], now(), stderr=trace[-4000:])
            self._keep(watcher, job, cell)

    def _deploy(self, session: Session, jobs: list[Job]) -> None:
        """Content hashes say what has arrived: after a broken connection or a damaged file, only the rest is sent."""
        for attempt in range(RETRIES + 1):
            try:
                return session.deploy(jobs, self.tests)
            except (ConnectionLostError, TransferError) as error:
                if attempt == RETRIES or self._ending():
                    raise
                session.say(f"sending again: {error}")
                session.board.reconnect()
        raise AssertionError("unreachable")

    def _same_board(self, session: Session) -> None:
        measured = self._boards.get(session.device.name)
        if measured is not None and (note := resuming.same_board(measured, session.probe, session.device.name)):
            session.say(note)

    def _ending(self) -> bool:
        """Whether the run is to end. An interruption counts at once, before the main thread has acted on it: what it
        does to other programs, such as an emulator, must not be taken for a board's fault."""
        return self._stop.is_set() or self._interrupted()

    def _cell(self, session: Session, job: Job, context: Context, pace: Pace, tries: int) -> Cell:
        """Measure, and again on a new connection if the old one broke, or after a pause where what spoilt the
        measurement may have passed; a board that stays away ends the device."""
        test, started = self.tests[job.samples], now()
        earlier = self._earlier(job)
        for attempt in range(RETRIES + 1):
            try:
                if session.board.suspect:
                    session.board.reconnect()
                limit_s = pace.limit_s(job, test, timeout_s(job, test, mlperf=context.mlperf))
                session.lease.renew(limit_s)
                begun = time.monotonic()
                cell = run_cell(session.connection, job, session.prepared(job, test), test, context, limit_s=limit_s)
                if cell.status != "FAILED":
                    pace.took(job, test, time.monotonic() - begun)
                if not cell.reasons or not passing(cell.reasons) or attempt + 1 >= tries:
                    return cell.model_copy(update={"evidence": {**cell.evidence, "earlier": earlier}})
                earlier.append(cell.model_dump(include={"started", "ended", "reasons"}, mode="json"))
                self._stop.wait(PAUSE_S)
            except ConnectionLostError as error:
                if attempt == RETRIES or self._ending():
                    raise
                session.say(f"connecting again: {error}")
                session.board.suspect = True
            except (RemoteTimeoutError, OutputLimitError) as error:
                session.board.suspect = True  # what hung, or talks, may still be there: the next lease ends it
                return failed(job, test, context, [reason_of(error)], started)
            except RETURNING as error:
                return failed(job, test, context, [reason_of(error)], started)
        raise AssertionError("unreachable")

    def _keep(self, watcher: Watcher, job: Job, cell: Cell) -> None:
        """Store a cell. A failure never replaces what was measured earlier in this run, nor is one that we caused by
        stopping told."""
        if cell.status == "FAILED" and self._ending():
            return
        with self._lock:
            replaces = cell.status != "FAILED" or cell.cell not in self._measured
            if cell.status != "FAILED":
                self._measured.add(cell.cell)
            if job not in (ended := self._ended.setdefault(job.device.name, [])):
                ended.append(job)
        if replaces:
            store.write_cell(self.folder, cell)
        watcher.cell_ended(job, cell)

    def _earlier(self, job: Job) -> list[dict[str, object]]:
        """Why a cell's measurements so far in this process didn't count."""
        if job not in self._ended.get(job.device.name, []):
            return []
        try:
            cell = store.read_cell(self.folder / "cells" / f"{job.cell}.json")
        except StoreError:
            return []
        said = cell.evidence.get("earlier")
        last = cell.model_dump(include={"started", "ended", "reasons"}, mode="json")
        return [*(said if isinstance(said, list) else []), last]

    def _named_for(self, session: Session, jobs: list[Job], dropped: list[Reason]) -> list[Job]:
        """Once the board is known: cells carry the runtime that really runs, and run.json what is left out."""
        renamed = [for_runtime(job, session.runtime_for(job)) for job in jobs]
        names = {old.cell: new.cell for old, new in zip(jobs, renamed, strict=True)}
        mine = {job.cell for job in self.plan.jobs[session.device.name]}
        with self._lock:
            planned = [
                names.get(cell, cell)
                for cell in self.info.planned
                if cell not in mine or cell in names or cell in self._done
            ]
            known = {reason.text for reason in self.info.skipped}
            skipped = [*self.info.skipped, *(reason for reason in dropped if reason.text not in known)]
            self.info = self.info.model_copy(update={"planned": tuple(planned), "skipped": tuple(skipped)})
            store.write_run(self.folder, self.info)
            for old, new in names.items():
                if old != new:
                    (self.folder / "cells" / f"{old}.json").unlink(missing_ok=True)
        return [job for job in renamed if job.cell not in self._done]
