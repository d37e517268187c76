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
    tasks: dict[Axis, str | None] = {}
    schemes: dict[Axis, str] = {}
    for axis, task, scheme in zip(found, cells.task.tolist(), cells.scheme.tolist(), strict=True):
        schemes.setdefault(axis, scheme)
        tasks[axis] = tasks.get(axis) or (task if isinstance(task, str) else None)
    if len(tasks) < 2:
        return dict.fromkeys(tasks, "")
    metrics = Counter(axis.split for axis in tasks)
    texts = []
    for axis, task in tasks.items():
        name = clean(task, 20) if task else f"{schemes[axis]} {axis.split[:6]}"
        several = f" {clean(axis.metric, 20)}" if metrics[axis.split] > 1 else ""
        texts.append("no labels" if axis == UNJUDGED else name + several)
    return dict(zip(tasks, identity.numbered(texts), strict=True))


def tasks(cells: pd.DataFrame) -> list[str]:
    """The name of each cell's task, for people; faces are one task, whatever the split."""
    named = zip(cells.faces.tolist(), cells.task.tolist(), cells["labels"].tolist(), strict=True)
    return [
        "faces" if of_faces else clean(task, 20) if isinstance(task, str) else "no task" if labels else "no labels"
        for of_faces, task, labels in named
    ]
