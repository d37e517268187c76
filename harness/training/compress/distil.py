"""Trains a small network on the answers of a larger one (Hinton, Vinyals, Dean, arXiv:1503.02531, 2015).

A student learns most when it sees the same images as its teacher, always new ones and mixtures of two, over many epochs
(Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR 2022). The uncompressed network
is too slow to answer that often. Until a smaller one exists, its answers to a fixed set of images are used; then the
first pruned network that is fast enough answers in its place (Mirzadeh et al., "Improved Knowledge Distillation via
Teacher Assistant", AAAI 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.training.arrays import Images, Model, Pixels, Probabilities
from harness.training.train import stored
from harness.training.train.epochs import Epoch, TrainingSet
from harness.training.train.steps import answers

#: passes over the training images that the teacher answers; a student's epochs cycle through them
SETS = 8
#: the same for a teacher that also answers in the place of an assistant. On two cores resvgg19 takes half an hour for
#: them; the students of one teacher share them.
MANY_SETS = 64
#: share of the target that is the teacher's answer; the rest is the true label
TRUST = 0.9
#: a teacher up to this size answers anew in each epoch
LIVE_MACS = 80_000_000
#: both parameters of the beta distribution of a mixture's shares (Zhang et al., "mixup", ICLR 2018)
MIXTURE = 0.4


def lessons(
    teacher: Model,
    training_set: TrainingSet,
    folder: Path,
    *,
    sets: int | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> Epoch:
    """Augmented training images with the teacher's answers mixed into the labels.

    The teacher answers a fixed set of images once (stored under ``folder``), since answering in each epoch would cost
    more than the student. Mirroring and grain are varied anew in each epoch.

    Args:
        sets: passes over the training images that the teacher sees; ``SETS`` by default.
        progress: receives a line where a stored file is damaged.
    """
    passes = _stored_answers(teacher, training_set, folder, sets=sets or SETS, progress=progress)
    images, answered, truth = *passes, training_set.targets

    def epoch(number: int) -> tuple[Pixels, Probabilities]:
        rng = np.random.default_rng([training_set.seed, number, 3])
        chosen = _varied(images[number % len(images)], rng, mirrors=training_set.dataset.mirrors)
        return chosen, _targets(answered[number % len(images)], truth)

    return epoch


def mixed_lessons(
    teacher: Model,
    training_set: TrainingSet,
    folder: Path,
    *,
    progress: Callable[[str], None] = lambda _line: None,
) -> Epoch:
    """Mixtures of augmented training images, as :class:`Live` has them, with stored answers of the teacher.

    The arguments are those of :func:`lessons`.
    """
    images, labels, mixtures = [], [], Live(teacher, training_set)
    for number in range(MANY_SETS):
        mixture, truth = mixtures.unanswered(number)
        images.append(np.rint(mixture).astype(np.uint8))  # as floats, all of them would take half a gigabyte
        labels.append(truth)
    path, shape = folder / "mixed-lessons.npz", (MANY_SETS, len(training_set.split.train))
    with stored.reserved(folder, progress):  # students of one teacher share them
        before = stored.found(path, lambda file: _read_lessons(file, shape), progress)
        answered = (before or _answered(teacher, np.stack(images), path))[1]

    def epoch(number: int) -> tuple[Pixels, Probabilities]:
        rng, chosen = np.random.default_rng([training_set.seed, number, 9]), number % MANY_SETS
        varied = _varied(images[chosen], rng, mirrors=training_set.dataset.mirrors)
        return varied, _targets(answered[chosen], labels[chosen])

    return epoch


def _varied(images: Images, rng: np.random.Generator, *, mirrors: bool) -> Pixels:
    """Images uint8 (N, h, w, c) as float32 with grain, and mirrored by chance where ``mirrors`` allows it."""
    chosen = images.astype(np.float32)
    mirror = (rng.random(len(chosen)) < 0.5) & mirrors
    chosen[mirror] = chosen[mirror, :, ::-1]
    grain = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(3.0)
    return np.asarray(np.clip(chosen + grain, 0, 255))


def _stored_answers(
    teacher: Model, training_set: TrainingSet, folder: Path, *, sets: int, progress: Callable[[str], None]
) -> tuple[Images, Probabilities]:
    """Images (sets, N, h, w, c) and the teacher's answers to them (sets, N, classes)."""
    path, shape = folder / "lessons.npz", (sets, len(training_set.split.train))
    before = stored.found(path, lambda file: _read_lessons(file, shape), progress)
    if before is not None:
        return before
    rng = np.random.default_rng([training_set.seed, 7])
    return _answered(teacher, np.stack([training_set.varied(rng).astype(np.uint8) for _ in range(sets)]), path)


def _answered(teacher: Model, images: Images, path: Path) -> tuple[Images, Probabilities]:
    """Images (sets, N, h, w, c) and the teacher's answers to them, which are stored."""
    answered = np.stack([answers(teacher, part.astype(np.float32)) for part in images])
    stored.keep(path, lambda file: np.savez(file, images=images, answers=answered))
    return images, answered


def _read_lessons(path: Path, shape: tuple[int, int]) -> tuple[Images, Probabilities]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, answers = arrays["images"], arrays["answers"]
    if images.shape[:2] != shape or answers.shape[:2] != shape:
        raise ValueError(f"holds {images.shape[:2]} images and {answers.shape[:2]} answers, not {shape}")
    return images, answers


class Live:
    """New variations of the training images in each epoch, each mixed with another, and the teacher's answers.

    Attributes:
        teacher: the model that answers; it may do so within the student's training step.
        trust: share of the target that is its answer.
    """

    def __init__(self, teacher: Model, training_set: TrainingSet) -> None:
        self.teacher, self.trust = teacher, TRUST
        self._training_set = training_set

    def __call__(self, number: int) -> tuple[Pixels, Probabilities]:
        """The images, float32 (N, h, w, c), and targets, float32 (N, classes), of an epoch."""
        images, truth = self.unanswered(number)
        return images, _targets(answers(self.teacher, images), truth)

    def unanswered(self, number: int) -> tuple[Pixels, Probabilities]:
        """The same images, and mixtures of true labels float32 (N, classes)."""
        rng = np.random.default_rng([self._training_set.seed, number, 8])
        images, labels = self._training_set.varied(rng), self._training_set.targets
        share = rng.beta(MIXTURE, MIXTURE, len(images)).astype(np.float32)
        share = np.maximum(share, 1 - share)  # the larger part belongs to the image whose class weighs this one
        other = rng.permutation(len(images))
        images = share[:, None, None, None] * images + (1 - share[:, None, None, None]) * images[other]
        return images, share[:, None] * labels + (1 - share[:, None]) * labels[other]


def live(teacher: Model, training_set: TrainingSet) -> Live:
    """Lessons by a teacher that answers anew in each epoch."""
    return Live(teacher, training_set)


def _targets(answers: Probabilities, truth: Probabilities) -> Probabilities:
    return np.asarray(TRUST * answers + (1 - TRUST) * truth, dtype=np.float32)
