"""The networks of a task: those trained on it, under ``models/<task>/``, and those added or named with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.core.errors import MissingModelError, UsageError
from harness.records import manifest as manifests
from harness.records.cell import Reason
from harness.records.manifest import Manifest
from harness.records.tensor import TensorSpec
from harness.run.foreign import Fed, taken
from harness.run.inventory import Shipped, inventory
from harness.run.judging import own_inputs
from harness.run.testset import OwnInputs
from harness.tasks.record import split_record
from harness.tasks.task import Task, TaskData, chosen, models_folder


@dataclass(frozen=True)
class TaskRun:
    """A run's task. Its data are read once, when they are needed first."""

    task: Task

    @cached_property
    def data(self) -> TaskData:
        """The task's data.

        Raises:
            DataError, UsageError: they can't be used.
        """
        return self.task.open()

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of one sample as a network gets it, without a batch."""
        return self.data.values(self.data.split.test[:1]).shape[1:]

    def artifacts(
        self, models: Path, names: Sequence[str], variants: Sequence[str], left_out: list[Reason]
    ) -> list[Shipped]:
        """The task's networks that are there: all of them, or those that are named.

        Raises:
            UsageError, MissingModelError, ArtifactError: none is there, or what was named isn't.
        """
        try:
            return self._artifacts(models, names, variants, left_out)
        except MissingModelError as error:
            error.fix = " ".join(["harness build --task", str(self.task.path), *error.names])
            raise

    def _artifacts(
        self, models: Path, names: Sequence[str], variants: Sequence[str], left_out: list[Reason]
    ) -> list[Shipped]:
        own, added = models_folder(models, self.task), added_with(models, self.task.name)
        built = manifests.names(own)
        here = [name for name in names or added if name in added and name not in built]
        shipped: list[Shipped] = []
        if built and (not names or set(names) - set(here)):
            shipped += inventory(own, [name for name in names if name not in here], variants, left_out)
        elif missing := tuple(name for name in names if name not in here):
            raise MissingModelError(f"model '{missing[0]}' is not there for task '{self.task.name}'", names=missing)
        if here:
            shipped += [self.fed(item) for item in inventory(models, here, variants, left_out)]
        if not shipped:
            raise MissingModelError(f"no model for task '{self.task.name}' in {own}/", names=())
        return shipped

    def named(self, paths: Sequence[Path], fed: Fed, known: Sequence[str]) -> list[Shipped]:
        """The networks in model files, which the task's samples are run through."""
        return [self.judged(item) for item in taken(paths, replace(fed, task=self), known)]

    def judged(self, item: Shipped) -> Shipped:
        """A network in a model file, fed and judged by the task.

        Raises:
            UsageError: it takes another input than the task gives.
        """
        return self.fed(replace(item, manifest=self.marked(item.manifest)))

    def marked(self, manifest: Manifest) -> Manifest:
        """A foreign network's manifest with the task and its split."""
        data = self.data
        split = split_record(data.split, dataset=data.dataset_name, sha256=data.sha256, synthetic=data.synthetic)
        told = {"task": self.task.name, "classes": data.classes, "split": split, "inputs": None}
        return manifest.model_copy(update=told)

    def fed(self, item: Shipped) -> Shipped:
        """An added network with the task's samples as its inputs; one that was trained here as it is."""
        if item.manifest.chain:
            return item
        inputs = self.inputs(item.label, item.artifact.inputs, item.artifact.outputs)
        return replace(item, own_inputs=inputs, golden=_golden(item))

    def inputs(self, name: object, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> OwnInputs:
        """The task's samples for a network with these tensors.

        Raises:
            UsageError: it takes another input than the task gives; ``name`` says which network.
        """
        try:
            return own_inputs(self.data, inputs, outputs)
        except UsageError as error:
            raise UsageError(f"{name}: {error.message}", fix=error.fix) from error


def _golden(item: Shipped) -> Path | None:
    """The file of an added network's golden outputs."""
    stored = item.artifact.golden
    return item.path.parent / stored.file if stored else None


def task_run(task: str | None, data: str, inputs: str | None = None) -> TaskRun | None:
    """The task of a run; None where its task is built in.

    Args:
        task: as the user names it.
        data: the value of ``--data``.
        inputs: the user's own inputs, which no task judges.

    Raises:
        UsageError, ConfigError: it can't be.
    """
    found = chosen(task, data)
    if found is not None and inputs is not None:
        raise UsageError("--inputs and --task both say what is run", fix="leave one of them out")
    return None if found is None else TaskRun(found)


def added_with(models: Path, task: str) -> list[str]:
    """Names of the networks in ``models/`` that were added with a task."""
    return [name for name, manifest in manifests.readable(models).items() if manifest.task == task]


def of_other_tasks(models: Path, names: Sequence[str]) -> dict[str, str]:
    """Networks in ``models/`` that only ``--task`` runs, with their task.

    Raises:
        UsageError: one of them was named.
    """
    found = {name: manifest.task for name, manifest in manifests.readable(models).items() if manifest.task is not None}
    named = next((name for name in names if name in found), None)
    if named is not None:
        raise UsageError(f"model '{named}' was added with task '{found[named]}'", fix=f"--task {found[named]}")
    return found
