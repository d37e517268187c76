"""The accuracy that networks are judged by: on strangers where it is known, else on the images that the cells ran.

The test images of a random split show people that training has seen, and 99 of them can't tell networks apart that
strangers part by twenty points (docs/data.md). So where every valid cell of a board has an accuracy on the same
strangers, that one stands on the axis, decides the pick and is spoken of. Two kinds never share an axis: where one
artifact lacks it, the whole board is judged by its own images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.core import clusters
from harness.records.manifest import Manifest, Unseen
from harness.records.samples import UNSEEN
from harness.results.quality import TOP1

#: What :func:`add` puts beside the columns of a table of cells; ``judged_by`` is the strangers in words, or empty.
COLUMNS = ("judged", "judged_low", "judged_high", "judged_by")


@dataclass(frozen=True)
class Strangers:
    """The strangers that a board's networks are judged by; ``seeds`` are those of their generator."""

    images: int
    persons: int
    seeds: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.images:,} images of {self.persons} strangers"


#: The strangers by whom each group of cells (a board and an axis) is judged; a group that isn't has none.
Judges = Mapping[int, Strangers]


def add(cells: pd.DataFrame, manifests: Mapping[str, Manifest]) -> tuple[pd.DataFrame, Judges]:
    """Add the accuracy that each cell is judged by, with its 95 % interval where that is on strangers (else NaN).

    Args:
        cells: with ``group``, ``status``, ``model_sha256`` and what the cells ran.
    """
    known = {each.sha256: each.unseen for manifest in manifests.values() for each in manifest.artifacts if each.unseen}
    numbers = np.full((len(cells), 3), np.nan)
    numbers[:, 0] = cells.accuracy
    judges: dict[int, Strangers] = {}
    for group, mine in cells[cells.status == "VALID"].groupby("group", sort=False):
        scores = [score for score in _scores(mine, known) if score is not None]
        strangers = {Strangers(score.n, score.persons, score.seeds) for score in scores}
        if len(strangers) == 1 and len(scores) == len(mine):
            numbers[cells.index.get_indexer(mine.index)] = [(score.accuracy, score.low, score.high) for score in scores]
            judges[int(str(group))] = strangers.pop()
    added = pd.DataFrame(numbers, columns=list(COLUMNS[:3]), index=cells.index)
    words = [str(judges.get(group, "")) for group in cells.group.tolist()]
    return pd.concat([cells, added.assign(judged_by=pd.Series(words, index=cells.index, dtype=object))], axis=1), judges


def as_judged(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with the accuracy that they are judged by as their accuracy, and as the value of their metric."""
    return cells.assign(
        accuracy=cells.judged, metric_value=cells.metric_value.where(cells.judged_by == "", cells.judged)
    )


def by_own_images(cells: pd.DataFrame) -> list[str]:
    """The labels of boards on which some of these cells are judged by the images that they ran."""
    return list(dict.fromkeys(cells[cells.judged_by == ""].board_label))


def _scores(cells: pd.DataFrame, known: Mapping[str, Unseen]) -> Iterator[Unseen | None]:
    """Each cell's accuracy on strangers: as the board measured it where it ran them, else as its manifest has it."""
    for cell in cells.itertuples():
        if cell.metric != TOP1:
            yield None
        elif cell.scheme == UNSEEN:
            yield _measured(cell)
        else:
            yield known.get(str(cell.model_sha256)) if cell.synthetic else None


def _measured(cell: object) -> Unseen | None:
    """The accuracy of a cell that ran strangers; None where they are a single person."""
    persons, labels, predictions, seeds = (getattr(cell, n) for n in ("persons", "labels", "predictions", "seeds"))
    if len(persons) != len(labels) or len(set(persons)) < 2:
        return None
    right = np.asarray(predictions) == np.asarray(labels)
    inside = clusters.proportion(right, [str(person) for person in persons])
    return Unseen(
        n=len(right),
        persons=len(set(persons)),
        seeds=tuple(seeds),
        accuracy=inside.value,
        low=inside.low,
        high=inside.high,
    )
