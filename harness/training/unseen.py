"""Accuracy on strangers: exported files run by their runtimes on drawn people that no network was trained on.

It needs the runtimes, not TensorFlow, and no training: any file that is there can be judged at any time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core import clusters
from harness.core.errors import ArtifactError, MissingExtraError, UsageError
from harness.core.files import sha256_bytes, sha256_file, write_atomic
from harness.core.paths import cache_dir
from harness.data.dataset import Dataset
from harness.data.synthetic.strangers import SEEDS, strangers, strangers_to
from harness.records import manifest as manifests
from harness.records.manifest import Artifact, Manifest, Unseen
from harness.records.manifest_edit import put_unseen
from harness.training.arrays import Index
from harness.training.export import runtimes
from harness.training.job import TrainingJob


@dataclass(frozen=True)
class People:
    """The strangers of some generator seeds.

    Attributes:
        dataset: all their images, in the order of the seeds.
        seeds: of the generator.
    """

    dataset: Dataset
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, seeds: Sequence[int] = SEEDS) -> People:
        """Draw them.

        Raises:
            UsageError: see :func:`harness.data.synthetic.strangers.strangers`.
        """
        return cls(strangers(seeds), tuple(seeds))

    @property
    def persons(self) -> tuple[str, ...]:
        """The person on each image."""
        return self.dataset.subjects or ()

    def right(self, answers: Index) -> npt.NDArray[np.bool_]:
        """Whether each answer, shape (n,), is the label."""
        return np.asarray(answers == self.dataset.labels)


def answers(path: Path, people: People) -> Index:
    """A file's answer to each image: class indices, int64 (n,). They are kept in the cache for the next time.

    Raises:
        BuildError: outputs hold NaN or infinity.
        MissingExtraError: the file's runtime isn't installed.
    """
    dataset = people.dataset
    runtime = _runtime(path)
    key = sha256_bytes(f"{sha256_file(path)} {dataset.sha256} {runtime}".encode())
    kept = cache_dir() / "answers" / f"{key}.npy"
    if (known := _known(kept, dataset)) is not None:
        return known
    found: Index = runtimes.probabilities(path, dataset.images).argmax(1).astype(np.int64)
    buffer = io.BytesIO()
    np.save(buffer, found.astype(np.int16), allow_pickle=False)
    write_atomic(kept, buffer.getvalue())
    return found


def unseen(path: Path, people: People) -> Unseen:
    """A file's accuracy on strangers with its 95 % interval by person.

    Raises:
        BuildError, MissingExtraError: as :func:`answers`.
    """
    right = people.right(answers(path, people))
    interval = clusters.proportion(right, people.persons)
    return Unseen(
        n=len(right),
        persons=len(set(people.persons)),
        seeds=people.seeds,
        accuracy=interval.value,
        low=interval.low,
        high=interval.high,
    )


def with_unseen(artifacts: Sequence[Artifact], job: TrainingJob) -> list[Artifact]:
    """Artifacts that a job has just exported, with their accuracy on strangers where the job's data were drawn faces.

    A quick build is a look, so one seed of strangers is enough for it.
    """
    if not strangers_to(job.dataset.sha256):
        return list(artifacts)
    people = People.of(SEEDS[:1] if job.profile == "quick" else SEEDS)
    found = []
    for artifact in artifacts:
        score = unseen(job.models / job.network.name / artifact.filename, people)
        job.progress(f"{job.network.name}/{artifact.filename}: {words(score)}")
        found.append(artifact.model_copy(update={"unseen": score}))
    return found


def judges(manifest: Manifest) -> bool:
    """Whether strangers are unseen to this network: it was trained on the drawn faces, and on nothing else."""
    return manifest.split is not None and strangers_to(manifest.split.dataset_sha256)


def files(models: Path, manifest: Manifest) -> list[tuple[Artifact, Path]]:
    """A network's artifacts whose files are there.

    Raises:
        ArtifactError: a file is not the one its manifest names.
    """
    found = []
    for artifact in manifest.artifacts:
        path = models / manifest.name / artifact.filename
        if not path.is_file():
            continue
        if sha256_file(path) != artifact.sha256:
            raise ArtifactError(
                f"{path}: is not the file its manifest names (SHA-256 differs)", fix=f"harness build {manifest.name}"
            )
        found.append((artifact, path))
    return found


def measure(models: Path, names: Sequence[str], *, progress: Callable[[str], None]) -> list[Manifest]:
    """Measure accuracy on strangers of the files that are there, and put it into their manifests; returns these.

    Args:
        names: of networks; all for drawn faces where none is named.
        progress: receives lines to show.

    Raises:
        UsageError: a named network is not for drawn faces, or there is none.
        ArtifactError: a manifest can't be read, or a file is not the one it names.
        BuildError, MissingExtraError: a file can't be run.
    """
    chosen = _chosen(models, names, progress)
    people = People.of()
    return [_measured(models, manifest, people, progress) for manifest in chosen]


def _chosen(models: Path, names: Sequence[str], progress: Callable[[str], None]) -> list[Manifest]:
    loaded = [manifests.load(models, name) for name in names or manifests.names(models)]
    drawn = [manifest for manifest in loaded if judges(manifest)]
    others = [manifest.name for manifest in loaded if manifest not in drawn]
    if others and (names or not drawn):
        raise UsageError(
            f"{others[0]} was not trained on the drawn faces, so there are no strangers to it",
            fix="name networks that were built with --data synthetic",
        )
    if not drawn:
        raise UsageError(f"no network in {models}/", fix="harness build")
    for name in others:
        progress(f"{name}: left out, it was not trained on the drawn faces")
    return drawn


def _measured(models: Path, manifest: Manifest, people: People, progress: Callable[[str], None]) -> Manifest:
    present = files(models, manifest)
    found: dict[str, Unseen] = {}
    for artifact, path in present:
        found[artifact.sha256] = score = unseen(path, people)
        progress(f"{manifest.name}/{artifact.filename}: {words(score)}")
    if absent := [a.filename for a in manifest.artifacts if a.sha256 not in found]:
        progress(f"{manifest.name}: not here, so not measured: {', '.join(absent)}")
    return put_unseen(models, manifest.name, found) if found else manifest


def words(score: Unseen) -> str:
    """An accuracy on strangers, for people."""
    return (
        f"{score.accuracy:.4f} on {score.n} images of {score.persons} strangers "
        f"(95 % interval {score.low:.4f} to {score.high:.4f})"
    )


def _known(path: Path, dataset: Dataset) -> Index | None:
    """The kept answers; None where there are none, or the file is damaged."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if found.dtype != np.int16 or found.shape != dataset.labels.shape:
        return None
    return np.asarray(found, dtype=np.int64)


def _runtime(path: Path) -> str:
    """Name and version of the file's runtime.

    Raises:
        MissingExtraError: it isn't installed.
    """
    from importlib.metadata import PackageNotFoundError

    try:
        return runtimes.runtime_name(path)
    except PackageNotFoundError as error:
        raise MissingExtraError(
            f"{path.name} needs the runtime {error.name}, which is not installed", fix=f"pip install {error.name}"
        ) from error
