"""The trainings of a build as tasks, and which have to be done before which. Importing it imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.core.errors import ArtifactError
from harness.records import manifest as manifests
from harness.training.job import TrainingJob, parents

#: ``export``: train, and make files and their manifest. ``trial``: train for an accuracy beside them. ``train``: train
#: a network that others start from, and that nobody asked for itself.
Kind = Literal["export", "trial", "train"]


@dataclass(frozen=True, eq=False)
class Task:
    """One training of one network on one fold with one seed.

    Attributes:
        kind: what becomes of it.
        job: its inputs.
        needs: the folders of the trainings that it starts from.
    """

    kind: Kind
    job: TrainingJob
    needs: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """Its name for people: the network, and seed and fold where there may be several."""
        part = self.job.split
        fold = f", fold {part.fold + 1} of {part.folds}" if part.scheme == "subject" else ""
        seed = f", seed {self.job.seed}" if self.job.seed != part.seed else ""
        return self.job.network.name + fold + seed

    @property
    def makes(self) -> Path | None:
        """The folder of the training that others may start from; None for a pruned network."""
        return self.job.folder() if self.job.network.pruned_from is None else None


def tasks_of(builds: Sequence[Sequence[TrainingJob]]) -> list[Task]:
    """The tasks of a build in the order in which they would be done one after the other.

    A network that others are pruned from is trained once. Where it isn't among those to build, it gets a task of its
    own: two pruned networks would otherwise both train it.

    Args:
        builds: for each network its jobs, as :func:`harness.training.pipeline.planned` has them.
    """
    asked = [task for jobs in builds for task in _of_network(jobs)]
    made = {task.makes for task in asked}
    found: list[Task] = []
    for task in asked:
        first = parents(task.job)
        for parent in first:
            if parent.folder() not in made:
                made.add(parent.folder())
                found.append(Task("train", parent))
        found.append(replace(task, needs=tuple(parent.folder() for parent in first)))
    return found


def _of_network(jobs: Sequence[TrainingJob]) -> list[Task]:
    first, *others = jobs
    if first.split.scheme == "subject" and has_manifest(first):
        return [Task("trial", job) for job in jobs]
    return [Task("export", first), *(Task("trial", job) for job in others)]


def has_manifest(job: TrainingJob) -> bool:
    """Whether the network has a readable manifest already."""
    try:
        manifests.load(job.models, job.network.name)
    except ArtifactError:
        return False
    return True
