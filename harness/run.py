"""The main job: every device in its own thread, one cell at a time on each, every finished cell stored at once."""

from __future__ import annotations

import secrets
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from harness import __version__, store
from harness.config import Device, Fleet
from harness.context import Context
from harness.errors import (
    BoardError,
    ConnectionLostError,
    HarnessError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
    RunnerError,
    TransferError,
    UsageError,
)  # fmt: skip
from harness.fsio import write_atomic
from harness.manifest import readable
from harness.measure import failed, now, reason_of, run_cell, timeout_s
from harness.pace import Pace
from harness.plan import Job, Options, Plan, for_runtime, groups, inventory, make, plain_options, stored_options
from harness.records import Cell, Reason, RunInfo
from harness.safetext import plain
from harness.session import Session, measured, open_session
from harness.testset import TestSet, prepare

#: A broken connection is tried again this often for one cell; what is not transient is not retried.
RETRIES = 2

#: What costs one cell and says nothing about the next; anything else ends the device.
RETURNING = (RunnerError, RemoteCommandError)
#: What passes by itself: a cell with no other reason than these is measured again, so that another program's moment
#: doesn't cost a run. Why the earlier measurements didn't count is kept in the cell's evidence.
PASSING = {"background-load", "unstable", "clock-stepped"}
PAUSE_S = 2.0


class Watcher(Protocol):
    """Who is told what happens; called from several threads."""

    def planned(self, plan: Plan) -> None: ...
    def device(self, name: str, message: str) -> None: ...
    def cell_started(self, job: Job) -> None: ...
    def cell_ended(self, job: Job, cell: Cell) -> None: ...


@dataclass
class Outcome:
    """How a run ended. ``sent_bytes``: artifact bytes that had to be sent, by device."""

    run: str
    folder: Path
    cells: dict[str, str] = field(default_factory=dict)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    skipped: tuple[Reason, ...] = ()

    @property
    def all_valid(self) -> bool:
        return bool(self.cells) and all(status == "VALID" for status in self.cells.values())


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
        folder = store.find_run(results, resume) if resume is not None else None
        info = store.read_run(folder) if folder else None
        options = stored_options(info) if info else options
        self.fleet = fleet.only(list(options.only))
        self.options = options
        self.results = results
        self.inject_slowdown = inject_slowdown
        self.state_root = state_root
        shipped = inventory(models, options.models, options.variants)
        self.plan = make(self.fleet, shipped, options)
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
        self._sessions: set[Session] = set()
        self._open(folder, info)

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

    def execute(self, watcher: Watcher) -> Outcome:
        """Measure everything that is not finished yet.

        Raises:
            StoreError: results can't be written (what was written stays), or another process works on this run.
            KeyboardInterrupt: passed on after every board has been let go.
        """
        if not self.folder.exists():
            store.create_run(self.results, self.info)
        with store.claimed(self.folder):
            return self._execute(watcher)

    def _execute(self, watcher: Watcher) -> Outcome:
        for name, manifest in self._manifests.items():
            write_atomic(self.folder / "manifests" / f"{name}.json", manifest.model_dump_json(indent=1) + "\n")
        outcome = Outcome(self.info.run, self.folder)
        self.outcome = outcome
        watcher.planned(self.plan)
        with ThreadPoolExecutor(max_workers=max(1, len(self.fleet.devices))) as pool:
            futures = [pool.submit(self._devices, group, watcher) for group in groups(self.fleet.devices)]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                self.stop()
                raise
        outcome.cells = {cell.cell: cell.status for cell in store.readable_cells(self.folder)}
        outcome.skipped = self.info.skipped
        return outcome

    def stop(self) -> None:
        """End all device threads: connections are closed under the commands they wait for."""
        self._stop.set()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.connection.close()

    def _devices(self, group: Sequence[Sequence[Device]], watcher: Watcher) -> None:
        """Steps one after the other; the devices of one step side by side."""
        for step in group:
            with ThreadPoolExecutor(max_workers=len(step)) as pool:
                for future in [pool.submit(self._device, device, watcher) for device in step]:
                    future.result()

    def _device(self, device: Device, watcher: Watcher) -> None:
        jobs = [job for job in self.plan.jobs[device.name] if job.cell not in self._done]
        if not jobs or self._stop.is_set():
            return
        asked = self.options
        context = Context(
            self.info.run, device, None, self.inject_slowdown, self.state_root, asked.mlperf, asked.profile_ops
        )
        left = jobs
        try:
            watcher.device(device.name, "starting")
            say, pace = (lambda message: watcher.device(device.name, message)), Pace()
            with open_session(device, say, self._stop.wait, jobs) as session:
                with self._lock:
                    self._sessions.add(session)
                if self._stop.is_set():  # meanwhile; nobody closes this connection under us then
                    return
                context = replace(context, probe=session.probe)
                left = self._named_for(session, *session.resolve(jobs))
                self._deploy(session, left)
                with self._lock:
                    self.outcome.sent_bytes[device.name] = sum(session.sent.values())
                watcher.device(device.name, f"ready, {sum(session.sent.values())} artifact bytes sent")
                for job in list(left):
                    if self._stop.is_set():
                        return
                    watcher.cell_started(job)
                    self._keep(watcher, job, self._cell(session, job, context, pace))
                    left = left[1:]
        except BoardError as error:
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
                if attempt == RETRIES or self._stop.is_set():
                    raise
                session.say(f"sending again: {error}")
                session.reconnect()
        raise AssertionError("unreachable")

    def _cell(self, session: Session, job: Job, context: Context, pace: Pace) -> Cell:
        """Measure, and again on a new connection if the old one broke, or after a pause where what spoilt the
        measurement may have passed; a board that stays away ends the device."""
        test, started = self.tests[job.samples], now()
        earlier: list[dict[str, object]] = []
        for attempt in range(RETRIES + 1):
            try:
                if session.suspect:
                    session.reconnect()
                limit_s = pace.limit_s(job, test, timeout_s(job, test, mlperf=context.mlperf))
                session.lease.renew(limit_s)
                begun = time.monotonic()
                cell = run_cell(session.connection, job, session.prepared(job, test), test, context, limit_s=limit_s)
                if cell.status != "FAILED":
                    pace.took(job, test, time.monotonic() - begun)
                if not cell.reasons or {r.code for r in cell.reasons} - PASSING or attempt == RETRIES:
                    return cell.model_copy(update={"evidence": {**cell.evidence, "earlier": earlier}})
                earlier.append(cell.model_dump(include={"started", "ended", "reasons"}, mode="json"))
                self._stop.wait(PAUSE_S)
            except ConnectionLostError as error:
                if attempt == RETRIES or self._stop.is_set():
                    raise
                session.say(f"connecting again: {error}")
                session.suspect = True
            except (RemoteTimeoutError, OutputLimitError) as error:
                session.suspect = True  # what hung, or talks, may still be there: the next lease ends it
                return failed(job, test, context, [reason_of(error)], started)
            except RETURNING as error:
                return failed(job, test, context, [reason_of(error)], started)
        raise AssertionError("unreachable")

    def _keep(self, watcher: Watcher, job: Job, cell: Cell) -> None:
        """Store a cell. A failure never replaces what was measured earlier in this run, nor is one that we caused by
        stopping told."""
        if cell.status == "FAILED" and self._stop.is_set():
            return
        if cell.status != "FAILED" or cell.cell not in self._measured:
            store.write_cell(self.folder, cell)
        watcher.cell_ended(job, cell)

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
