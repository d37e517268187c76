"""The stages of a reproduction: one training of one network each, then measuring. What is done is read off the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.core.errors import ArtifactError, DataError, UsageError
from harness.core.files import sha256_file
from harness.data import splits
from harness.data.dataset import Dataset, Split
from harness.records import manifest as manifests
from harness.records.manifest import Manifest
from harness.reproduce.places import Places, Profile
from harness.training.job import TrainingJob
from harness.training.networks import registry
from harness.training.networks.registry import Network

FOLDS = 10
SEED = 0
#: The paper's network. A quick look trains only these on the subject-disjoint split.
OURS = ("resvgg19", "resvgg19-pruned")
#: Rivals of a quick look: the fastest ones, as published and pruned.
QUICK_RIVALS = ("mobilenet-v3-small", "squeezenet", "mobilenet-v3-small-pruned")
#: Not of the experiment: the abstract doesn't compare with VGG19 without shortcuts. It can be named.
LEFT_OUT = ("vgg19",)


@dataclass(frozen=True, eq=False)
class Stage:
    """One training of one network on one split, and what follows from it: files of the random split, else a figure in
    the manifest.
    """

    job: TrainingJob

    @property
    def title(self) -> str:
        """Its name for people."""
        part = self.job.split
        how = (
            f"subject-disjoint split, fold {part.fold + 1} of {part.folds}"
            if part.scheme == "subject"
            else "random split"
        )
        return f"{self.job.network.name}, {how}"

    @property
    def exports(self) -> bool:
        """Whether it writes files."""
        return self.job.split.scheme == "random"

    def done(self) -> bool:
        """Whether its result is there."""
        try:
            record = manifests.load(self.job.models, self.job.network.name)
        except ArtifactError:
            return False
        return self._files_there(record) if self.exports else self._figure_there(record)

    def _files_there(self, record: Manifest) -> bool:
        split = record.split
        if split is None or (split.sha256, record.profile, record.seed) != (
            self.job.split.sha256, self.job.profile, self.job.seed,
        ):  # fmt: skip
            return False
        folder = self.job.models / record.name
        try:
            return all(sha256_file(folder / each.filename) == each.sha256 for each in record.artifacts)
        except OSError:
            return False

    def _figure_there(self, record: Manifest) -> bool:
        part = self.job.split
        return any(
            (check.scheme, check.folds, check.profile) == ("subject", part.folds, self.job.profile)
            and any((trial.seed, trial.fold) == (self.job.seed, part.fold) for trial in check.trials)
            for check in record.cross_checks
        )

    def perform(self) -> None:
        """Train, compress, export; continues where a killed process stopped.

        Raises:
            BuildError: it went wrong.
        """
        from harness.training import pipeline

        pipeline.finish([self.job])


def networks(profile: Profile, named: Sequence[str]) -> list[Network]:
    """The networks of the experiment, in the order of reports; ``named`` alone, with those they are pruned from, where
    any are named.

    Raises:
        UsageError: there is no network of a name.
    """
    chosen = set(named) or set(OURS + QUICK_RIVALS if profile == "quick" else registry.names()) - set(LEFT_OUT)
    chosen |= {parent for name in chosen if (parent := registry.get(name).pruned_from)}
    return [network for network in registry.NETWORKS if network.name in chosen]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is trained, from which data, and where to.

    Attributes:
        dataset: the data set.
        profile: ``quick`` or ``full``.
        networks: in order.
        folds: folds of the subject-disjoint split that are trained, from 0.
        places: the folder.
        progress: receives lines to show.
    """

    dataset: Dataset
    profile: Profile
    networks: Sequence[Network]
    folds: Sequence[int]
    places: Places
    progress: Callable[[str], None]

    def stages(self) -> list[Stage]:
        """All trainings: those on the random split, which write files, then those on the subject-disjoint one.

        Raises:
            DataError: the data are too few.
            UsageError: a fold doesn't exist.
        """
        whole = _checked(splits.split(self.dataset, "random", SEED))
        stages = [self._stage(network, whole) for network in self.networks]
        for fold in self.folds:
            part = _checked(splits.split(self.dataset, "subject", SEED, fold=fold, folds=folds_of(self.dataset)))
            stages += [self._stage(network, part) for network in self._on_people()]
        return stages

    def _on_people(self) -> list[Network]:
        """The networks that are also trained on the subject-disjoint split."""
        ours = [network for network in self.networks if network.name in OURS]
        return ours if self.profile == "quick" and ours else list(self.networks)

    def _stage(self, network: Network, split: Split) -> Stage:
        job = TrainingJob(
            network=network,
            dataset=self.dataset,
            split=split,
            profile=self.profile,
            seed=SEED,
            models=self.places.models,
            cache=self.places.training,
            progress=self.progress,
        )
        return Stage(job)


def folds_of(dataset: Dataset) -> int:
    """The number of folds of the subject-disjoint split: ten, or fewer for few people; 0 where no such split
    is possible, which :func:`why_no_folds` explains.
    """
    folds = min(FOLDS, len(set(dataset.subjects or ())) - 1)
    return folds if folds >= 2 else 0


def why_no_folds(dataset: Dataset) -> str:
    """Why no subject-disjoint split is possible, for people; empty where it is."""
    if folds_of(dataset):
        return ""
    if dataset.subjects is None:
        return (
            f"{dataset.name} doesn't tell who is on its images, so no subject-disjoint split is possible: only the "
            "random split is trained, which has people on both sides"
        )
    return f"{dataset.name} has {len(set(dataset.subjects))} people, too few for a subject-disjoint split"


def chosen_folds(dataset: Dataset, asked: Sequence[int]) -> list[int]:
    """The folds to train; none where no subject-disjoint split is possible.

    Raises:
        UsageError: a fold doesn't exist.
    """
    count = folds_of(dataset)
    if count and (wrong := [fold for fold in asked if fold >= count]):
        raise UsageError(f"fold {wrong[0]} is not among 0 to {count - 1}", fix="--fold 0")
    return sorted(set(asked)) if count else []


def _checked(split: Split) -> Split:
    """A split whose three parts have images.

    Raises:
        DataError: one has none.
    """
    for part, images in (("training", split.train), ("validation", split.validation), ("test", split.test)):
        if not len(images):
            raise DataError(f"the data are too few: no image is left for {part} ({split.scheme} split)")
    return split
