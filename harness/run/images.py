"""The test images as boards receive them: one .npy file of pixels without labels. Labels never leave the controller."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.errors import UsageError
from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir
from harness.data import registry, splits
from harness.data.dataset import Dataset
from harness.data.spec import SYNTHETIC, DataSpec
from harness.data.synthetic.strangers import SEEDS, strangers, strangers_to
from harness.records.cell import SplitInfo
from harness.records.manifest import Manifest, SplitRecord
from harness.records.samples import UNSEEN


@dataclass(frozen=True)
class TestSet:
    """The images that a cell is measured on.

    Attributes:
        info: their description for the cell's file, with the labels.
        file: a .npy file, uint8, shape (n, 48, 48, 1), in the order of ``info.labels``.
        file_sha256: its hash, checked again on the board.
    """

    __test__ = False  # not a test case for pytest

    info: SplitInfo
    file: Path
    file_sha256: str


def prepare(record: SplitRecord, *, data: DataSpec = SYNTHETIC, samples: int | None = None) -> TestSet:
    """Prepare the test images of the split on which the artifacts' accuracy was measured, and verify that they are the
    same.

    Args:
        samples: only that many, spread evenly over the split. The split has the data set's order, so the first N would
            all be alike.

    Raises:
        UsageError: the data differ from those the artifacts were built with.
        DataError: the data can't be read.
    """
    dataset = registry.load(data)
    split = splits.split(dataset, record.scheme, record.seed, fold=record.fold, folds=record.folds)
    if split.sha256 != record.sha256:
        raise UsageError(
            f"data '{data}' does not give the test split the models were built with "
            f"(split {split.sha256[:12]}, models' {record.sha256[:12]} of '{record.dataset}')",
            fix="name that data with --data, or build the models again: harness build",
        )
    chosen = _spread(split.test, samples)
    path, digest = _file(dataset, chosen)
    info = SplitInfo(
        dataset=dataset.name,
        synthetic=dataset.synthetic,
        scheme=record.scheme,
        seed=record.seed,
        fold=record.fold,
        folds=record.folds,
        n=len(chosen),
        sha256=record.sha256 if len(chosen) == len(split.test) else digest,
        subject_overlap=split.subject_overlap if len(chosen) == len(split.test) else None,
        classes=dataset.classes,
        labels=tuple(int(label) for label in dataset.labels[chosen]),
    )
    return TestSet(info, path, digest)


def prepare_strangers(
    manifests: Sequence[Manifest], *, data: DataSpec = SYNTHETIC, samples: int | None = None
) -> TestSet:
    """Prepare strangers (:mod:`harness.data.synthetic.strangers`) instead of the test images.

    Args:
        manifests: of all networks that will run them.
        data, samples: as for :func:`prepare`.

    Raises:
        UsageError: a network was trained on other data than the drawn faces, so nobody drawn is a stranger to it.
    """
    for manifest in manifests:
        trained_on = manifest.split.dataset_sha256 if manifest.split else ""
        if data != SYNTHETIC or not strangers_to(trained_on):
            raise UsageError(
                f"'{manifest.name}' was not trained on the drawn faces, so there are no strangers to it",
                fix="leave --split unseen out, or choose with --model",
            )
    dataset = strangers()
    chosen = _spread(np.arange(len(dataset.labels), dtype=np.int64), samples)
    path, digest = _file(dataset, chosen)
    numbers = {person: number for number, person in enumerate(dict.fromkeys(dataset.subjects or ()))}
    info = SplitInfo(
        dataset=dataset.name,
        synthetic=True,
        scheme=UNSEEN,
        seed=SEEDS[0],
        seeds=SEEDS,
        n=len(chosen),
        sha256=dataset.sha256 if len(chosen) == len(dataset.labels) else digest,
        subject_overlap=0,
        classes=dataset.classes,
        labels=tuple(int(label) for label in dataset.labels[chosen]),
        persons=tuple(numbers[(dataset.subjects or ())[place]] for place in chosen),
    )
    return TestSet(info, path, digest)


def _spread(index: npt.NDArray[np.int64], samples: int | None) -> npt.NDArray[np.int64]:
    """So many of the images, spread evenly; all of them where no number is given."""
    if samples is None or samples >= len(index):
        return index
    return index[(np.arange(samples) * len(index)) // samples]


def _file(dataset: Dataset, chosen: npt.NDArray[np.int64]) -> tuple[Path, str]:
    """The file with these images of a data set, and its hash."""
    return _kept(_npy(np.ascontiguousarray(dataset.images[chosen][..., np.newaxis])))


def _kept(content: bytes) -> tuple[Path, str]:
    """The file in the cache with this content, and its hash."""
    digest = sha256_bytes(content)
    path = cache_dir() / "testsets" / f"{digest}.npy"
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path, digest


def _npy(images: npt.NDArray[np.uint8]) -> bytes:
    """The .npy file's bytes. Format 1.0 is readable by the numpy of Python 3.6, and every numpy writes it the same."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, images, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
