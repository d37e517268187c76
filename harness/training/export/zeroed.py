"""The effect of zeroing single weights of an exported file: compressed size, accuracy, and an unchanged latency."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core.errors import ArtifactError
from harness.core.files import sha256_file
from harness.data.dataset import Dataset, Split
from harness.records import manifest as manifests
from harness.records.manifest import Manifest, Zeroed
from harness.training.compress.magnitude import zeroed
from harness.training.export import runtimes, timing

SHARES = (0.5, 0.7, 0.8, 0.9)
#: networks whose path to a pruned form the report compares with this
NETWORKS = ("resvgg19",)
FILENAME = "int8.tflite"


def rows(path: Path, dataset: Dataset, split: Split, shares: Sequence[float] | None = None) -> tuple[Zeroed, ...]:
    """One record per share of weights (``SHARES`` by default) zeroed in a TFLite file, which stays as it is.

    Accuracy is measured with LiteRT; the latency in alternation with the unchanged file.
    """
    return tuple(_row(path, share, dataset, split) for share in (SHARES if shares is None else shares))


def _row(path: Path, share: float, dataset: Dataset, split: Split) -> Zeroed:
    changed, _ = zeroed(path.read_bytes(), share)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        file.write_bytes(changed)
        validation, test = (
            runtimes.accuracy(file, dataset.images[part], dataset.labels[part])
            for part in (split.validation, split.test)
        )
        ratio = timing.ratio_by_turns(file, path, dataset.images[split.test])
    return Zeroed(
        filename=path.name,
        share=share,
        bytes=len(changed),
        gzip_bytes=len(gzip.compress(changed, 9, mtime=0)),
        validation_accuracy=validation,
        accuracy=test,
        latency_ratio=ratio,
    )


def record(models: Path, name: str, dataset: Dataset, split: Split, progress: Callable[[str], None]) -> Manifest:
    """Add the rows of a network's existing int8 file to its manifest; nothing is trained.

    Raises:
        ArtifactError: the file doesn't exist or isn't the manifest's, or the manifest is of another split.
    """
    before = manifests.load(models, name)
    path, artifact = models / name / FILENAME, before.artifact("int8", "tflite")
    if artifact is None or not path.exists() or sha256_file(path) != artifact.sha256:
        raise ArtifactError(f"{path}: not there, or not the file its manifest names", fix=f"harness build {name}")
    if before.split is None or before.split.sha256 != split.sha256:
        raise ArtifactError(f"{path}: made with another split than this one", fix="give the data it was built with")
    records = rows(path, dataset, split)
    for row in records:
        progress(f"{name}: {row.filename}, {row.share:.0%} of weights zeroed: {in_words(row)}")
    after = before.model_copy(update={"zeroed": records})
    manifests.save(models, after)
    return after


def in_words(row: Zeroed) -> str:
    """A row in words."""
    return f"{row.gzip_bytes} bytes zipped, accuracy {row.accuracy:.4f}, latency x {row.latency_ratio:.3f}"
