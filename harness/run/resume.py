"""Resuming a run: finding it, and checking that the fleet is still the one it was begun with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.devices import Device, Fleet
from harness.core.errors import BoardError, UsageError
from harness.records.cell import DeviceInfo, RunInfo, Status
from harness.remote.probe import Probe
from harness.results import store
from harness.results.storage import Storage
from harness.run.options import stored_options
from harness.run.outcome import Wide
from harness.run.plan import CellJob, Plan, for_runtime
from harness.runtimes.registry import stand_ins

#: Keys of a device that decide only how it is reached. They may change while a run waits to be finished, since a board
#: may get another address. When the board answers, it is checked to be the same board.
REACHING = ("host", "port", "user", "identity_file", "known_hosts", "proxy_jump", "dir", "site", "tags")


@dataclass(frozen=True)
class EarlierCell:
    """What resuming needs of a stored cell.

    Attributes:
        run: the run named in it.
        sha256: of the artifact that ran.
        wide: whether it is not as precise as the run asks.
    """

    cell: str
    status: Status
    run: str
    sha256: str
    wide: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing more of it is to be measured."""
        return self.status == "VALID" and not self.wide


@dataclass(frozen=True)
class EarlierRun:
    """A run that is resumed.

    Attributes:
        boards: the boards that were measured, by the device's name.
    """

    folder: Path
    info: RunInfo
    cells: tuple[EarlierCell, ...]
    boards: Mapping[str, DeviceInfo]

    @property
    def finished(self) -> frozenset[str]:
        """Names of the cells that are finished."""
        return frozenset(cell.cell for cell in self.cells if cell.finished)

    @property
    def unfinished_devices(self) -> list[str]:
        """Devices that still have cells to be measured."""
        finished = self.finished
        open_cells = [cell for cell in self.info.planned if cell not in finished]
        return [name for name in self.info.devices if any(cell.startswith(f"{name}+") for cell in open_cells)]


def reopen(storage: Storage, name: str) -> EarlierRun:
    """A run's folder, with links followed, and its contents. A copied or renamed folder is a separate run with the
    folder's name.

    Raises:
        StoreError: there is no such run, or its ``run.json`` was changed by hand.
    """
    folder = storage.find_run(name).resolve()
    info = store.read_run(folder)
    if info.run != folder.name and store.can_name(folder.name):
        info = info.model_copy(update={"run": folder.name})
    precision = stored_options(info).precision
    cells: list[EarlierCell] = []
    boards: dict[str, DeviceInfo] = {}
    for cell in store.readable_cells(folder):
        wide = cell.status == "VALID" and precision is not None and Wide.of(cell, precision) is not None
        cells.append(EarlierCell(cell.cell, cell.status, cell.run, cell.model.sha256, wide=wide))
        if cell.latency_ns and cell.device.machine:
            boards[cell.device.name] = cell.device
    return EarlierRun(folder, info, tuple(cells), boards)


def address(results: Path, folder: Path) -> str:
    """The argument of ``--resume`` for the run in ``folder``: its name under ``results``, else the path."""
    try:
        known = (results / folder.name).resolve() == folder.resolve() and store.can_name(folder.name)
    except OSError:
        known = False
    return folder.name if known else str(folder.resolve())


def fleet_then(info: RunInfo, fleet: Fleet, unfinished: Iterable[str]) -> tuple[Fleet, list[str]]:
    """The devices of a run as they are listed now, and notes for a person about the changes.

    Args:
        unfinished: devices that have cells to be measured.

    Raises:
        UsageError: a device that has cells to be measured is gone, or would be measured differently.
    """
    now = {device.name: device for device in fleet.devices}
    to_measure, notes, devices = set(unfinished), [], []
    for name in info.devices:
        device = now.get(name)
        if device is None:
            if name in to_measure:
                raise UsageError(
                    f"{fleet.file}: run {info.run} measures '{name}', which is not listed any more",
                    fix=f"list '{name}' again, or start a new run without --resume",
                )
            notes.append(f"'{name}' is not listed in {fleet.file} any more; its cells of this run are all measured")
            continue
        then = info.config.get(name)
        changed = _changed(device, then) if isinstance(then, dict) else {}
        if measuring := [key for key in changed if key not in REACHING]:
            differences = _differences(changed, measuring)
            if name in to_measure:
                raise UsageError(
                    f"{fleet.file}: '{name}' is not as run {info.run} began to measure it: {differences}",
                    fix="change it back, or start a new run without --resume",
                )
            notes.append(f"'{name}' has changed, which this run takes no notice of: {differences}")
        elif reaching := [key for key in changed if key not in ("tags", "site")]:
            notes.append(f"'{name}' is reached otherwise than when this run began: {_differences(changed, reaching)}")
        devices.append(device)
    if new := [name for name in now if name not in info.devices]:
        notes.append(f"not in this run and left alone: {', '.join(new)}")
    return fleet.model_copy(update={"devices": tuple(devices)}), notes


def _differences(changed: Mapping[str, tuple[object, object]], keys: Iterable[str]) -> str:
    return "; ".join(f"{key} was {_shown(changed[key][0])}, is {_shown(changed[key][1])}" for key in keys)


def _changed(device: Device, then: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """{key: (value then, value now)} of the keys that differ; a key that either side doesn't have is left out."""
    one, other = _flat(then), _flat(device.model_dump(mode="json"))
    return {key: (one[key], other[key]) for key in other if key in one and one[key] != other[key]}


def _flat(keys: Mapping[str, object]) -> dict[str, object]:
    """The keys, including those of nested tables, which are named like ``thresholds.drift``."""
    flat: dict[str, object] = {}
    for key, value in keys.items():
        flat |= {f"{key}.{inner}": part for inner, part in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def planned_alone(plan: Plan, info: RunInfo) -> None:
    """Keep only the cells that the run was begun with, so that no new ones are added. Changes ``plan``."""
    planned = set(info.planned)
    for name, jobs in plan.jobs.items():
        plan.jobs[name] = [job for job in jobs if not planned.isdisjoint(names_of(job))]
    plan.skipped = []


def missing(plan: Plan, planned: Iterable[str], finished: Iterable[str]) -> list[str]:
    """Cells that are neither finished nor to be measured by this plan."""
    possible = {name for jobs in plan.jobs.values() for job in jobs for name in names_of(job)}
    return [cell for cell in planned if cell not in possible and cell not in set(finished)]


def names_of(job: CellJob) -> tuple[str, ...]:
    """The names that a cell of this job may have, since another runtime may replace the job's on a board."""
    return (job.cell, *(for_runtime(job, name).cell for name in stand_ins(job.runtime)))


def by_any_name(jobs: Iterable[CellJob]) -> dict[str, tuple[CellJob, CellJob]]:
    """Planned jobs by each name that their cells may get, each with the job under that name."""
    planned = list(jobs)
    others = {
        other.cell: (job, other)
        for job in planned
        for other in (for_runtime(job, name) for name in stand_ins(job.runtime))
    }
    return others | {job.cell: (job, job) for job in planned}


def same_board(measured: DeviceInfo, probe: Probe, name: str) -> str | None:
    """Make sure that a device is still the board of the run's earlier cells. Returns a note for a person where the same
    board has another system; else None.

    Raises:
        BoardError: it is another board.
    """
    board = {
        "machine": (measured.machine, probe.platform.machine),
        "CPU": (measured.cpu, probe.cpu.model or measured.cpu),
        "CPU part": (measured.cpu_part, probe.cpu.part),
        "cores": (measured.cores, probe.cpu.cores),
    }
    if differences := _differing(board):
        raise BoardError(
            f"{name}: not the board that this run has measured so far: {differences}", fix="start a new run"
        )
    system = _differing({
        "system": (measured.os, probe.os), "kernel": (measured.kernel, probe.kernel),
        "Python": (measured.python, probe.python),
    })  # fmt: skip
    return f"since this run's first cells there is another system on it: {system}" if system else None


def _differing(facts: Mapping[str, tuple[object, object]]) -> str:
    return "; ".join(f"{what} {then}, now {now}" for what, (then, now) in facts.items() if then and then != now)
