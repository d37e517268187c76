"""The turns of a run's devices, taken in this process, and who takes them: this process alone, or others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from harness.config.devices import Device, Fleet
from harness.run.attempt import LATE_S, Underway, late_jobs
from harness.run.context import Context
from harness.run.device import DeviceTurn
from harness.run.ledger import Ledger
from harness.run.plan import CellJob, groups, rounds_of

#: Devices that are measured one step after the other, those of one step side by side.
Group = Sequence[Sequence[Device]]


@dataclass(frozen=True)
class Faked:
    """The inputs that a test fakes; such cells are INVALID by name.

    Attributes:
        inject_slowdown: the share by which the runner slows itself, to prove that a slowdown is found.
        state_root: a folder on the boards whose files replace those of /proc and /sys.
    """

    inject_slowdown: float = 0.0
    state_root: str = ""


NOT_FAKED = Faked()


@dataclass(frozen=True)
class Turns:
    """Takes turns of devices in this process. ``run`` is the run's name."""

    underway: Underway
    run: str
    faked: Faked = NOT_FAKED

    def group(self, group: Group) -> None:
        """Measure what the devices of a group have to do.

        Raises:
            StoreError, ClusterError: results can't be stored any more.
        """
        for step in group:
            if len(step) == 1:
                self._first_turn(step[0])
                continue
            with ThreadPoolExecutor(max_workers=len(step)) as pool:
                for future in [pool.submit(self._first_turn, device) for device in step]:
                    future.result()

    def _first_turn(self, device: Device) -> None:
        self.of(device, self.underway.ledger.to_do(device.name)).take()

    def of(self, device: Device, jobs: list[CellJob], late_until: float | None = None) -> DeviceTurn:
        """A turn of a device; for ``late_until`` see :class:`DeviceTurn`."""
        options = self.underway.ledger.schedule.options
        context = Context(
            run=self.run,
            device=device,
            probe=None,
            inject_slowdown=self.faked.inject_slowdown,
            state_root=self.faked.state_root,
            mlperf=options.mlperf,
            profile_ops=options.profile_ops,
            estimate=bool(options.estimate) or options.profile_ops,
            rounds=rounds_of(device, options),
            precision=options.precision,
            budget_s=options.budget_s,
        )
        return DeviceTurn(self.underway, device, jobs, context, late_until=late_until)


@dataclass(frozen=True)
class Late:
    """A device's last turn: what other programs disturbed is measured once more, until a ``time.monotonic()``."""

    device: Device
    jobs: list[CellJob]
    until: float


def late_turns(turns: Turns, ledger: Ledger) -> Iterator[Late]:
    """The last turns of this run, one after the other, which take :data:`LATE_S` seconds in all."""
    until = time.monotonic() + LATE_S
    for device in ledger.schedule.fleet.devices:
        if not device.local or turns.underway.halt.stopped:
            continue
        if jobs := late_jobs(ledger, device.name):
            text = f"measuring {len(jobs)} cells again that other programs disturbed"
            turns.underway.watcher.device(device.name, text)
            yield Late(device, jobs, until)


class Crew(Protocol):
    """Who measures the devices of a run."""

    def check(self, fleet: Fleet) -> None:
        """Check that each device can be measured by somebody, before anything is touched.

        Raises:
            UsageError: one can't.
        """

    def main(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        """Tasks that measure all devices; they are run at once, each in a thread of its own."""

    def late(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        """Tasks that take the last turns, once all devices have been measured."""


class Here:
    """This process measures all devices."""

    def check(self, fleet: Fleet) -> None:
        del fleet  # whatever it has is measured from here

    def main(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        return [partial(turns.group, group) for group in groups(ledger.schedule.fleet.devices)]

    def late(self, turns: Turns, ledger: Ledger) -> Sequence[Callable[[], None]]:
        def all_of_them() -> None:
            for late in late_turns(turns, ledger):
                turns.of(late.device, late.jobs, late.until).take()

        return [all_of_them]


HERE = Here()
