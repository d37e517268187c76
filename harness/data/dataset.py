"""The frozen record every data source returns and every split, training and measurement starts from."""

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
    """N grey face images with what is needed to split them honestly.

    Attributes:
        name: ``synthetic``, ``ckplus-981``, ``ckplus-csv``, or ``ckplus-tree-<mode>-<crop>``.
        synthetic: True when no real face is in it; said on every page of a report.
        images: uint8, shape (N, 48, 48), 0 black to 255 white.
        labels: int64, shape (N,), indices into ``classes``.
        subjects: one id per image (``S005``); None where the source doesn't tell.
        sequences: one id per image (``S005_001``); None where the source doesn't tell.
        classes: class names in index order.
    """

    name: str
    synthetic: bool
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    subjects: tuple[str, ...] | None
    sequences: tuple[str, ...] | None
    classes: tuple[str, ...] = CLASSES

    @property
    def sha256(self) -> str:
        """Hash of everything that decides a measurement: pixels, labels, subjects, class names."""
        digest = hashlib.sha256()
        digest.update(repr((self.name, self.images.shape, self.classes, self.subjects, self.sequences)).encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.labels.astype("<i8")).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """Which images are for what. Indices into the data set, ascending, disjoint.

    Attributes:
        scheme: ``random`` (stratified 10 % test, as in the paper) or ``subject`` (subject-disjoint fold).
        seed: of the shuffle.
        fold, folds: which fold of how many (0 of 1 for a single random split).
        train, validation, test: int64 indices. Test is never used to choose anything.
        subject_overlap: how many test images show a person who is also in train or validation; None if unknown.
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
