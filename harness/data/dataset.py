"""The records of a data set and of a split, from which training and measurement start."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: CK+'s seven labelled expressions, in the order used for class indices everywhere in this project.
CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")

#: Images per class in the 981-image form of CK+ (last three frames of 327 sequences), in the order of CLASSES.
CKPLUS_981_COUNTS = (135, 54, 177, 75, 207, 84, 249)


@dataclass(frozen=True)
class Dataset:
    """N images and their classes, with the subjects and sequences that a fair split needs.

    Attributes:
        name: ``synthetic``, ``ckplus-981``, ``ckplus-csv``, ``ckplus-tree-<mode>-<crop>``, or the name of a task.
        synthetic: True if it has no real faces. Each page of a report says so.
        images: uint8, 0 black to 255 white: shape (N, h, w) if grey, (N, h, w, 3) if red, green and blue.
        labels: int64, shape (N,), indices into ``classes``.
        subjects: one id for each image (``S005``): images with the same id are alike, such as those of one person; None
            if the source doesn't tell.
        sequences: one id for each image (``S005_001``); None if the source doesn't tell.
        classes: class names in index order.
        mirrors: whether a mirror image has the same class, so that training may use it. An expression does not depend
            on the side; a digit does.
    """

    name: str
    synthetic: bool
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subjects: tuple[str, ...] | None
    sequences: tuple[str, ...] | None
    classes: tuple[str, ...] = CLASSES
    mirrors: bool = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        height, width, *channels = self.images.shape[1:]
        return height, width, channels[0] if channels else 1

    @property
    def sha256(self) -> str:
        """Hash of all that determines a measurement: name, pixels, labels, subjects, sequences and class names."""
        digest = hashlib.sha256()
        digest.update(repr((self.name, self.images.shape, self.classes, self.subjects, self.sequences)).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.labels.astype("<i8")).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """The division of a data set into training, validation and test images.

    Attributes:
        scheme: ``random`` (stratified 10 % test, as in the paper), ``subject`` (subject-disjoint fold), or a task's way
            to split: ``folders``, ``column``, ``arrays``, ``stratified``, ``shuffled`` or ``group``.
        seed: seed of the shuffle.
        fold, folds: the fold, from 0, and the number of folds (0 and 1 for a single random split).
        train, validation, test: ascending, disjoint int64 indices into the data set. Test images guide no choice.
        subject_overlap: number of test images of a person who is also in train or validation; None if unknown.
        sha256: hash of the data set and the three index lists.
    """

    scheme: str
    seed: int
    fold: int
    folds: int
    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    subject_overlap: int | None
    sha256: str
