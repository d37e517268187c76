"""The schedule of a run, settled before anything is touched: devices, cells and test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config.devices import Fleet
from harness.core.errors import UsageError
from harness.records.cell import Reason
from harness.records.manifest import Manifest, readable
from harness.records.samples import UNSEEN
from harness.run import resume
from harness.run.images import TestSet, prepare, prepare_strangers
from harness.run.inventory import Shipped, inventory
from harness.run.plan import Options, Plan, make, stored_options


@dataclass(frozen=True)
class Schedule:
    """A run before it begins.

    Attributes:
        fleet: the devices to be measured.
        plan: their cells.
        tests: the test images, by the number of samples asked for; None is the whole split.
        manifests: of all networks that are here, by name; they are stored with the run.
        notes: information for a person before anything is measured.
    """

    fleet: Fleet
    options: Options
    plan: Plan
    tests: Mapping[int | None, TestSet] = field(default_factory=dict)
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def new_schedule(fleet: Fleet, options: Options, models: Path) -> Schedule:
    """The schedule of a new run.

    Raises:
        UsageError, MissingModelError, ArtifactError: nothing to run, or what was requested doesn't exist.
    """
    chosen = fleet.only(list(options.only))
    shipped, damaged = _artifacts(models, options)
    plan = make(chosen, shipped, options)
    plan.skipped += damaged
    return _schedule(Schedule(chosen, options, plan), shipped, models)


def resumed_schedule(earlier: resume.EarlierRun, fleet: Fleet, models: Path) -> Schedule:
    """The rest of a run that is resumed; the run's own options count.

    Raises:
        UsageError: the fleet or the artifacts have changed since the run was begun.
        StoreError: ``run.json`` was changed by hand.
    """
    info = earlier.info
    options = stored_options(info)
    present, notes = resume.fleet_then(info, fleet, earlier.unfinished_devices)
    shipped, damaged = _artifacts(models, options)
    plan = make(present, shipped, options, everything=True)
    resume.planned_alone(plan, info)
    if missing := resume.missing(plan, info.planned, earlier.valid):
        raise UsageError(
            f"run {info.run}: {len(missing)} of its cells can't be measured from {models}/ any more, "
            f"{missing[0]} among them",
            fix="put the artifacts back, or start a new run",
        )
    plan.skipped += damaged
    return _schedule(Schedule(present, options, plan, notes=notes), shipped, models)


def _artifacts(models: Path, options: Options) -> tuple[list[Shipped], list[Reason]]:
    """The existing artifacts, and a reason for each damaged one."""
    damaged: list[Reason] = []
    return inventory(models, options.models, options.variants, damaged), damaged


def _schedule(settled: Schedule, shipped: Sequence[Shipped], models: Path) -> Schedule:
    """The schedule with its test images and manifests.

    Raises:
        UsageError: there is no cell, or the data differ from those the artifacts were built with.
    """
    plan = settled.plan
    if not plan.cells:
        raise UsageError("nothing to run: every cell is left out", fix="; ".join(r.text for r in plan.skipped[:3]))
    sizes = {job.samples for jobs in plan.jobs.values() for job in jobs}
    return replace(
        settled,
        tests={size: _test_set(settled.options, shipped, size) for size in sizes},
        manifests=readable(models) | {item.manifest.name: item.manifest for item in shipped},
    )


def _test_set(options: Options, shipped: Sequence[Shipped], samples: int | None) -> TestSet:
    """The images to run: those of the artifacts' own split, or strangers.

    Raises:
        UsageError: the data differ from those the artifacts were built with, or strangers aren't strangers to them.
    """
    if options.split == UNSEEN:
        return prepare_strangers([item.manifest for item in shipped], data=options.data, samples=samples)
    split = shipped[0].manifest.split
    assert split is not None
    return prepare(split, data=options.data, samples=samples)
