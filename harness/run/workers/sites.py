"""Where workers are, and which of them may take which devices.

A worker says where it is by a resource of Dask, ``dask worker ... --resources "site:lab1=1"``. Those that were started
on this machine for one run have no site of their own, so the sites of the device list are dealt out to them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harness.cluster import alike
from harness.config.devices import Device, Fleet
from harness.core.errors import UsageError
from harness.run.plan import groups
from harness.run.turns import Group

if TYPE_CHECKING:
    import distributed

_PREFIX = "site:"


@dataclass(frozen=True)
class Worker:
    """A worker: its address, the name that a person knows it by, and the sites whose boards it reaches.

    ``unlike``: in which version it differs from this process, so that it gets no boards; empty where it doesn't.
    """

    address: str
    name: str
    sites: frozenset[str] = frozenset()
    unlike: str = ""


class _DaskWorker(Protocol):
    """What is read of Dask's own worker object."""

    name: object
    state: _State


class _State(Protocol):
    total_resources: Mapping[str, float]


def present(client: distributed.Client) -> list[Worker]:
    """The workers that are there now, in order of their names.

    Raises:
        OSError, RuntimeError: the scheduler can't be reached.
    """
    answers, mine = client.run(_introduced, on_error="return"), alike.versions(alike.PROTOCOL)
    found = [
        Worker(address, str(answer["name"]), frozenset(answer["sites"]), alike.differing(mine, answer["versions"]))
        for address, answer in answers.items()
        if isinstance(answer, dict)  # else it is about to end
    ]
    return sorted(found, key=lambda worker: (len(worker.name), worker.name))


def _introduced(dask_worker: _DaskWorker) -> dict[str, object]:
    """A worker's name, sites and versions; runs there."""
    resources = dask_worker.state.total_resources
    return {
        "name": dask_worker.name,
        "sites": [name.removeprefix(_PREFIX) for name in resources if name.startswith(_PREFIX)],
        "versions": alike.versions(alike.PROTOCOL),
    }


def sites_of(devices: Sequence[Device]) -> list[str]:
    """The sites of a device list, in its order."""
    return list(dict.fromkeys(device.site for device in devices if device.site is not None))


def dealt(workers: Sequence[Worker], sites: Sequence[str]) -> list[Worker]:
    """Workers of one machine with the sites dealt out to them, in order and round again."""
    mine: dict[str, set[str]] = {worker.address: set() for worker in workers}
    for number in range(max(len(sites), len(workers)) if sites else 0):
        mine[workers[number % len(workers)].address].add(sites[number % len(sites)])
    return [replace(worker, sites=frozenset(mine[worker.address])) for worker in workers]


def fitting(workers: Sequence[Worker], site: str | None) -> list[Worker]:
    """The workers that reach a site, all for a device without one; never one with other versions than this process."""
    return [worker for worker in workers if not worker.unlike and (site is None or site in worker.sites)]


def least_busy(workers: Sequence[Worker], busy: Mapping[str, int]) -> Worker:
    """The worker with the fewest devices, which ``busy`` counts by address."""
    return min(workers, key=lambda worker: busy.get(worker.address, 0))


def check_sites(fleet: Fleet, workers: Sequence[Worker]) -> None:
    """Check that workers of a cluster elsewhere reach all devices.

    Raises:
        UsageError: no worker is at a device's site; or a local device does not say where it is.
    """
    for device in fleet.devices:
        if device.local and device.site is None:
            raise UsageError(
                f"{fleet.file}: '{device.name}' is local, and with --on that may be any worker's machine",
                fix=f"give it a site, or leave it out: --only {_others(fleet, device.name)}",
            )
        if not fitting(workers, device.site):
            there = ", ".join(sorted({site for worker in workers for site in worker.sites})) or "none"
            raise UsageError(
                f"{fleet.file}: '{device.name}' is at site '{device.site}', and no worker is (sites there: {there})",
                fix=f"dask worker SCHEDULER --resources '{_PREFIX}{device.site}=1'",
            )


def _others(fleet: Fleet, name: str) -> str:
    return ",".join(device.name for device in fleet.devices if device.name != name) or "OTHERS"


def grouped(devices: Sequence[Device], *, one_machine: bool) -> list[Group]:
    """Groups of devices, each for one worker at a time, see :func:`harness.run.plan.groups`.

    Args:
        one_machine: whether all workers share this machine. Else each site has machines and a network of its own, where
            an address may be another board than elsewhere; and emulated boards without a site need no common machine.
    """
    if one_machine:
        return list(groups(devices))
    found: list[Group] = []
    for site in dict.fromkeys(device.site for device in devices):
        for group in groups([device for device in devices if device.site == site]):
            apart = site is None and all(device.emulate for step in group for device in step)
            found += [[[device]] for step in group for device in step] if apart else [group]
    return found


def site_of(group: Group) -> str | None:
    """The site at which a group is measured: that of its first device which has one."""
    return next((device.site for step in group for device in step if device.site is not None), None)


def names_of(group: Group) -> list[str]:
    """The names of a group's devices."""
    return [device.name for step in group for device in step]


def shown(names: Collection[str], most: int = 5) -> str:
    """Names for one line of text."""
    first = list(names)[:most]
    return ", ".join(first) + (f" and {len(names) - most} more" if len(names) > most else "")
