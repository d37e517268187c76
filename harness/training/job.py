"""The build of one network on one split: its inputs, and the creation of its Keras model.

Importing this module doesn't import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UsageError
from harness.data.dataset import Dataset, Split
from harness.records.manifest import Step
from harness.records.prices import PriceList
from harness.training.arrays import Images, Model
from harness.training.compress.budget import AS_REGISTERED, Targets
from harness.training.compress.pricing import Examiner
from harness.training.networks import registry
from harness.training.networks.registry import Network

if TYPE_CHECKING:
    from harness.training.train.loop import Outcome

Progress = Callable[[str], None]
#: training images that set the int8 ranges of a network that isn't pruned
CALIBRATION = 200


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The inputs of one network's build.

    Attributes:
        network: the network to build.
        dataset: where images and labels are.
        split: its training, validation and test images. It has a seed of its own.
        profile: ``quick`` or ``full``.
        seed: of the training: weights, augmentation, dropout, the choice of channels.
        models: folder for the results.
        cache: folder for training state; can be deleted at any time.
        progress: receives lines to show.
        targets: the targets of a pruned network, where they differ from its registered size.
        task: the name of the task that the data are of; None for one that is built in.
        examiner: says what layers cost on the board that ``targets.cycles`` names; None where it names none.
    """

    network: Network
    dataset: Dataset
    split: Split
    profile: str
    seed: int
    models: Path
    cache: Path
    progress: Progress
    targets: Targets = AS_REGISTERED
    task: str | None = None
    examiner: Examiner | None = None

    def build(self, network: Network) -> Model:
        """An untrained network for the data's images and classes."""
        return network.build(len(self.dataset.classes), self.dataset.image_shape)

    def folder(self, name: str | None = None) -> Path:
        """The folder of a network's training state for this split, seed and profile."""
        part = f"{self.split.scheme}-{self.split.seed}-{self.split.fold}-{self.profile}"
        if self.seed != self.split.seed:
            part += f"-seed{self.seed}"
        cache = self.cache if self.task is None else self.cache / "tasks" / self.task
        return cache / (name or self.network.name) / part

    def calibration(self) -> Images:
        """Training images uint8 (N, h, w[, 3]) that set int8 ranges: every k-th, about ``CALIBRATION``.

        Pruned networks get all of them: their layers are narrow, and few images may show the range of one channel.
        Pruned MobileNetV3-Large agreed with its float form on 97 of 99 test images with 200 images and on 99 with all.
        """
        images = self.dataset.images[self.split.train]
        every = 1 if self.network.pruned_from is not None else max(1, len(images) // CALIBRATION)
        return images[::every]


def make(job: TrainingJob) -> tuple[Model, list[Step]]:
    """The finished Keras model of a job and the chain of steps that led to it.

    A pruned network's teacher is always the one trained with the split's own seed: it is trained once, and the spread
    over seeds is that of pruning and tuning. Layers without signal on the images that set int8 ranges become constant.
    """
    from harness.training.compress import dead_layers
    from harness.training.train.epochs import as_input

    start_names_anew()
    model, chain = _pruned(job) if job.network.pruned_from is not None else train_network(job, job.network)
    for name in dead_layers.settle(model, as_input(job.calibration())):
        job.progress(f"{job.network.name}: layer '{name}' has no signal left and becomes a constant")
    return model, chain


def start_names_anew() -> None:
    """Let Keras number layers from the start.

    Numbers are in names, and these are in exported files: without this, a file's bytes would depend on what the process
    had built before.
    """
    import keras

    keras.utils.clear_session()


def parents(job: TrainingJob) -> list[TrainingJob]:
    """The trainings that a pruned network's build starts from: of the network that it is pruned from, then of its
    teacher where that is another one. None for a network that is trained from scratch.
    """
    if job.network.pruned_from is None:
        return []
    # another teacher than the parent was chosen for faces; it costs a training, and memory for many passes
    teacher = job.network.pruning.teacher if job.task is None else None
    names = [job.network.pruned_from, *([teacher] if teacher is not None else [])]
    return [replace(job, network=registry.get(name), seed=job.split.seed) for name in names]


def _pruned(job: TrainingJob) -> tuple[Model, list[Step]]:
    from harness.training.compress import pipeline
    from harness.training.export.measures import measures
    from harness.training.networks.macs import count_macs

    first, *others = parents(job)
    parent, chain = train_network(first, first.network)
    pruning = job.network.pruning.for_images(job.dataset.image_shape)
    budget = job.targets.budget(pruning, count_macs(parent), _prices(job, parent))
    teachers = [pipeline.Teacher(train_network(other, other.network)[0], other.folder()) for other in others]
    inputs = pipeline.PruningJob(
        dataset=job.dataset,
        split=job.split,
        profile=job.profile,
        seed=job.seed,
        folder=job.folder(),
        progress=job.progress,
        budget=budget,
        measures=measures(budget, job.models, job.dataset.images[job.split.train]),
        teacher=teachers[0] if teachers else None,
    )
    pruned, steps = pipeline.prune(parent, inputs)
    return pruned, [*chain, *steps]


def _prices(job: TrainingJob, parent: Model) -> PriceList | None:
    """The prices of a network's layers, where channels are to be weighed by cycles."""
    from harness.training.compress import pricing, works
    from harness.training.compress.graph import trace

    target = job.targets.cycles
    if target is None:
        return None
    if job.examiner is None:
        raise UsageError(f"cycles on {target.board} need someone to estimate them, and nobody is given")
    wanted = works.wanted(parent, trace(parent))
    return pricing.price_list(job.examiner, target.variant, wanted, job.cache / "prices")


def train_network(job: TrainingJob, network: Network) -> tuple[Model, list[Step]]:
    """Train a network from scratch (or continue from the cache); returns the model and its first step."""
    from harness.training.networks.macs import count_macs
    from harness.training.train import loop, seeds
    from harness.training.train.recipe import recipe_for

    seeds.seed_all(job.seed)
    model = job.build(network)
    macs = count_macs(model)
    training = loop.Training(
        dataset=job.dataset,
        split=job.split,
        recipe=recipe_for(job.profile, macs, len(job.split.train)),
        seed=job.seed,
        folder=job.folder(network.name),
        progress=job.progress,
    )
    outcome = loop.train(model, training)
    return model, [_trained(job, model, macs, outcome)]


def _trained(job: TrainingJob, model: Model, macs: int, outcome: Outcome) -> Step:
    from harness.training.train import loop
    from harness.training.train.epochs import as_input

    test = job.split.test
    accuracy, _ = loop.score(model, as_input(job.dataset.images[test]), job.dataset.labels[test])
    return Step(
        kind="trained",
        detail=f"{model.name}: {len(outcome.history)} epochs, best {outcome.best_epoch + 1}",
        parameters=model.count_params(),
        macs=macs,
        validation_accuracy=outcome.validation_accuracy,
        accuracy=accuracy,
        seconds=round(outcome.seconds, 1),
    )
