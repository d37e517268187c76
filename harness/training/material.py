"""A task's images as networks here are trained on them. Importing this module doesn't import TensorFlow."""

from __future__ import annotations

import numpy as np

from harness.core.errors import UsageError
from harness.data.dataset import Dataset, Split
from harness.data.findings import DataFindings
from harness.tasks.task import Task, TaskData
from harness.training.job import Progress

#: Training images of one epoch as float32, in bytes. An epoch is in memory up to four times.
MAX_EPOCH_BYTES = 1 << 30
#: Networks halve their input five times, and MobileNets refuse a smaller one.
LEAST_SIDE = 32


def of_task(task: Task, progress: Progress) -> tuple[Dataset, list[Split]]:
    """A task's images, and its one split.

    Raises:
        DataError: its data can't be used.
        UsageError: networks here can't be trained on them: no images, no classes, too large, or a class without
            training images.
    """
    data, findings = task.open_with_findings()
    if data is None:
        raise findings.refusal()
    dataset = data.dataset()
    _check(data, dataset)
    for line in _lines(data, findings):
        progress(line)
    return dataset, [data.split]


def _check(data: TaskData, dataset: Dataset) -> None:
    name, train = data.task.name, data.split.train
    counts = np.bincount(dataset.labels[train], minlength=len(dataset.classes))
    missing = [label for label, count in zip(dataset.classes, counts, strict=True) if not count]
    if missing:
        raise UsageError(f"task '{name}': no training image of class '{missing[0]}'",
                         fix="add images, or leave the class out")  # fmt: skip
    height, width, _ = dataset.image_shape
    if min(height, width) < LEAST_SIDE:
        raise UsageError(
            f"task '{name}': images of {height} x {width}, and the networks here take {LEAST_SIDE} x {LEAST_SIDE} or "
            "more",
            fix=f"preprocess: {{size: {LEAST_SIDE}, fit: pad}}",
        )
    size = len(train) * int(np.prod(dataset.image_shape)) * 4
    if size > MAX_EPOCH_BYTES:
        raise UsageError(
            f"task '{name}': {len(train)} training images of {height} x {width} take {size / (1 << 30):.1f} GiB an "
            f"epoch, more than {MAX_EPOCH_BYTES >> 30}",
            fix="a smaller 'size' below 'preprocess', or fewer images",
        )


def _lines(data: TaskData, findings: DataFindings) -> list[str]:
    split, path = data.split, data.task.path
    sizes = f"{len(split.train)} for training, {len(split.validation)} for validation, {len(split.test)} for test"
    height, width, channels = data.dataset().image_shape
    lines = [
        f"task {data.task.name}: {len(data.labels)} images {height}x{width}x{channels} of {len(data.classes)} classes: "
        f"{sizes} ({split.scheme})"
    ]
    if findings.faults:
        lines.append(f"{len(findings.faults)} remarks: harness data check --task {path}")
    return lines
