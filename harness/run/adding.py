"""Keeps model files of somebody else's under ``models/``: with a manifest, their inputs and their golden outputs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.errors import HarnessError, StoreError, UsageError
from harness.core.files import sha256_bytes, sha256_file, write_atomic
from harness.core.safetext import clean
from harness.modelfile import ModelFile
from harness.modelfile import read_all as read_models
from harness.records import manifest as manifests
from harness.records.golden import Golden
from harness.records.manifest import Artifact, Manifest
from harness.run.foreign import Fed, manifest_of, name_of
from harness.run.golden.file import GoldenOutputs
from harness.run.golden.reference import Asked, Referee, missing
from harness.run.inputs.arrays import Samples
from harness.run.testset import OwnInputs, TestSet

INPUTS = "inputs.npz"


@dataclass(frozen=True)
class Added:
    """A network that was added: its folder, its manifest, and why files of it have no golden outputs."""

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _New:
    """A file to be added, with what it is run with: samples of its own, or those of a task."""

    file: ModelFile
    samples: Samples | None
    inputs: OwnInputs

    @property
    def filename(self) -> str:
        return f"{self.file.variant}.{self.file.format}"


def add(
    paths: Sequence[Path], fed: Fed, models: Path, *, name: str | None = None, say: Callable[[str], None]
) -> list[Added]:
    """Add model files; those of one name become files of one network.

    Args:
        name: of the network; None takes each file's own.
        say: receives what a person may want to know meanwhile.

    Raises:
        UsageError: a file, the inputs or the name are not what they should be; nothing has been written.
        StoreError: ``models`` can't be written.
    """
    networks: dict[str, list[_New]] = {}
    for file in read_models(paths, fed.shapes, fed.task.sample if fed.task else None):
        networks.setdefault(name or name_of(file.path), []).append(_new(file, fed))
    before = {network: _checked(models, network, files) for network, files in networks.items()}
    referee = Referee(say, lambda _connection: None)
    for network, files in networks.items():
        _same_inputs(before[network], _manifest(models / network, files, fed), models / network)
    return [
        _added(models / network, files, fed, before=before[network], referee=referee)
        for network, files in networks.items()
    ]


def _new(file: ModelFile, fed: Fed) -> _New:
    if fed.task is not None:
        return _New(file, None, fed.task.inputs(file.path, file.inputs, file.outputs))
    samples = fed.samples(file)
    return _New(file, samples, samples.own_inputs())


def _manifest(folder: Path, files: Sequence[_New], fed: Fed) -> Manifest:
    """The manifest of a network, with its inputs or its task."""
    samples = files[0].samples
    made = manifest_of(folder.name, [new.file for new in files], fed.record(samples) if samples else None)
    return made if fed.task is None else fed.task.marked(made)


def _checked(models: Path, name: str, files: Sequence[_New]) -> Manifest | None:
    """The network of that name that was added earlier; None where there is none.

    Raises:
        UsageError: the name is not a network's, or taken, or two files would be one.
    """
    if not manifests.can_name(name):
        raise UsageError(f"'{clean(name, 100)}' can't be a network's name", fix="lower-case letters, digits and -")
    before = None
    if (models / name).exists():
        try:
            before = manifests.load(models, name)
        except HarnessError as error:
            raise UsageError(f"{models / name}: there already", fix="--name another one, or remove it") from error
        if before.inputs is None and (before.task is None or before.chain):
            raise UsageError(f"{models / name}: was built here, so nothing is added to it", fix="--name another one")
    known = {artifact.filename: artifact.sha256 for artifact in before.artifacts} if before else {}
    for new in files:
        if known.setdefault(new.filename, new.file.sha256) != new.file.sha256:
            text = f"{new.file.path}: would be {new.filename} of '{name}', which is another file already"
            raise UsageError(text, fix="--name another one")
    return before


def _same_inputs(before: Manifest | None, made: Manifest, folder: Path) -> None:
    if before is not None and (before.inputs, before.task, before.split) != (made.inputs, made.task, made.split):
        raise UsageError(f"{folder}: was added with other inputs", fix="give the same, or --name another one")


def _added(folder: Path, files: Sequence[_New], fed: Fed, *, before: Manifest | None, referee: Referee) -> Added:
    made = _manifest(folder, files, fed)
    notes: list[str] = []
    artifacts = []
    for new, artifact in zip(files, made.artifacts, strict=True):
        _copy(new.file.embedded, folder / artifact.filename, artifact.sha256)
        try:
            artifacts.append(_with_golden(folder, new, artifact, referee=referee, notes=notes))
        except HarnessError as error:
            notes.append(f"{artifact.filename}: {missing(error)}")
            artifacts.append(artifact)
    samples = files[0].samples
    if fed.file is not None and samples is not None:
        write_atomic(folder / INPUTS, _named_npz(samples))
    kept = [artifact for artifact in (before.artifacts if before else ()) if artifact.filename not in _names(artifacts)]
    manifest = (before or made).model_copy(update={"artifacts": (*kept, *artifacts)})
    manifests.save(folder.parent, manifest)
    return Added(folder, manifest, tuple(notes))


def _names(artifacts: Sequence[Artifact]) -> set[str]:
    return {artifact.filename for artifact in artifacts}


def _with_golden(folder: Path, new: _New, artifact: Artifact, *, referee: Referee, notes: list[str]) -> Artifact:
    """The artifact with its golden outputs, which are written, and with its accuracy on a task.

    Raises:
        HarnessError: none can be made.
    """
    test = new.inputs.prepare(None)
    golden = referee.golden(Asked(folder / artifact.filename, artifact, test, classes=0))
    artifact = _judged(artifact, test, golden, notes)
    return artifact.model_copy(update={"golden": _written(folder / f"{artifact.filename}.golden", golden)})


def _judged(artifact: Artifact, test: TestSet, golden: GoldenOutputs, notes: list[str]) -> Artifact:
    """The artifact with its accuracy on a task, by its golden outputs; with a note where there is none."""
    if test.judge is None:
        return artifact
    judged = test.judge.judged(golden.outputs, artifact.outputs)
    if judged.wrong is not None:
        notes.append(f"{artifact.filename}: no accuracy: {judged.wrong}")
    if judged.metric is not None:
        notes.append(f"{artifact.filename}: {judged.metric.name} {judged.metric.value:.6g} on {test.info.n} samples")
    if judged.accuracy is None:
        return artifact
    runtime = f"{golden.head.runtime} {golden.head.version or ''}".strip()
    return artifact.model_copy(update={"accuracy": judged.accuracy, "accuracy_runtime": runtime})


def _written(path: Path, golden: GoldenOutputs) -> Golden:
    content = golden.content()
    write_atomic(path, content)
    head = golden.head
    return Golden(
        file=path.name,
        sha256=sha256_bytes(content),
        inputs_sha256=head.inputs_sha256,
        runtime=head.runtime,
        version=head.version or "",
        machine=head.machine,
        samples=golden.outputs.about.samples,
    )


def _copy(source: Path, target: Path, sha256: str) -> None:
    """Copy a file whole or not at all.

    Raises:
        StoreError: it can't be written, or has changed since it was read.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
        if sha256_file(part) != sha256:
            raise StoreError(f"{source}: changed while it was added", fix="add it again")
        part.replace(target)
    except OSError as error:
        raise StoreError(f"{target}: can't be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _named_npz(samples: Samples) -> bytes:
    buffer = io.BytesIO()
    named = {tensor.name: array for tensor, array in zip(samples.tensors, samples.arrays, strict=True)}
    np.savez(buffer, allow_pickle=False, **named)
    return buffer.getvalue()
