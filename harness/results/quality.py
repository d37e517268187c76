"""How good a cell's answers are, by whatever judges them: the share of right classes, or the metric of its task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records.cell import Cell

#: The name of the share of right classes, also where no metric is stored.
TOP1 = "top1"
#: The tasks whose samples are images of faces; cells of before there were tasks name none.
_FACES = frozenset({None, "faces", "ckplus"})
#: How inputs without a data set came about.
_NO_DATA_SET = frozenset({"seeded", "given"})


@dataclass(frozen=True)
class Quality:
    """The judgement of a cell's answers.

    Attributes:
        metric: its name.
        value: of the metric over all samples.
        per_sample: shape (n,), one value a sample; empty where the metric has none.
    """

    metric: str
    value: float
    higher_is_better: bool
    per_sample: NDArray[np.float64]


def quality(cell: Cell) -> Quality | None:
    """The judgement of a cell's answers; None where nothing judges them."""
    found = metric_of(cell)
    if found is None:
        return None
    name, value, higher_is_better = found
    if name == TOP1:
        right = np.array(cell.predictions) == np.array(cell.split.right_classes)
        return Quality(name, value, higher_is_better, right.astype(np.float64))
    per_sample = cell.metric.per_sample if cell.metric else ()
    return Quality(name, value, higher_is_better, np.array(per_sample, dtype=np.float64))


def metric_of(cell: Cell) -> tuple[str, float, bool] | None:
    """(name, value, whether higher is better) of what judges a cell; None where nothing does."""
    if cell.metric is not None and cell.metric.name != TOP1:
        return cell.metric.name, cell.metric.value, cell.metric.higher_is_better
    return None if cell.accuracy is None else (TOP1, cell.accuracy, True)


def judged(cell: Cell) -> bool:
    """Whether there are right answers to the cell's inputs; a FAILED cell has them, too."""
    return bool(cell.split.labels)


def faces(task: str | None, scheme: str) -> bool:
    """Whether samples of that task and split scheme are images of faces."""
    return task in _FACES and scheme not in _NO_DATA_SET


def made_up_faces(cell: Cell) -> bool:
    """Whether the cell ran on drawn faces, so that its accuracy says nothing of people."""
    return cell.split.synthetic and faces(cell.split.task, cell.split.scheme)


def axis(cell: Cell) -> str:
    """What a cell may share an axis with: the hash of its samples; empty for all cells that nothing judges, since their
    latencies are all there is to compare.
    """
    return cell.split.sha256 if judged(cell) else ""
