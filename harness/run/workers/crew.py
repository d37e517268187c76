"""The workers of a Dask cluster as the crew of a run."""

from __future__ import annotations

import contextlib
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness.cluster.connect import Say, connected, local_workers
from harness.config.devices import Device, Fleet
from harness.run.ledger import Ledger
from harness.run.plan import CellJob
from harness.run.turns import Group, Turns, late_turns
from harness.run.workers import sites
from harness.run.workers.dealing import Dealing
from harness.run.workers.desk import Desk
from harness.run.workers.mail import reaching
from harness.run.workers.parcel import Order, Parcels, Shared
from harness.run.workers.shift import shared_by_all
from harness.run.workers.sites import Worker

if TYPE_CHECKING:
    import distributed


@dataclass(frozen=True)
class Task:
    """What is dealt out: a group of devices with their jobs, by the device's name; ``late_s`` as in the order."""

    group: Group
    jobs: Mapping[str, list[CellJob]]
    late_s: float | None = None


@dataclass(frozen=True)
class Workers:
    """Has workers measure the devices, see :class:`harness.run.turns.Crew`.

    Attributes:
        one_machine: whether the workers were started on this machine for this run.
    """

    client: distributed.Client
    one_machine: bool

    def check(self, fleet: Fleet) -> None:
        if not self.one_machine:
            with reaching():
                sites.check_sites(fleet, sites.present(self.client))

    def main(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        tasks = [
            Task(group, {device.name: ledger.to_do(device.name) for step in group for device in step})
            for group in sites.grouped(ledger.schedule.fleet.devices, one_machine=self.one_machine)
        ]
        return [partial(self._have_done, turns, ledger, [task for task in tasks if any(task.jobs.values())])]

    def late(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        def all_of_them() -> None:
            for late in late_turns(turns, ledger):
                task = Task([[late.device]], {late.device.name: late.jobs}, late.until - time.monotonic())
                self._have_done(turns, ledger, [task])

        return [all_of_them]

    def _have_done(self, turns: Turns, ledger: Ledger, tasks: Sequence[Task]) -> None:
        """Have workers do all tasks, while the desk serves them in a thread of its own.

        Raises:
            StoreError: results can't be stored any more.
            ClusterError: the scheduler can't be reached any more.
        """
        if not tasks:
            return
        parcels, inbox = Parcels(turns, ledger), f"harness-{turns.run}-{secrets.token_hex(4)}"
        orders = [
            Order(
                number=number,
                attempt=0,
                group=task.group,
                jobs={name: parcels.listed(jobs) for name, jobs in task.jobs.items()},
                inbox=inbox,
                halting=f"{inbox}-halting",
                late_s=task.late_s,
            )
            for number, task in enumerate(tasks)
        ]
        shared = parcels.shared()
        desk = Desk(turns, ledger, self.client, inbox=inbox, files=shared.files())
        with ThreadPoolExecutor(max_workers=1) as pool:
            serving = pool.submit(desk.serve)
            try:
                present = partial(self._present, ledger.schedule.fleet.devices)
                shared_there = self._sent(shared)
                Dealing(self.client, desk, turns, present=present, shared=shared_there).all_of(orders)
            finally:
                desk.end()
            serving.result()

    def _sent(self, shared: Shared) -> distributed.Future:
        """What all orders share, as a future that a worker fetches once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it is large, for which it is sent only once
            return self.client.submit(shared_by_all, shared, key=f"shared-{shared.key}", pure=False)

    def _present(self, devices: Sequence[Device]) -> list[Worker]:
        """The workers that are there, each with the sites that it reaches."""
        found = sites.present(self.client)
        return sites.dealt(found, sites.sites_of(devices)) if self.one_machine and found else found


@contextlib.contextmanager
def on_cluster(on: str, say: Say) -> Iterator[Workers]:
    """Provide the workers that ``--on`` names.

    Raises:
        UsageError, MissingExtraError, ClusterError: see :func:`harness.cluster.connect.connected`.
    """
    with connected(on, say) as client:
        yield Workers(client, one_machine=local_workers(on) is not None)
