"""The schedule of a run, settled before anything is touched: devices, cells and test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config.devices import Fleet
from harness.core.errors import UsageError
from harness.modelfile import names_a_file
from harness.records.cell import Reason
from harness.records.manifest import Manifest, readable
from harness.records.manifest import names as known_names
from harness.run import resume, strangers
from harness.run.estimates import estimate_notes
from harness.run.foreign import Fed, reused, taken
from harness.run.images import TestSet, prepare, prepare_task
from harness.run.inventory import Shipped, inventory
from harness.run.options import stored_options
from harness.run.plan import InputsKey, Options, Plan, make
from harness.run.tasked import TaskRun, of_other_tasks, task_run
from harness.tasks.task import models_folder


@dataclass(frozen=True)
class Schedule:
    """A run before it begins.

    Attributes:
        fleet: the devices to be measured.
        plan: their cells.
        tests: the inputs of the jobs.
        manifests: of all networks that are here, by name; they are stored with the run.
        notes: information for a person before anything is measured.
    """

    fleet: Fleet
    options: Options
    plan: Plan
    tests: Mapping[InputsKey, TestSet] = field(default_factory=dict)
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def new_schedule(fleet: Fleet, options: Options, models: Path) -> Schedule:
    """The schedule of a new run.

    Raises:
        UsageError, MissingModelError, ArtifactError: nothing to run, what was requested doesn't exist, or two requests
            exclude each other.
    """
    chosen = fleet.only(list(options.only)).with_runtimes(options.runtimes)
    task = task_run(options.task, str(options.data), options.inputs)
    shipped, damaged = _artifacts(models, options, task)
    plan = make(chosen, shipped, options)
    plan.skipped += damaged
    notes = [*plan.notes, *estimate_notes(chosen.devices, options)]
    return _schedule(Schedule(chosen, options, plan, notes=notes), shipped, models, task)


def resumed_schedule(earlier: resume.EarlierRun, fleet: Fleet, models: Path) -> Schedule:
    """The rest of a run that is resumed; the run's own options count.

    Raises:
        UsageError: the fleet or the artifacts have changed since the run was begun.
        StoreError: ``run.json`` was changed by hand.
    """
    info = earlier.info
    options = stored_options(info)
    present, notes = resume.fleet_then(info, fleet.with_runtimes(options.runtimes), earlier.unfinished_devices)
    task = task_run(options.task, str(options.data), options.inputs)
    shipped, damaged = _artifacts(models, options, task)
    plan = make(present, shipped, options, everything=True)
    resume.planned_alone(plan, info)
    if missing := resume.missing(plan, info.planned, earlier.finished):
        raise UsageError(
            f"run {info.run}: {len(missing)} of its cells can't be measured from {models}/ any more, "
            f"{missing[0]} among them",
            fix="put the artifacts back, or start a new run",
        )
    plan.skipped += damaged
    return _schedule(Schedule(present, options, plan, notes=notes), shipped, models, task)


def _artifacts(models: Path, options: Options, task: TaskRun | None) -> tuple[list[Shipped], list[Reason]]:
    """The existing artifacts and the model files that were named, and a reason for each damaged artifact.

    Raises:
        UsageError, MissingModelError, ArtifactError: something that was named can't be run.
    """
    damaged: list[Reason] = []
    files = [word for word in options.models if names_a_file(word)]
    names = [word for word in options.models if word not in files]
    if options.shapes and not files:
        raise UsageError("--shape is of model files, and none is named", fix="--model FILE")
    fed = Fed(Path(options.inputs) if options.inputs else None, dict(options.shapes))
    paths = [Path(word) for word in files]
    shipped: list[Shipped] = []
    if task is not None:
        if names or not files:
            shipped = task.artifacts(models, names, options.variants, damaged)
        foreign = task.named(paths, fed, known_names(models))
    else:
        if names or not files:
            found = inventory(models, names, options.variants, damaged, without=of_other_tasks(models, names))
            shipped = [reused(item, models, fed.file) for item in found]
        foreign = taken(paths, fed, known_names(models))
    for item in foreign:
        if options.variants and item.artifact.variant not in options.variants:
            text = f"{item.artifact.source}: is {item.artifact.variant}, and --variant asks for others"
            raise UsageError(text, fix="leave --variant out")
    return [*shipped, *foreign], damaged


def _schedule(settled: Schedule, shipped: Sequence[Shipped], models: Path, task: TaskRun | None) -> Schedule:
    """The schedule with its test images and manifests.

    Raises:
        UsageError: there is no cell, or the data differ from those the artifacts were built with.
    """
    plan = settled.plan
    if not plan.cells:
        reasons = [reason.text for reason in plan.skipped[:3]] or [_unread(settled.fleet, shipped)]
        raise UsageError("nothing to run: every cell is left out", fix="; ".join(reasons))
    return replace(
        settled,
        tests=_tests(plan, settled.options, task),
        manifests=readable(models_folder(models, task.task if task else None))
        | {item.manifest.name: item.manifest for item in shipped},
    )


def _unread(fleet: Fleet, shipped: Sequence[Shipped]) -> str:
    """Why there is no cell although nothing was left out: no runtime that was asked for reads what is there."""
    runtimes = dict.fromkeys(name for device in fleet.devices for name in device.runtimes or ())
    formats = dict.fromkeys(f".{item.artifact.format}" for item in shipped)
    verb = "reads" if len(runtimes) == 1 else "read"
    return f"{' and '.join(runtimes)} {verb} no {' and no '.join(formats)} file, or not with the devices' delegates"


def _tests(plan: Plan, options: Options, task: TaskRun | None) -> dict[InputsKey, TestSet]:
    """The inputs of all jobs.

    Raises:
        UsageError: the data differ from those the artifacts were built with, or a network has none to run with.
    """
    tests: dict[InputsKey, TestSet] = {}
    for job in (job for jobs in plan.jobs.values() for job in jobs):
        if job.unseen:
            strangers.check(job.shipped.manifest, options)
        if job.inputs in tests:
            continue
        own, split = job.shipped.own_inputs, job.shipped.manifest.split
        if own is not None:
            tests[job.inputs] = own.prepare(job.samples)
        elif job.unseen:
            tests[job.inputs] = strangers.prepare(job.samples)
        elif split is not None and task is not None:
            tests[job.inputs] = prepare_task(split, task.data, samples=job.samples)
        elif split is not None:
            tests[job.inputs] = prepare(split, data=options.data, samples=job.samples)
        else:
            raise UsageError(f"{job.shipped.label}: nothing is known to run it with", fix="--inputs FILE.npz")
    return tests
