"""Teaches a small network what the uncompressed one answers (Hinton, Vinyals, Dean, arXiv:1503.02531, 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.dataset import Dataset, Split
from harness.train.augment import augment
from harness.train.loop import Epoch, one_hot

#: passes over the training images the teacher has seen; a student's epochs take turns with them
SETS = 8
TEMPERATURE = 2.0
#: share of the target that is the teacher's answer, the rest is the true label
TRUST = 0.6


def lessons(teacher: Any, dataset: Dataset, split: Split, seed: int, folder: Path, *, sets: int = SETS) -> Epoch:
    """Augmented training images with the teacher's softened answers mixed into the labels.

    The teacher looks at a fixed set of images once (stored under ``folder``): a live one would cost more than the
    student. Mirroring and grain are varied anew in each epoch.

    Returns:
        For an epoch's number: images float32 (N, 48, 48, 1) and targets float32 (N, classes).
    """
    path = folder / "lessons.npz"
    if path.exists():
        stored = np.load(path)
        images, answers = stored["images"], stored["answers"]
    else:
        rng = np.random.default_rng([seed, 7])
        images = np.stack([augment(dataset.images[split.train], rng) for _ in range(sets)]).astype(np.uint8)
        answers = np.stack([_answers(teacher, part) for part in images])
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "next.npz", images=images, answers=answers)
        (folder / "next.npz").replace(path)
    truth = one_hot(dataset.labels[split.train], len(dataset.classes))

    def epoch(number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        rng = np.random.default_rng([seed, number, 3])
        chosen = images[number % len(images)].astype(np.float32)
        mirror = rng.random(len(chosen)) < 0.5
        chosen[mirror] = chosen[mirror, :, ::-1]
        grain = rng.standard_normal(chosen.shape, dtype=np.float32) * np.float32(3.0)
        targets = TRUST * answers[number % len(images)] + (1 - TRUST) * truth
        return np.clip(chosen + grain, 0, 255), targets.astype(np.float32)

    return epoch


def _answers(teacher: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    p = np.asarray(teacher.predict(images.astype(np.float32), batch_size=32, verbose=0), dtype=np.float64)
    soft = np.maximum(p, 1e-9) ** (1 / TEMPERATURE)
    return np.asarray(soft / soft.sum(axis=1, keepdims=True), dtype=np.float32)
