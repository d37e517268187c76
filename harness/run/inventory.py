"""The artifacts available for measuring, each verified to be the file that its manifest names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ArtifactError, MissingModelError, UsageError
from harness.core.files import sha256_file
from harness.modelfile import ModelFile
from harness.records import manifest as manifests
from harness.records.cell import Reason
from harness.records.manifest import Artifact, Manifest
from harness.run.testset import OwnInputs


@dataclass(frozen=True)
class Original:
    """The artifact that a file was converted from, where that lies, and the programs that did it."""

    artifact: Artifact
    path: Path
    by: str


@dataclass(frozen=True)
class Shipped:
    """An artifact whose file exists, with its manifest.

    Attributes:
        own_inputs: what it is run with; None where that is the images that all networks of a run share.
        original: what ``path`` was converted from, for a delegate or a runtime; None where it was not.
        golden: the file of its stored golden outputs.
        file: what the file says of itself; None where nobody has read it.
        asked: whether the file itself was named on the command line.
    """

    manifest: Manifest
    artifact: Artifact
    path: Path
    own_inputs: OwnInputs | None = None
    original: Original | None = None
    golden: Path | None = None
    file: ModelFile | None = None
    asked: bool = False

    @property
    def label(self) -> str:
        return f"{self.manifest.name}/{self.artifact.filename}"


def inventory(
    models: Path,
    names: Sequence[str],
    variants: Sequence[str],
    left_out: list[Reason] | None = None,
    without: Collection[str] = (),
) -> list[Shipped]:
    """The artifacts that exist and match their manifests.

    Args:
        names: networks requested by name; all when empty. A damaged one is an error only where it was requested or
            nothing else is left.
        variants: variants requested; all when empty.
        left_out: receives a reason for every damaged artifact that was not requested.
        without: names that count as not there.

    Raises:
        MissingModelError: a requested model or variant doesn't exist; the fix is the command that builds it.
        ArtifactError: a manifest can't be read, or a file is not the one its manifest names.
    """
    known = [name for name in manifests.names(models) if name not in without]
    if unknown := tuple(name for name in names if name not in known):
        there = f"there: {', '.join(known) or 'none'}"
        raise MissingModelError(f"model '{unknown[0]}' is not in {models}/ ({there})", names=unknown)
    if not known:
        raise MissingModelError(f"no model in {models}/", names=())
    shipped: list[Shipped] = []
    errors: list[ArtifactError] = []
    for name in names or known:
        here, damaged = _here(models, name, variants)
        if names and damaged:
            raise damaged[0]
        if names and not here:
            raise MissingModelError(f"model '{name}' is here in no variant asked for", names=(name,))
        shipped += here
        errors += damaged
    if not shipped:
        raise errors[0] if errors else UsageError(f"no artifact in {models}/ fits", fix="harness build")
    _same_split(shipped)
    if left_out is not None:
        left_out += [Reason(code=error.code, text=str(error)[:4000]) for error in errors]
    return shipped


def _here(models: Path, name: str, variants: Sequence[str]) -> tuple[list[Shipped], list[ArtifactError]]:
    """A network's existing artifacts, and the errors of the damaged ones."""
    try:
        record = manifests.load(models, name)
    except ArtifactError as error:
        return [], [error]
    here, damaged = [], []
    for artifact in record.artifacts:
        path = models / name / artifact.filename
        if not path.is_file() or (variants and artifact.variant not in variants):
            continue
        try:
            same = sha256_file(path) == artifact.sha256
        except OSError as error:
            damaged.append(ArtifactError(f"{path}: can't be read: {error.strerror}", fix=f"harness build {name}"))
            continue
        if same:
            here.append(Shipped(record, artifact, path))
        else:
            text = f"{path}: is not the file its manifest names (SHA-256 differs)"
            fix = f"harness build {name}" if record.inputs is None else f"remove {path.parent} and harness add it again"
            damaged.append(ArtifactError(text, fix=fix))
    return here, damaged


def _split_of(manifest: Manifest) -> str | None:
    return manifest.split.sha256 if manifest.split else None


def _same_split(artifacts: Sequence[Shipped]) -> None:
    """Make sure that all networks are compared on the same test images."""
    sharing = [shipped for shipped in artifacts if shipped.own_inputs is None]
    if not sharing:
        return
    first = sharing[0].manifest
    for shipped in sharing:
        if _split_of(shipped.manifest) != _split_of(first):
            raise UsageError(
                f"'{shipped.manifest.name}' and '{first.name}' were built with different splits",
                fix=f"harness build {shipped.manifest.name}, or choose with --model",
            )
