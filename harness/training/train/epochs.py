"""The images and targets of each epoch; they depend on the epoch's number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from harness.data.dataset import Dataset, Split
from harness.training.arrays import Images, Index, Model, Pixels, Probabilities
from harness.training.train.augment import augment

#: images and targets of an epoch, by its number
Epoch = Callable[[int], tuple[Pixels, Probabilities]]


@runtime_checkable
class InStep(Protocol):
    """Lessons whose teacher can answer within the student's training step, which saves a separate pass."""

    teacher: Model
    trust: float

    def __call__(self, number: int) -> tuple[Pixels, Probabilities]:
        """Images and targets of an epoch, including the teacher's answers."""

    def unanswered(self, number: int) -> tuple[Pixels, Probabilities]:
        """Images and true labels of an epoch."""


def one_hot(labels: Index, classes: int) -> Probabilities:
    """Targets of known labels, shape (N, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def as_input(images: Images) -> Pixels:
    """Images as input of networks: float32 (N, h, w, 1 or 3), 0..255."""
    values = images.astype(np.float32)
    return values if images.ndim == 4 else values[..., None]


@dataclass(frozen=True)
class TrainingSet:
    """The training part of a split, and the seed of its images' variations."""

    dataset: Dataset
    split: Split
    seed: int

    @property
    def images(self) -> Images:
        """uint8 (N, h, w) or (N, h, w, 3)."""
        return self.dataset.images[self.split.train]

    def varied(self, rng: np.random.Generator) -> Pixels:
        """One random variation of each image."""
        return augment(self.images, rng, mirror=self.dataset.mirrors)

    @property
    def targets(self) -> Probabilities:
        """True labels, float32 (N, classes)."""
        return one_hot(self.dataset.labels[self.split.train], len(self.dataset.classes))


def ahead(epoch: Epoch, numbers: range) -> Iterator[tuple[int, Pixels, Probabilities]]:
    """Number, images and targets of epochs in order; each is prepared while the one before is learnt."""
    with ThreadPoolExecutor(1) as worker:
        upcoming = worker.submit(epoch, numbers[0]) if numbers else None
        for number in numbers:
            assert upcoming is not None
            images, targets = upcoming.result()
            upcoming = worker.submit(epoch, number + 1) if number + 1 in numbers else None
            yield number, images, targets


def augmented(training_set: TrainingSet) -> Epoch:
    """Training images with true labels, varied anew in each epoch."""

    def epoch(number: int) -> tuple[Pixels, Probabilities]:
        rng = np.random.default_rng([training_set.seed, number, 1])
        return training_set.varied(rng), training_set.targets

    return epoch
