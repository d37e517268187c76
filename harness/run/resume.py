"""Going on with a run: which one it is, and whether the fleet is still the one it was begun with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.config.devices import Device, Fleet
from harness.core.errors import BoardError, UsageError
from harness.records.cell import DeviceInfo, RunInfo
from harness.remote.probe import Probe
from harness.results import store
from harness.run.plan import Job, Plan, for_runtime
from harness.runtimes.registry import stand_ins

#: Keys of a device that decide only how it is reached. They may change while a run waits to be finished: a board gets
#: another address. Whether it is the same board is looked at when it answers.
REACHING = ("host", "port", "user", "identity_file", "known_hosts", "proxy_jump", "dir", "site", "tags")


def reopen(results: Path, name: str) -> tuple[Path, RunInfo]:
    """A run's folder, links followed, and its ``run.json``. A copied or renamed folder is a run of its own and is
    called as its folder is.

    Raises:
        StoreError: there is no such run.
    """
    folder = store.find_run(results, name).resolve()
    info = store.read_run(folder)
    if info.run != folder.name and store.can_name(folder.name):
        info = info.model_copy(update={"run": folder.name})
    return folder, info


def address(results: Path, folder: Path) -> str:
    """What to write behind ``--resume`` for the run in ``folder``: its name under ``results``, else the path."""
    try:
        known = (results / folder.name).resolve() == folder.resolve() and store.can_name(folder.name)
    except OSError:
        known = False
    return folder.name if known else str(folder.resolve())


def fleet_then(info: RunInfo, fleet: Fleet, unfinished: Iterable[str]) -> tuple[Fleet, list[str]]:
    """The devices of a run as they are listed now, and what a person should know about what has changed.

    Args:
        unfinished: devices that have cells to be measured.

    Raises:
        UsageError: a device that has cells to be measured is gone, or would be measured otherwise than before.
    """
    now = {device.name: device for device in fleet.devices}
    wanted, notes, devices = set(unfinished), [], []
    for name in info.devices:
        device = now.get(name)
        if device is None:
            if name in wanted:
                raise UsageError(
                    f"{fleet.file}: run {info.run} measures '{name}', which is not listed any more",
                    fix=f"list '{name}' again, or start a new run without --resume",
                )
            notes.append(f"'{name}' is not listed in {fleet.file} any more; its cells of this run are all measured")
            continue
        then = info.config.get(name)
        changed = _changed(device, then) if isinstance(then, dict) else {}
        if measuring := [key for key in changed if key not in REACHING]:
            said = "; ".join(f"{key} was {_shown(changed[key][0])}, is {_shown(changed[key][1])}" for key in measuring)
            if name in wanted:
                raise UsageError(
                    f"{fleet.file}: '{name}' is not as run {info.run} began to measure it: {said}",
                    fix="change it back, or start a new run without --resume",
                )
            notes.append(f"'{name}' has changed, which this run takes no notice of: {said}")
        elif reaching := [key for key in changed if key not in ("tags", "site")]:
            said = "; ".join(f"{key} was {_shown(changed[key][0])}, is {_shown(changed[key][1])}" for key in reaching)
            notes.append(f"'{name}' is reached otherwise than when this run began: {said}")
        devices.append(device)
    if new := [name for name in now if name not in info.devices]:
        notes.append(f"not in this run and left alone: {', '.join(new)}")
    return fleet.model_copy(update={"devices": tuple(devices)}), notes


def _changed(device: Device, then: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """{key: (value then, value now)}; keys that either side doesn't know are taken as they were not there."""
    one, other = _flat(then), _flat(device.model_dump(mode="json"))
    return {key: (one[key], other[key]) for key in other if key in one and one[key] != other[key]}


def _flat(keys: Mapping[str, Any]) -> dict[str, Any]:
    """``thresholds.drift`` for what stands under ``thresholds``."""
    found = {}
    for key, value in keys.items():
        found.update(
            {f"{key}.{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {key: value}
        )
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def planned_alone(plan: Plan, info: RunInfo) -> None:
    """Keep the cells that the run was begun with: no new ones slip in. Changes ``plan``."""
    wanted = set(info.planned)
    for name, jobs in plan.jobs.items():
        plan.jobs[name] = [job for job in jobs if not wanted.isdisjoint(names_of(job))]
    plan.skipped = []


def missing(plan: Plan, planned: Iterable[str], finished: Iterable[str]) -> list[str]:
    """Cells that are neither finished nor to be measured by this plan."""
    possible = {name for jobs in plan.jobs.values() for job in jobs for name in names_of(job)}
    return [cell for cell in planned if cell not in possible and cell not in set(finished)]


def names_of(job: Job) -> tuple[str, ...]:
    """The names that a cell of this job may have: another runtime may stand in on a board."""
    return (job.cell, *(for_runtime(job, name).cell for name in stand_ins(job.runtime)))


def same_board(measured: DeviceInfo, probe: Probe, name: str) -> str | None:
    """A run is of one board: is this the one that the cells so far are of? Returns what to tell a person, if anything:
    another system on the same board.

    Raises:
        BoardError: it is another board.
    """
    board = {
        "machine": (measured.machine, probe.machine),
        "CPU": (measured.cpu, probe.cpu.model or measured.cpu),
        "CPU part": (measured.cpu_part, probe.cpu.part),
        "cores": (measured.cores, probe.cpu.cores),
    }
    if said := _differing(board):
        raise BoardError(f"{name}: not the board that this run has measured so far: {said}", fix="start a new run")
    system = _differing({
        "system": (measured.os, probe.os), "kernel": (measured.kernel, probe.kernel),
        "Python": (measured.python, probe.python),
    })  # fmt: skip
    return f"since this run's first cells there is another system on it: {system}" if system else None


def _differing(facts: Mapping[str, tuple[Any, Any]]) -> str:
    return "; ".join(f"{what} {then}, now {now}" for what, (then, now) in facts.items() if then and then != now)
