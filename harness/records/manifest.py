"""``models/<name>/manifest.json``: the artifacts of one network and their provenance."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from harness.core.errors import ArtifactError
from harness.core.files import write_atomic
from harness.core.safetext import clean
from harness.records.base import Lean
from harness.records.golden import HEX64, MAX_TENSORS, Golden, InputsRecord
from harness.records.tensor import TensorSpec as TensorSpec
from harness.records.training import Agreement as Agreement
from harness.records.training import CrossCheck as CrossCheck
from harness.records.training import SplitRecord as SplitRecord
from harness.records.training import Step as Step
from harness.records.training import Trial as Trial
from harness.records.training import Unseen as Unseen
from harness.records.training import Zeroed as Zeroed

Variant = Literal["fp32", "fp16", "dynamic", "int8"]
Format = Literal["tflite", "onnx"]
VARIANTS: tuple[Variant, ...] = ("fp32", "fp16", "dynamic", "int8")
#: A manifest has some kilobytes; a larger file is refused.
MAX_BYTES = 16 << 20
#: Version of the manifest. Older ones are migrated when read, newer ones are refused.
SCHEMA = 2
_NAME = r"^[a-z0-9][a-z0-9-]{0,63}$"


class Artifact(Lean):
    """One file, ``<variant>.<format>`` beside the manifest. The file may be absent if it is too large to commit.

    Attributes:
        gzip_bytes: the size after gzip -9.
        inputs, outputs: its tensors, in the file's order.
        accuracy: measured with the runtime named in ``accuracy_runtime``, on the manifest's test split. None where no
            labels judge it.
        unseen: accuracy on people that nobody was trained on.
        operators: how often the file has each operator.
        versions: ``opset`` and ``ir`` of ONNX, ``schema`` of TFLite.
        source: the file name that its user gave it, never a path.
        golden: the outputs that it must give.
    """

    _later = frozenset({"unseen", "operators", "versions", "source", "golden"})

    variant: Variant
    format: Format
    sha256: str = Field(pattern=HEX64)
    bytes: int = Field(gt=0)
    gzip_bytes: int | None = None
    inputs: tuple[TensorSpec, ...] = Field(max_length=MAX_TENSORS)
    outputs: tuple[TensorSpec, ...] = Field(min_length=1, max_length=MAX_TENSORS)
    quantisation: str
    accuracy: float | None = Field(default=None, ge=0, le=1)
    accuracy_runtime: str | None = None
    agreement: Agreement | None = None
    unseen: Unseen | None = None
    operators: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, int] = Field(default_factory=dict)
    source: str | None = Field(default=None, max_length=255)
    golden: Golden | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, content: object) -> object:
        """Schema 1 had one input and one output."""
        if not isinstance(content, dict):
            return content
        for one, several in (("input", "inputs"), ("output", "outputs")):
            if one in content and several not in content:
                content = {**{key: value for key, value in content.items() if key != one}, several: (content[one],)}
        return content

    @property
    def filename(self) -> str:
        return f"{self.variant}.{self.format}"

    @property
    def input(self) -> TensorSpec:
        """The first input."""
        return self.inputs[0]

    @property
    def output(self) -> TensorSpec:
        """The first output."""
        return self.outputs[0]

    @property
    def quantised_input(self) -> tuple[float, int] | None:
        """Scale and zero point of the first input; None where it has none."""
        scale, zero_point = (self.input.scale, self.input.zero_point) if self.inputs else (None, None)
        return (scale, zero_point or 0) if scale else None


class Manifest(Lean):
    """The record of one network's artifacts.

    Attributes:
        title, citation, profile: empty where a file of somebody else's has none.
        classes: empty where the network is no classifier, or nobody knows its classes.
        parameters: None where the file doesn't tell.
        macs: multiply-accumulates for one inference; None where an operator isn't known, and ``macs_missing`` says why.
        seed: of the training; None where nothing was trained here.
        split: None where no data set judges the network.
        task: the task's name; None is the task that this project began with.
        inputs: what the network runs without a data set.
        confusion: the fp32 network's confusion matrix on the test split; rows are true classes.
    """

    _later = frozenset({"task", "macs_missing", "inputs"})

    schema_version: Literal[2] = 2
    name: str = Field(pattern=_NAME)
    title: str
    citation: str
    classes: tuple[str, ...]
    parameters: int | None
    macs: int | None
    macs_missing: str = ""
    seed: int | None
    profile: str
    split: SplitRecord | None
    task: str | None = Field(default=None, max_length=255)
    inputs: InputsRecord | None = None
    chain: tuple[Step, ...]
    artifacts: tuple[Artifact, ...]
    confusion: tuple[tuple[int, ...], ...] | None = None
    cross_checks: tuple[CrossCheck, ...] = ()
    zeroed: tuple[Zeroed, ...] = ()
    libraries: dict[str, str]
    created: str

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, content: object) -> object:
        """An older manifest is read as if it were of this schema; see :class:`Artifact` for what changed."""
        if isinstance(content, dict) and content.get("schema_version") == 1:
            return {**content, "schema_version": SCHEMA}
        return content

    @property
    def pruned_from(self) -> str | None:
        """The network that this one was pruned from, taken from its name; None if it was not pruned."""
        parent, mark, _ = self.name.partition("-pruned")
        return parent if mark and any(step.kind == "pruned" for step in self.chain) else None

    def artifact(self, variant: str, fmt: str) -> Artifact | None:
        """The artifact of that variant and format, or None if the network has no such artifact."""
        return next((a for a in self.artifacts if (a.variant, a.format) == (variant, fmt)), None)


def can_name(name: str) -> bool:
    """Whether a network may have this name."""
    return re.fullmatch(_NAME, name) is not None


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
    if first["loc"] == ("schema_version",):
        return f"its schema is not one of 1 to {SCHEMA}, so a newer harness may read it"
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
