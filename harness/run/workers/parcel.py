"""What a worker is sent: once what all devices of a run share, and for each group of devices an order.

Workers are trusted like the controller, so these are Python objects that Dask pickles. Files travel by their hash, and
only where the worker doesn't have them at the same path, see :mod:`harness.run.workers.files`.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config.devices import Device
from harness.core.errors import HarnessError
from harness.run.conversion import ConversionKey, conversion_key
from harness.run.golden.all import Goldens
from harness.run.inventory import Shipped
from harness.run.ledger import Ledger
from harness.run.options import Options
from harness.run.plan import CellJob, InputsKey
from harness.run.testset import TestSet
from harness.run.turns import Faked, Group, Turns


@dataclass(frozen=True)
class Shared:
    """What all devices of a run share.

    Attributes:
        key: what no other run, and no later part of this one, has.
        run: its name.
        list_file: the path of devices.yaml, whose lock file lies beside it.
        shipped: the artifacts of all jobs.
        tests: their inputs.
        made: what the controller has converted.
    """

    key: str
    run: str
    list_file: str
    options: Options
    faked: Faked
    shipped: tuple[Shipped, ...]
    tests: Mapping[InputsKey, TestSet]
    goldens: Goldens
    made: Mapping[ConversionKey, Shipped]

    def files(self) -> dict[str, Path]:
        """The files that a worker needs, by their SHA-256."""
        found = {each.artifact.sha256: each.path for each in (*self.shipped, *self.made.values())}
        return found | {test.file_sha256: test.file for test in self.tests.values()}

    def moved(self, place: Callable[[str, Path], Path]) -> Shared:
        """The same with files elsewhere; ``place`` takes a hash and a path, and returns the path there."""

        def there(shipped: Shipped) -> Shipped:
            return replace(shipped, path=place(shipped.artifact.sha256, shipped.path))

        return replace(
            self,
            shipped=tuple(map(there, self.shipped)),
            tests={key: replace(test, file=place(test.file_sha256, test.file)) for key, test in self.tests.items()},
            made={key: there(shipped) for key, shipped in self.made.items()},
        )


@dataclass(frozen=True)
class Listed:
    """A job whose artifact is named by its place in :attr:`Shared.shipped`, so that it is sent only once."""

    artifact: int
    cell: str
    runtime: str
    delegate: str
    threads: int
    samples: int | None
    unseen: bool
    release: str | None

    def job(self, device: Device, shared: Shared) -> CellJob:
        """The job itself."""
        return CellJob(
            cell=self.cell,
            device=device,
            shipped=shared.shipped[self.artifact],
            runtime=self.runtime,
            delegate=self.delegate,
            threads=self.threads,
            samples=self.samples,
            unseen=self.unseen,
            release=self.release,
        )


@dataclass(frozen=True)
class Order:
    """What one worker does: the turns of a group of devices.

    Attributes:
        number: of the group.
        attempt: how often the group was given to a worker before.
        jobs: of each device, by its name; which of them are left, the controller says when the worker begins.
        inbox: the queue in which the controller gets messages.
        halting: the event that ends the run early.
        late_s: the length of a last turn, in seconds; None for the main turns.
    """

    number: int
    attempt: int
    group: Group
    jobs: Mapping[str, tuple[Listed, ...]]
    inbox: str
    halting: str
    late_s: float | None = None

    @property
    def devices(self) -> list[Device]:
        """All devices of the group."""
        return [device for step in self.group for device in step]


@dataclass
class Parcels:
    """Makes what is sent of a run."""

    turns: Turns
    ledger: Ledger
    _places: dict[int, int] = field(default_factory=dict)
    _shipped: list[Shipped] = field(default_factory=list)

    def shared(self) -> Shared:
        """What all devices share, once their golden outputs and conversions have been made."""
        schedule, underway = self.ledger.schedule, self.turns.underway
        jobs = [job for each in schedule.plan.jobs.values() for job in each]
        for job in jobs:
            self._place(job)
        return Shared(
            key=secrets.token_hex(8),
            run=self.turns.run,
            list_file=schedule.fleet.file,
            options=schedule.options,
            faked=self.turns.faked,
            shipped=tuple(map(_without_maker, self._shipped)),
            tests=schedule.tests,
            goldens=underway.goldens,
            made=self._made(jobs),
        )

    def listed(self, jobs: Iterable[CellJob]) -> tuple[Listed, ...]:
        """Jobs of the run's plan, as they are sent."""
        return tuple(
            Listed(
                artifact=self._place(job),
                cell=job.cell,
                runtime=job.runtime,
                delegate=job.delegate,
                threads=job.threads,
                samples=job.samples,
                unseen=job.unseen,
                release=job.release,
            )
            for job in jobs
        )

    def _place(self, job: CellJob) -> int:
        """The place of a job's artifact; jobs of one artifact share the object."""
        key = id(job.shipped)
        if key not in self._places:
            self._places[key] = len(self._shipped)
            self._shipped.append(job.shipped)
        return self._places[key]

    def _made(self, jobs: Iterable[CellJob]) -> dict[ConversionKey, Shipped]:
        """What was converted for these jobs; what can't be, the worker finds out and tells."""
        made = {}
        for key, job in {conversion_key(job): job for job in jobs}.items():
            with contextlib.suppress(HarnessError):
                shipped = self.turns.underway.conversions.of(job, lambda _: None).shipped
                if shipped is not job.shipped:
                    made[key] = _without_maker(shipped)
        return made


def _without_maker(shipped: Shipped) -> Shipped:
    """An artifact whose inputs have been made already; the function that makes them holds all of their data."""
    own = shipped.own_inputs
    return shipped if own is None else replace(shipped, own_inputs=replace(own, prepare=_made_already))


def _made_already(_samples: int | None) -> TestSet:
    raise AssertionError("the controller makes all inputs before anything is measured")
