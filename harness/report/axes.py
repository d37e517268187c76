"""What cells may share an axis: the same samples, judged by the same metric.

Cells that nothing judges have latency, memory and size alone, which can be shown beside each other whatever the inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.core.safetext import clean
from harness.results import identity


@dataclass(frozen=True)
class Axis:
    """The hash of the samples, and the metric; both empty for cells that nothing judges."""

    split: str
    metric: str


UNJUDGED = Axis("", "")


def axes(cells: pd.DataFrame) -> list[Axis]:
    """The axis of each cell. One that has no metric because it FAILED has that of the others on its samples."""
    metrics: dict[str, str] = {}
    for split, metric in zip(cells.split_sha256.tolist(), cells.metric.tolist(), strict=True):
        if isinstance(metric, str):
            metrics.setdefault(split, metric)
    return [
        Axis(split, metric if isinstance(metric, str) else metrics.get(split, "")) if labels else UNJUDGED
        for split, metric, labels in zip(
            cells.split_sha256.tolist(), cells.metric.tolist(), cells["labels"].tolist(), strict=True
        )
    ]


def words(cells: pd.DataFrame, found: Sequence[Axis]) -> Mapping[Axis, str]:
    """What tells axes apart, for people; empty where all cells share one.

    Args:
        found: the axis of each cell.
    """
    names = dict(zip(found, _names(cells, found), strict=True))
    if len(names) < 2:
        return dict.fromkeys(names, "")
    metrics = Counter(axis.split for axis in names)
    texts = [
        name + (f" {clean(axis.metric, 20)}" if metrics[axis.split] > 1 else "") for axis, name in names.items()
    ]  # fmt: skip
    return dict(zip(names, identity.numbered(texts), strict=True))


def _names(cells: pd.DataFrame, found: Sequence[Axis]) -> list[str]:
    """The name of the task; of faces, their split where there are several."""
    splits = {axis for axis, of_faces in zip(found, cells.faces.tolist(), strict=True) if of_faces}
    alone = len(splits) == 1
    columns = (cells.task.tolist(), cells.scheme.tolist(), cells.faces.tolist())
    return [
        "no labels" if axis == UNJUDGED
        else "faces" if of_faces and alone
        else clean(task, 20) if isinstance(task, str)
        else f"{scheme} {axis.split[:6]}"
        for axis, task, scheme, of_faces in zip(found, *columns, strict=True)
    ]  # fmt: skip


def tasks(cells: pd.DataFrame) -> list[str]:
    """The name of each cell's task, for people; faces are one task, whatever the split."""
    named = zip(cells.faces.tolist(), cells.task.tolist(), cells["labels"].tolist(), strict=True)
    return [
        "faces" if of_faces else clean(task, 20) if isinstance(task, str) else "no task" if labels else "no labels"
        for of_faces, task, labels in named
    ]
