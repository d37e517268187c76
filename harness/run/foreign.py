"""Model files that nobody here built: each becomes a network with a manifest, kept in memory or under ``models/``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.modelfile import ModelFile
from harness.modelfile import read as read_model
from harness.modelfile import read_all as read_models
from harness.records.golden import InputsRecord
from harness.records.manifest import Artifact, Manifest
from harness.run.inputs.arrays import Samples
from harness.run.inputs.given import given
from harness.run.inputs.seeded import SAMPLES, seeded
from harness.run.inventory import Shipped

if TYPE_CHECKING:
    from harness.run.tasked import TaskRun

_NAME_LENGTH = 56


@dataclass(frozen=True)
class Fed:
    """What a network without a data set is to be run with.

    Attributes:
        file: the user's .npz file; None for random values.
        shapes: sizes of inputs whose sizes are open, by the input's name.
        task: whose samples are run instead, and whose labels judge the outputs.
    """

    file: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    task: TaskRun | None = None

    def samples(self, file: ModelFile) -> Samples:
        """The samples for a model file.

        Raises:
            UsageError: they don't fit it.
        """
        return given(self.file, file.inputs) if self.file else seeded(file.inputs)

    def record(self, samples: Samples) -> InputsRecord:
        """What the manifest says of them."""
        if self.file is None:
            return InputsRecord(kind="seeded", seed=0, n=SAMPLES)
        return InputsRecord(kind="given", n=samples.n, sha256=samples.sha256, file="inputs.npz")


def taken(paths: Sequence[Path], fed: Fed, known: Collection[str]) -> list[Shipped]:
    """The networks in model files.

    Args:
        known: names that other networks of the run, or under ``models/``, have already.

    Raises:
        UsageError: a file or the inputs are not what they should be; nothing has been touched.
    """
    files = _different(read_models(paths, fed.shapes, fed.task.sample if fed.task else None))
    names = _names(files, known)
    return [_shipped(file, name, fed) for file, name in zip(files, names, strict=True)]


def _different(files: Sequence[ModelFile]) -> list[ModelFile]:
    """Each content once."""
    return list({file.sha256: file for file in reversed(files)}.values())[::-1]


def _names(files: Sequence[ModelFile], known: Collection[str]) -> list[str]:
    """A name for each file: its own, and the start of its hash where that name is not its alone."""
    plain = [name_of(file.path) for file in files]
    counts = Counter(plain)
    return [
        f"{name}-{file.sha256[:6]}" if counts[name] > 1 or name in known else name
        for file, name in zip(files, plain, strict=True)
    ]


def name_of(path: Path) -> str:
    """A network's name from its file's: lower-case letters, digits and hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:_NAME_LENGTH].strip("-")
    return words or "model"


def _shipped(file: ModelFile, name: str, fed: Fed) -> Shipped:
    samples = fed.samples(file)
    manifest = manifest_of(name, [file], fed.record(samples))
    return Shipped(
        manifest, manifest.artifacts[0], file.embedded, own_inputs=samples.own_inputs(), file=file, asked=True
    )


def manifest_of(name: str, files: Sequence[ModelFile], inputs: InputsRecord | None) -> Manifest:
    """The manifest of a network in these files, the first of which says what is said once."""
    first = files[0]
    return Manifest(
        name=name,
        title=clean(first.path.stem, 200),
        citation="",
        classes=(),
        parameters=first.parameters,
        macs=first.macs,
        macs_missing=clean(first.macs_missing, 500),
        seed=None,
        profile="",
        split=None,
        inputs=inputs,
        chain=(),
        artifacts=tuple(artifact_of(file) for file in files),
        libraries={},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def artifact_of(file: ModelFile) -> Artifact:
    """The record of one file."""
    return Artifact(
        variant=file.variant,
        format=file.format,
        sha256=file.sha256,
        bytes=file.bytes,
        inputs=file.inputs,
        outputs=file.outputs,
        quantisation="",
        operators=dict(file.operators),
        versions=dict(file.versions),
        source=clean(file.path.name, 255),
    )


def reused(shipped: Shipped, models: Path, file: Path | None) -> Shipped:
    """A network of ``models/`` with the inputs that it was added with, or with the user's own ones.

    Raises:
        UsageError: the inputs are not what they should be.
    """
    record, folder = shipped.manifest.inputs, models / shipped.manifest.name
    if file is None and record is None:
        return shipped
    if file is None and record is not None and record.kind == "seeded":
        samples = seeded(shipped.artifact.inputs, record.seed or 0, record.n)
    elif file is not None:
        named = all(tensor.name for tensor in shipped.artifact.inputs)  # manifests of schema 1 have no names
        samples = given(file, shipped.artifact.inputs if named else read_model(shipped.path).inputs)
    else:
        samples = _stored(shipped, folder)
    golden = shipped.artifact.golden
    shapes = {tensor.name: tensor.shape for tensor in shipped.artifact.inputs if tensor.declared is not None}
    return replace(
        shipped,
        own_inputs=samples.own_inputs(),
        golden=folder / golden.file if golden else None,
        file=read_model(shipped.path, shapes) if record else None,
    )


def _stored(shipped: Shipped, folder: Path) -> Samples:
    record = shipped.manifest.inputs
    path = folder / str(record.file if record else "")
    samples = given(path, shipped.artifact.inputs)
    if record is None or samples.sha256 != record.sha256:
        raise UsageError(f"{path}: are not the inputs its manifest names (SHA-256 differs)", fix="harness add it again")
    return samples
