"""Groups of devices are dealt out to workers, and dealt out anew where a worker dies."""

from __future__ import annotations

import contextlib
import queue
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.safetext import plain
from harness.records.cell import Reason
from harness.run.turns import Turns
from harness.run.workers import sites
from harness.run.workers.desk import Desk
from harness.run.workers.mail import GONE, reaching
from harness.run.workers.parcel import Order
from harness.run.workers.shift import take
from harness.run.workers.sites import Worker

if TYPE_CHECKING:
    import distributed

#: How often workers are looked for, in seconds.
_LOOK_S = 0.5
#: How many workers in a row may die with a group, or give it up, without one more cell of it.
LIVES = 3
#: How long a group waits for a worker of its site, in seconds: a nanny starts a new one in a few.
ABSENT_S = 60.0
#: How long workers may take to let their boards go when the run is ended early, in seconds.
RELEASE_S = 60.0


@dataclass(frozen=True)
class _Given:
    """An order that a worker has, by its address."""

    order: Order
    worker: str


@dataclass
class Dealing:
    """Deals out the orders of a run until all of them are done.

    Attributes:
        present: the workers that are there now, with their sites.
        shared: the future of what all orders share.
    """

    client: distributed.Client
    desk: Desk
    turns: Turns
    present: Callable[[], Sequence[Worker]]
    shared: distributed.Future
    _given: dict[distributed.Future, _Given] = field(default_factory=dict)
    #: orders without a worker, each with the time at which it is given up
    _waiting: list[tuple[Order, float]] = field(default_factory=list)
    _done: queue.SimpleQueue[distributed.Future] = field(default_factory=queue.SimpleQueue)
    _workers: list[Worker] = field(default_factory=list)
    _looked: float = 0.0
    #: workers in a row that ended with a group, and how much was kept of it by then
    _lost: Counter[int] = field(default_factory=Counter)
    _kept: dict[int, int] = field(default_factory=dict)

    def all_of(self, orders: Sequence[Order]) -> None:
        """Have all orders done. Where the run ends early, boards are let go, and the rest stays as it is.

        Raises:
            ClusterError: the scheduler can't be reached any more.
        """
        try:
            self._know()
            for order in orders:
                self._deal(order)
            while self._given or self._waiting:
                self._take_done()
                if self.turns.underway.halt.stopped or self.desk.error is not None:
                    break
                self._look()
        finally:
            self._end({order.halting for order in orders})

    def _know(self) -> None:
        """Get to know the workers that are there now."""
        before = {worker.address for worker in self._workers}
        with reaching():
            self._workers = list(self.present())
        for worker in self._workers:
            if worker.unlike and worker.address not in before:
                self._say(f"{worker.name} gets no boards: it has {worker.unlike}")

    def _deal(self, order: Order) -> None:
        """Give an order to a worker of its site, or let it wait for one."""
        site = sites.site_of(order.group)
        able = sites.fitting(self._workers, site)
        if not able:
            self._say(f"waiting for a worker{f' at site {site}' if site else ''}", order)
            self._waiting.append((order, time.monotonic() + ABSENT_S))
            return
        busy: Counter[str] = Counter()
        for given in self._given.values():
            busy[given.worker] += len(given.order.jobs)
        worker = sites.least_busy(able, busy)
        self.desk.expect(order)
        key = f"{'+'.join(sites.names_of(order.group)[:3])}-{secrets.token_hex(4)}"
        with reaching():
            future = self.client.submit(
                take, self.shared, order, key=key, workers=[worker.address], pure=False, retries=0
            )  # fmt: skip
            self._given[future] = _Given(order, worker.address)
            future.add_done_callback(self._done.put)

    def _take_done(self) -> None:
        """Wait a moment for orders that are done, and act on those that failed."""
        with contextlib.suppress(queue.Empty):
            future = self._done.get(timeout=_LOOK_S)
            while True:
                given = self._given.pop(future, None)
                if given is not None and future.status != "finished":
                    self._again(given.order, _why(future))
                future = self._done.get_nowait()

    def _look(self) -> None:
        """Look for workers that are gone or new."""
        if time.monotonic() < self._looked + _LOOK_S:
            return
        self._looked = time.monotonic()
        with reaching():
            there = set(self.client.nthreads())
        if there != {worker.address for worker in self._workers}:
            self._know()
        lost = {future: given for future, given in self._given.items() if given.worker not in there}
        for address in sorted({given.worker for given in lost.values()}):
            names = [name for given in lost.values() if given.worker == address for name in given.order.jobs]
            self._say(f"{address} is gone; others go on with {sites.shown(names)}")
        for future, given in lost.items():
            del self._given[future]
            with reaching():
                self.client.cancel([future], force=True)
            self._again(given.order, "its worker died")
        waiting, self._waiting = self._waiting, []
        for order, until in waiting:
            self._wait_on(order, until)

    def _wait_on(self, order: Order, until: float) -> None:
        site = sites.site_of(order.group)
        if sites.fitting(self._workers, site):
            self._deal(order)
        elif time.monotonic() > until:
            self._fail(order, f"no worker is at site '{site}' any more")
        else:
            self._waiting.append((order, until))

    def _again(self, order: Order, why: str) -> None:
        """Give an order to another worker, unless too many have ended with it."""
        if self.turns.underway.halt.stopped:
            return
        number, kept = order.number, self.desk.kept(order.number)
        self._lost[number] = 1 if kept > self._kept.get(number, 0) else self._lost[number] + 1
        self._kept[number] = kept
        self.desk.refuse(number)
        if order.late_s is not None or self._lost[number] >= LIVES:
            self._fail(order, why)
        else:
            self._deal(replace(order, attempt=order.attempt + 1))

    def _fail(self, order: Order, why: str) -> None:
        """Let the cells that are left fail by name; what a last turn would have measured again stays as it is."""
        self.desk.refuse(order.number)
        self._say(f"given up: {why}", order)
        if order.late_s is not None:
            return
        reason = Reason(code="worker", text=plain(f"no worker could measure it: {why}")[:4000])
        for device in order.devices:
            self.turns.of(device, self.desk.left(device.name)).fail(reason)

    def _end(self, halting: Collection[str]) -> None:
        """Let the workers that are still at work let their boards go; never raises because the scheduler is gone."""
        from distributed import Event

        with contextlib.suppress(*GONE):
            for name in halting:  # also where all is done: it ends the threads that wait for it
                Event(name, client=self.client).set()
            until = time.monotonic() + RELEASE_S
            while self._given and time.monotonic() < until:
                with contextlib.suppress(queue.Empty):
                    self._given.pop(self._done.get(timeout=_LOOK_S), None)
                there = set(self.client.nthreads())
                self._given = {future: given for future, given in self._given.items() if given.worker in there}
            if self._given:
                self.client.cancel(list(self._given), force=True)

    def _say(self, text: str, order: Order | None = None) -> None:
        about = f"{sites.shown(sites.names_of(order.group))}: " if order else ""
        self.turns.underway.watcher.device("workers", f"{about}{text}")


def _why(future: distributed.Future) -> str:
    """Why an order was not carried out, in one line."""
    error = future.exception() if future.status == "error" else None
    if isinstance(error, HarnessError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:1000]}" if error else "its worker died"
