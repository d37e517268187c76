"""What a worker process does: the turns of one group of devices, by the very code that measures without a cluster."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.config.devices import Fleet
from harness.run.attempt import Underway
from harness.run.conversion import Conversions
from harness.run.halt import Halt
from harness.run.plan import CellJob, Plan
from harness.run.schedule import Schedule
from harness.run.turns import Turns
from harness.run.workers.files import at_hand
from harness.run.workers.mail import GONE, Line
from harness.run.workers.parcel import Order, Shared
from harness.run.workers.records import Begun, WorkerRecords, WorkerWatcher

if TYPE_CHECKING:
    import distributed

#: How long one wait for the end of a run lasts, in seconds; then the scheduler is asked anew.
_WAIT_S = 10.0
#: The halts of the groups that this process measures, by the name of their run's halting event.
_HALTS: dict[str, list[Halt]] = {}
_LOCK = threading.Lock()


def shared_by_all(shared: Shared) -> Shared:
    """A task whose result is its argument. A worker that dies with it costs nothing: the scheduler makes it again."""
    return shared


def take(shared: Shared, order: Order) -> None:
    """Measure a group of devices; run by Dask, in a worker.

    Raises:
        ClusterError: the controller can't be reached, or has given the group to another worker.
    """
    from distributed import get_client, secede

    client = get_client()
    secede()  # so that the next group begins: measuring is waiting for boards, and one thread each does that
    with (
        contextlib.closing(Line(client, order.inbox, number=order.number, attempt=order.attempt)) as line,
        _halting(client, order.halting) as halt,
    ):
        halt.interrupted = lambda: line.over
        begun = {device.name: Begun.of(line.ask("begin", device=device.name)) for device in order.devices}
        turns, jobs = _turns(at_hand(shared, line), order, begun, line=line, halt=halt)
        if order.late_s is None:
            turns.group(order.group)
            return
        until = time.monotonic() + order.late_s
        for device in order.devices:
            turns.of(device, turns.underway.conversions.where_possible(jobs[device.name]), until).take()


def _turns(
    shared: Shared, order: Order, begun: dict[str, Begun], *, line: Line, halt: Halt
) -> tuple[Turns, dict[str, list[CellJob]]]:
    """The turns of the group's devices, and the jobs of each device."""
    jobs = {device.name: [listed.job(device, shared) for listed in order.jobs[device.name]] for device in order.devices}
    fleet = Fleet(file=shared.list_file, devices=tuple(order.devices))
    schedule = Schedule(fleet, shared.options, Plan(jobs=jobs), tests=shared.tests)
    underway = Underway(
        WorkerRecords(schedule, line, begun),
        halt,
        WorkerWatcher(line),
        goldens=shared.goldens,
        conversions=Conversions(lambda: halt.ending, made=shared.made),
        tokens={name: each.token for name, each in begun.items()},
    )
    return Turns(underway, shared.run, shared.faked), jobs


@contextlib.contextmanager
def _halting(client: distributed.Client, event: str) -> Iterator[Halt]:
    """Provide a halt that stops when the run's event is set, or when the scheduler is gone.

    One thread of this process waits for all groups of a run.
    """
    halt = Halt()
    with _LOCK:
        if event not in _HALTS:
            _HALTS[event] = []
            threading.Thread(target=_watch, args=(client, event), name=event, daemon=True).start()
        _HALTS[event].append(halt)
    try:
        yield halt
    finally:
        with _LOCK:
            _HALTS[event].remove(halt)


def _watch(client: distributed.Client, event: str) -> None:
    """Wait for an event, and stop the halts that belong to it; end when there are none left."""
    while True:
        ending = _is_set(client, event)
        with _LOCK:
            halts = list(_HALTS[event])
            if not halts:
                del _HALTS[event]
                return
        if ending:
            for halt in halts:
                halt.stop()
            time.sleep(1)  # they are about to leave


def _is_set(client: distributed.Client, event: str) -> bool:
    """Whether an event is set within :data:`_WAIT_S` seconds; also if nobody can tell."""
    from distributed import Event

    try:
        return bool(Event(event, client=client).wait(timeout=_WAIT_S))
    except GONE:
        return True
