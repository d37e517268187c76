"""What a manifest records of training, compression and their data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.records.base import SCHEME
from harness.records.golden import HEX64


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Agreement(_Record):
    """A comparison of a file's predictions with those of its Keras model, on the test images.

    ``same_top1`` of ``images`` images get the same most probable class. ``max_difference`` is the largest difference of
    any probability.
    """

    same_top1: int = Field(ge=0)
    images: int = Field(gt=0)
    max_difference: float = Field(ge=0, le=1)


class Unseen(_Record):
    """Accuracy on ``n`` drawn images of ``persons`` people that no network was trained on, of these generator
    ``seeds``. ``low`` and ``high`` bound the 95 % interval over people.
    """

    n: int = Field(gt=0)
    persons: int = Field(gt=0)
    seeds: tuple[int, ...]
    accuracy: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Step(_Record):
    """One step of the compression chain (trained, pruned, tuned, quantised), with the model's state after it.

    ``accuracy`` is measured on the test split, ``validation_accuracy`` on the validation split that guided choices.
    """

    kind: Literal["trained", "pruned", "tuned", "quantised"]
    detail: str
    parameters: int
    macs: int
    bytes: int | None = None
    validation_accuracy: float | None = None
    accuracy: float | None = None
    seconds: float | None = None


#: Operators whose multiply-accumulates a manifest may list. Networks here have some hundred at most.
MAX_NODES = 2000


class NodeMacs(_Record):
    """One operator of a file: its kind, the name of the tensor that it makes, and its multiply-accumulates."""

    kind: str = Field(max_length=255)
    name: str = Field(max_length=4096)
    macs: int = Field(ge=0, le=1 << 53)


class Zeroed(_Record):
    """A file of this network whose smallest weights were set to zero: unstructured magnitude pruning, for comparison.

    ``share`` is the part of all weights that was zeroed. ``latency_ratio`` is the file's median latency over that of
    the file with no weight zeroed; both ran by turns, with one thread, on the machine that built them. The file is not
    kept.
    """

    filename: str
    share: float = Field(ge=0, lt=1)
    bytes: int = Field(gt=0)
    gzip_bytes: int = Field(gt=0)
    validation_accuracy: float = Field(ge=0, le=1)
    accuracy: float = Field(ge=0, le=1)
    latency_ratio: float = Field(gt=0)


class SplitRecord(_Record):
    """The data set and the split that a network was trained and evaluated on.

    ``scheme`` is a short word: ``random``, ``subject``, ``folders``, ``column``, ``stratified``, ``group``.
    """

    dataset: str
    dataset_sha256: str = Field(pattern=HEX64)
    synthetic: bool
    scheme: str = Field(pattern=SCHEME)
    seed: int
    fold: int
    folds: int
    n_train: int
    n_validation: int
    n_test: int
    subject_overlap: int | None
    sha256: str = Field(pattern=HEX64)


class Trial(_Record):
    """One training of a cross-check: seed, fold (from 0), and accuracy (fp32, Keras) on ``n_test`` test images."""

    seed: int
    fold: int
    accuracy: float = Field(ge=0, le=1)
    n_test: int = Field(gt=0)


class CrossCheck(_Record):
    """Accuracy of the network trained again under a split scheme, e.g. subject-disjoint. Folds may be missing."""

    scheme: Literal["random", "subject"]
    folds: int
    profile: str
    trials: tuple[Trial, ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracy of each trial."""
        return tuple(trial.accuracy for trial in self.trials)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The distinct seeds of the trials, ascending."""
        return tuple(sorted({trial.seed for trial in self.trials}))
