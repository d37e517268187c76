"""The planned and the finished cells of a run, in memory and in its folder."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from harness import __version__
from harness.core.errors import StoreError, UsageError
from harness.core.files import write_atomic
from harness.records.cell import Cell, DeviceInfo, Reason, RunInfo
from harness.results import store
from harness.results.storage import Say, Storage
from harness.run import resume
from harness.run.cell import now
from harness.run.conversion import measured
from harness.run.nodes import with_nodes
from harness.run.options import plain_options
from harness.run.outcome import Bad, Outcome, Wide
from harness.run.plan import CellJob
from harness.run.schedule import Schedule


class Ledger:
    """Keeps the records of one run; its methods may be called from several threads.

    Args:
        storage: where runs are kept.
        earlier: the run that is resumed; None for a new one.

    Raises:
        UsageError: the earlier run measured another artifact than the present one.
    """

    def __init__(self, schedule: Schedule, storage: Storage, earlier: resume.EarlierRun | None = None) -> None:
        self.schedule = schedule
        self._storage = storage
        self._lock = threading.Lock()
        self._finished: set[str] = set()
        self._measured: set[str] = set()
        #: jobs that were measured, or failed, in this process, by device
        self._ended: dict[str, list[CellJob]] = {}
        #: cells of which this process has measured some of the rounds
        self._partly: dict[str, Cell] = {}
        self._sent_bytes: dict[str, int] = {}
        self._boards: dict[str, DeviceInfo] = dict(earlier.boards) if earlier else {}
        self._copied = earlier is not None and any(cell.run != earlier.info.run for cell in earlier.cells)
        if earlier is None:
            self.info = _new_info(schedule)
            self.folder = storage.folder / self.info.run
        else:
            self.info, self.folder = earlier.info, earlier.folder
            self._take_over(earlier)

    def _take_over(self, earlier: resume.EarlierRun) -> None:
        self._check_files(earlier)
        planned = {job.cell: job for jobs in self.schedule.plan.jobs.values() for job in jobs}
        for cell in earlier.cells:
            job = planned.get(cell.cell)
            if job and cell.status != "FAILED" and not measured(job, cell.sha256):
                raise UsageError(
                    f"run {earlier.info.run} measured another {job.shipped.label} than is here now",
                    fix="start a new run",
                )
            if cell.status != "FAILED":
                self._measured.add(cell.cell)
            if cell.finished:
                self._finished.add(cell.cell)

    def _check_files(self, earlier: resume.EarlierRun) -> None:
        """Make sure that a model file from anywhere is still the one that the run began with."""
        then = store.read_manifests(earlier.folder)
        for job in (job for jobs in self.schedule.plan.jobs.values() for job in jobs if job.shipped.asked):
            record, sha256 = then.get(job.shipped.manifest.name), job.shipped.artifact.sha256
            if record is not None and sha256 not in {artifact.sha256 for artifact in record.artifacts}:
                raise UsageError(
                    f"run {earlier.info.run} began with another {job.shipped.label} than {job.shipped.path} is now",
                    fix="start a new run",
                )

    @property
    def again(self) -> str:
        """The argument of ``--resume`` that continues this run."""
        return resume.address(self._storage.folder, self.folder)

    @contextlib.contextmanager
    def opened(self, say: Say = lambda _line: None) -> Iterator[None]:
        """Provide the run's folder, created if it is new, for this process alone.

        Args:
            say: receives lines for people about the place where results go.

        Raises:
            StoreError: results can't be written, or another process works on this run.
        """
        if not self.folder.exists():
            store.create_run(self._storage.folder, self.info)
        with self._storage.claimed(self.folder, say):
            shipped = (job.shipped for jobs in self.schedule.plan.jobs.values() for job in jobs)
            for name, manifest in with_nodes(self.schedule.manifests, shipped).items():
                text = manifest.model_dump_json(indent=1) + "\n"
                path = self.folder / "manifests" / f"{name}.json"
                write_atomic(path, text)
                self._storage.kept(path)
            self._rename()
            yield

    def _rename(self) -> None:
        """Give a run whose folder was copied its own name in its files, before more is measured into it."""
        if self._copied:
            self._storage.kept(store.write_run(self.folder, self.info))
            for cell in self.cells():
                self._store(cell.model_copy(update={"run": self.info.run}))

    def _store(self, cell: Cell) -> None:
        self._storage.kept(store.write_cell(self.folder, cell))

    def cells(self) -> Iterator[Cell]:
        """The stored cells, one at a time."""
        return store.readable_cells(self.folder)

    def due(self, device: str) -> list[CellJob]:
        """The jobs of a device that are not finished."""
        return [job for job in self.schedule.plan.jobs[device] if job.cell not in self._finished]

    def to_do(self, device: str) -> list[CellJob]:
        """The jobs of a device that are not finished, without those that have ended in this process."""
        known = resume.by_any_name(self.schedule.plan.jobs[device])
        gone = {known[job.cell][0].cell for job in self.ended(device) if job.cell in known}
        return [job for job in self.due(device) if job.cell not in gone]

    def ended(self, device: str) -> list[CellJob]:
        """The jobs of a device that have ended in this process, successfully or not."""
        return list(self._ended.get(device, []))

    def board(self, device: str) -> DeviceInfo | None:
        """The board on which the stored cells of a device were measured; None where there are none."""
        return self._boards.get(device)

    def sent(self, device: str, count: int) -> None:
        """Record that ``count`` bytes of artifacts had to be sent to a device."""
        with self._lock:
            self._sent_bytes[device] = self._sent_bytes.get(device, 0) + count

    def keep(self, job: CellJob, cell: Cell) -> None:
        """Store a cell. A failure never replaces an earlier measurement of this run."""
        with self._lock:
            replaces = cell.status != "FAILED" or cell.cell not in self._measured
            if cell.status != "FAILED":
                self._measured.add(cell.cell)
            self._saw(cell)
            self._partly.pop(cell.cell, None)
            if job not in (ended := self._ended.setdefault(job.device.name, [])):
                ended.append(job)
        if replaces:
            self._store(cell)

    def keep_partly(self, cell: Cell) -> None:
        """Store a cell that has more rounds to come."""
        with self._lock:
            self._measured.add(cell.cell)
            self._saw(cell)
            self._partly[cell.cell] = cell
        self._store(cell)

    def _saw(self, cell: Cell) -> None:
        """Note the board of a measured cell: a process that goes on with its device checks that it is the same."""
        if cell.latency_ns and cell.device.machine:
            self._boards.setdefault(cell.device.name, cell.device)

    def partly(self, job: CellJob) -> Cell | None:
        """The rounds that this process has measured of a cell that has not ended."""
        return self._partly.get(job.cell)

    def stored(self, job: CellJob) -> Cell | None:
        """The stored cell; None where it doesn't exist or can't be read."""
        try:
            return store.read_cell(self.folder / "cells" / f"{job.cell}.json")
        except StoreError:
            return None

    def rename_jobs(self, renamed: Sequence[tuple[CellJob, CellJob]], device: str, dropped: Sequence[Reason]) -> None:
        """Rename the cells in ``run.json`` after the runtimes that really run, once the board is known, and record the
        dropped ones.

        Args:
            renamed: the device's planned jobs and their present form; a missing job is left out.
            dropped: why jobs are left out.
        """
        names = {old.cell: new.cell for old, new in renamed}
        mine = {job.cell for job in self.schedule.plan.jobs[device]}
        ended = {job.cell for job in self._ended.get(device, [])}
        with self._lock:
            planned = [
                names.get(cell, cell)
                for cell in self.info.planned
                if cell not in mine or cell in names or cell in self._finished or cell in ended
            ]
            known = {reason.text for reason in self.info.skipped}
            skipped = [*self.info.skipped, *(reason for reason in dropped if reason.text not in known)]
            self.info = self.info.model_copy(update={"planned": tuple(planned), "skipped": tuple(skipped)})
            path = store.write_run(self.folder, self.info)
        self._storage.kept(path)
        for old, new in names.items():
            if old != new:
                self._storage.removed(self.folder / "cells" / f"{old}.json")

    def finished(self, job: CellJob) -> bool:
        """Whether the job's cell was VALID, and as precise as the run asks, before this process began."""
        return job.cell in self._finished

    def outcome(self) -> Outcome:
        """How the run ended, when its files have been brought to their place."""
        outcome = Outcome(
            self.info.run,
            self.folder,
            sent_bytes=dict(self._sent_bytes),
            skipped=self.info.skipped,
            waiting=self._storage.settled(),
        )
        outcome.precision = precision = self.schedule.options.precision
        for cell in self.cells():
            outcome.cells[cell.cell] = cell.status
            if cell.status != "VALID":
                outcome.bad.append(Bad.of(cell))
            elif precision is not None and (wide := Wide.of(cell, precision)):
                outcome.wide.append(wide)
        return outcome


def _new_info(schedule: Schedule) -> RunInfo:
    return RunInfo(
        run=datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2),
        started=now(),
        harness=__version__,
        devices=tuple(device.name for device in schedule.fleet.devices),
        planned=schedule.plan.cells,
        skipped=tuple(schedule.plan.skipped),
        options=plain_options(schedule.options),
        config={device.name: device.model_dump(mode="json") for device in schedule.fleet.devices},
    )
