"""The test images as boards receive them: one .npy file of pixels without labels. Labels never leave the controller."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.errors import UsageError
from harness.data import registry, splits
from harness.data.dataset import Dataset
from harness.data.spec import SYNTHETIC, DataSpec
from harness.records.cell import SplitInfo
from harness.records.manifest import SplitRecord
from harness.run.judging import Judge, pixels, split_info, spread
from harness.run.testset import TestSet as TestSet
from harness.run.testset import kept
from harness.tasks.task import TaskData


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
    chosen = spread(split.test, samples)
    path, digest = npy(dataset, chosen)
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


def prepare_task(record: SplitRecord, data: TaskData, *, samples: int | None = None) -> TestSet:
    """As :func:`prepare`, for networks that were trained here on a task's images.

    Raises:
        UsageError: the task's data differ from those the artifacts were built with, or are no images.
    """
    if data.split.sha256 != record.sha256:
        raise UsageError(
            f"task '{data.task.name}' does not give the test split the models were built with "
            f"(split {data.split.sha256[:12]}, models' {record.sha256[:12]})",
            fix=f"build the models again: harness build --task {data.task.path}",
        )
    images, index = pixels(data, samples)
    path, digest = kept(_bytes(images), "npy")
    judge = None if data.task.metric.name == "top1" else Judge(data, index)
    return TestSet(split_info(data, index), path, digest, judge=judge)


def npy(dataset: Dataset, chosen: npt.NDArray[np.int64]) -> tuple[Path, str]:
    """The file with these images of a data set, and its hash."""
    return kept(_bytes(np.ascontiguousarray(dataset.images[chosen][..., np.newaxis])), "npy")


def _bytes(images: npt.NDArray[np.uint8]) -> bytes:
    """The .npy file's bytes. Format 1.0 is readable by the numpy of Python 3.6, and every numpy writes it the same."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, images, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
