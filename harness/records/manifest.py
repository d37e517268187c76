"""``models/<name>/manifest.json``: the artifacts of one network and their provenance."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import ArtifactError
from harness.core.files import write_atomic
from harness.core.safetext import clean

Variant = Literal["fp32", "fp16", "dynamic", "int8"]
Format = Literal["tflite", "onnx"]
VARIANTS: tuple[Variant, ...] = ("fp32", "fp16", "dynamic", "int8")
#: A manifest has some kilobytes; a larger file is refused.
MAX_BYTES = 16 << 20
_HEX64 = r"^[0-9a-f]{64}$"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorSpec(_Record):
    """One input or output tensor. ``scale`` and ``zero_point`` are null for float tensors."""

    shape: tuple[int, ...]
    dtype: Literal["float32", "float16", "int8", "uint8"]
    scale: float | None = None
    zero_point: int | None = None


class Agreement(_Record):
    """A comparison of a file's predictions with those of its Keras model, on the test images.

    ``same_top1`` of ``images`` images get the same most probable class. ``max_difference`` is the largest difference of
    any probability.
    """

    same_top1: int = Field(ge=0)
    images: int = Field(gt=0)
    max_difference: float = Field(ge=0, le=1)


class Artifact(_Record):
    """One file, ``<variant>.<format>`` beside the manifest. The file may be absent if it is too large to commit.

    ``accuracy`` is measured with the runtime named in ``accuracy_runtime``, on the manifest's test split.
    ``gzip_bytes`` is the size after gzip -9.
    """

    variant: Variant
    format: Format
    sha256: str = Field(pattern=_HEX64)
    bytes: int = Field(gt=0)
    gzip_bytes: int | None = None
    input: TensorSpec
    output: TensorSpec
    quantisation: str
    accuracy: float = Field(ge=0, le=1)
    accuracy_runtime: str
    agreement: Agreement | None = None

    @property
    def filename(self) -> str:
        return f"{self.variant}.{self.format}"


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
    """The data set and the split that a network was trained and evaluated on."""

    dataset: str
    dataset_sha256: str = Field(pattern=_HEX64)
    synthetic: bool
    scheme: Literal["random", "subject"]
    seed: int
    fold: int
    folds: int
    n_train: int
    n_validation: int
    n_test: int
    subject_overlap: int | None
    sha256: str = Field(pattern=_HEX64)


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


class Manifest(_Record):
    """The record of one network's artifacts. ``macs`` is the number of multiply-accumulates for one image.

    ``confusion`` is the fp32 network's confusion matrix on the test split; rows are true classes.
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str
    citation: str
    classes: tuple[str, ...]
    parameters: int
    macs: int
    seed: int
    profile: str
    split: SplitRecord
    chain: tuple[Step, ...]
    artifacts: tuple[Artifact, ...]
    confusion: tuple[tuple[int, ...], ...] | None = None
    cross_checks: tuple[CrossCheck, ...] = ()
    zeroed: tuple[Zeroed, ...] = ()
    libraries: dict[str, str]
    created: str

    @property
    def pruned_from(self) -> str | None:
        """The network that this one was pruned from, taken from its name; None if it was not pruned."""
        parent, mark, _ = self.name.partition("-pruned")
        return parent if mark and any(step.kind == "pruned" for step in self.chain) else None

    def artifact(self, variant: str, fmt: str) -> Artifact | None:
        """The artifact of that variant and format, or None if the network has no such artifact."""
        return next((a for a in self.artifacts if (a.variant, a.format) == (variant, fmt)), None)


def load(models: Path, name: str) -> Manifest:
    """Read and check ``models/<name>/manifest.json``.

    Raises:
        ArtifactError: the file is missing or is not a valid manifest.
    """
    path = models / name / "manifest.json"
    fix = f"harness build {name}"
    try:
        manifest = Manifest.model_validate_json(_read(path))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: not there", fix=fix) from error
    except OSError as error:
        raise ArtifactError(f"{path}: can't be read: {error.strerror or error}", fix=fix) from error
    except ValidationError as error:
        raise ArtifactError(f"{path}: not a manifest: {_wrong(error)}", fix=fix) from error
    if manifest.name != name:
        raise ArtifactError(f"{path}: is the manifest of '{manifest.name}'", fix=f"harness build {name}")
    return manifest


def _read(path: Path) -> bytes:
    # without O_NONBLOCK, the open of a named pipe would wait forever
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        if state.st_size > MAX_BYTES:
            raise OSError(errno.EFBIG, f"larger than the {MAX_BYTES >> 20} MiB such a file can have")
        return file.read(MAX_BYTES)


def _wrong(error: ValidationError) -> str:
    """A readable description of the first problem, and how many more there are."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = problems[0]
    place = clean(".".join(str(part) for part in first["loc"]), 100)
    if first["type"] == "json_invalid":
        return "it is empty" if "EOF" in first["msg"] and "line 1 column 0" in first["msg"] else "it is no whole JSON"
    if first["type"] == "missing":
        text = f"'{place}' is missing"
    elif first["type"] == "extra_forbidden":
        text = f"'{place}' is unknown to this version of the harness"
    else:
        text = f"'{place}' has a value that can't be" if place else "it is no JSON object"
    more = len(problems) - 1
    return text + (f", and {more} more like it" if more else "")


def save(models: Path, manifest: Manifest) -> Path:
    """Write a manifest atomically where :func:`load` finds it; returns its path."""
    path = models / manifest.name / "manifest.json"
    write_atomic(path, manifest.model_dump_json(indent=1) + "\n")
    return path


def names(models: Path) -> list[str]:
    """The names of all networks that have a manifest under ``models``, sorted."""
    return sorted(p.parent.name for p in models.glob("*/manifest.json"))


def readable(models: Path) -> dict[str, Manifest]:
    """All readable manifests under ``models`` by name. :func:`load` says why another can't be read."""
    manifests: dict[str, Manifest] = {}
    for name in names(models):
        with contextlib.suppress(ArtifactError):
            manifests[name] = load(models, name)
    return manifests
