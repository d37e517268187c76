"""Teaches a small network what a larger one answers (Hinton, Vinyals, Dean, arXiv:1503.02531, 2015).

A student learns most when it sees the very images that its teacher answers, ever new ones and mixtures of two, for long
(Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR 2022). The uncompressed network
is too slow to be asked that often: while no smaller one is there, its answers to a fixed set of images serve; then the
first pruned network that is quick enough answers in its place (Mirzadeh et al., "Improved Knowledge Distillation via
Teacher Assistant", AAAI 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.dataset import Dataset, Split
from harness.training.train import stored
from harness.training.train.augment import augment
from harness.training.train.loop import Epoch, one_hot

#: passes over the training images the teacher has seen; a student's epochs take turns with them
SETS = 8
#: share of the target that is the teacher's answer, the rest is the true label
TRUST = 0.9
#: a teacher up to this size is asked anew in each epoch
LIVE_MACS = 80_000_000
#: both parameters of the beta distribution of a mixture's shares (Zhang et al., "mixup", ICLR 2018)
MIXTURE = 0.4


def lessons(
    teacher: Any,
    dataset: Dataset,
    split: Split,
    seed: int,
    folder: Path,
    *,
    sets: int = SETS,
    progress: Callable[[str], None] = lambda _line: None,
) -> Epoch:
    """Augmented training images with the teacher's answers mixed into the labels.

    The teacher looks at a fixed set of images once (stored under ``folder``): a live one would cost more than the
    student. Mirroring and grain are varied anew in each epoch.

    Returns:
        For an epoch's number: images float32 (N, 48, 48, 1) and targets float32 (N, classes).
    """
    path = folder / "lessons.npz"
    wanted = (sets, len(split.train))
    before = stored.found(path, lambda file: _read_lessons(file, wanted), progress)
    if before is not None:
        images, answers = before
    else:
        rng = np.random.default_rng([seed, 7])
        images = np.stack([augment(dataset.images[split.train], rng) for _ in range(sets)]).astype(np.uint8)
        answers = np.stack([_answers(teacher, part.astype(np.float32)) for part in images])
        stored.keep(path, lambda file: np.savez(file, images=images, answers=answers))
    truth = one_hot(dataset.labels[split.train], len(dataset.classes))

    def epoch(number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        rng = np.random.default_rng([seed, number, 3])
        chosen = images[number % len(images)].astype(np.float32)
        mirror = rng.random(len(chosen)) < 0.5
        chosen[mirror] = chosen[mirror, :, ::-1]
        grain = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(3.0)
        return np.clip(chosen + grain, 0, 255), _targets(answers[number % len(images)], truth)

    return epoch


def _read_lessons(path: Path, wanted: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, answers = arrays["images"], arrays["answers"]
    if images.shape[:2] != wanted or answers.shape[:2] != wanted:
        raise ValueError(f"holds {images.shape[:2]} images and {answers.shape[:2]} answers, not {wanted}")
    return images, answers


def live(teacher: Any, dataset: Dataset, split: Split, seed: int) -> Epoch:
    """New variations of the training images in each epoch, each mixed with another, and the teacher's answers to them.

    Returns:
        For an epoch's number, on which alone they depend: images float32 (N, 48, 48, 1), targets float32 (N, classes).
    """
    labels = one_hot(dataset.labels[split.train], len(dataset.classes))

    def epoch(number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        rng = np.random.default_rng([seed, number, 8])
        images = augment(dataset.images[split.train], rng)
        share = rng.beta(MIXTURE, MIXTURE, len(images)).astype(np.float32)
        share = np.maximum(share, 1 - share)  # the larger part is the image whose class weighs this one
        other = rng.permutation(len(images))
        images = share[:, None, None, None] * images + (1 - share[:, None, None, None]) * images[other]
        truth = share[:, None] * labels + (1 - share[:, None]) * labels[other]
        return images, _targets(_answers(teacher, images), truth)

    return epoch


def _answers(teacher: Any, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(teacher.predict(images, batch_size=64, verbose=0), dtype=np.float32)


def _targets(answers: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(TRUST * answers + (1 - TRUST) * truth, dtype=np.float32)
