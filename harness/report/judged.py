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

#: What :func:`add` puts beside the columns of a table of cells.
COLUMNS = ("judged", "judged_low", "judged_high")


@dataclass(frozen=True)
class Strangers:
    """The strangers that a board's networks are judged by; ``seeds`` are those of their generator."""

    images: int
    persons: int
    seeds: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.images:,} images of {self.persons} strangers"


#: The strangers by whom each group of cells (a board and a split) is judged; a group that isn't has none.
Judges = Mapping[int, Strangers]


def add(cells: pd.DataFrame, manifests: Mapping[str, Manifest]) -> tuple[pd.DataFrame, Judges]:
    """Add the accuracy that each cell is judged by, with its 95 % interval where that is on strangers (else NaN).

    Args:
        cells: with ``group``, ``status``, ``model_sha256`` and what the cells ran.
    """
    known = {each.sha256: each.unseen for manifest in manifests.values() for each in manifest.artifacts if each.unseen}
    columns = {name: np.full(len(cells), np.nan) for name in COLUMNS}
    columns["judged"] = cells.accuracy.to_numpy(dtype=np.float64, copy=True)
    judges: dict[int, Strangers] = {}
    for group, mine in cells[cells.status == "VALID"].groupby("group", sort=False):
        scores = list(_scores(mine, known))
        if len(strangers := set(map(_strangers, scores))) != 1 or None in strangers:
            continue
        places = cells.index.get_indexer(mine.index)
        for name, source in zip(COLUMNS, ("accuracy", "low", "high"), strict=True):
            columns[name][places] = [getattr(score, source) for score in scores]
        judges[int(str(group))] = next(each for each in strangers if each is not None)
    return cells.assign(**columns), judges


def as_judged(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with the accuracy that they are judged by as their accuracy."""
    return cells.assign(accuracy=cells.judged)


def named(judge: Strangers | None) -> str:
    """What an accuracy is on, for an axis or a heading."""
    return f"Accuracy on {judge} (%)" if judge else "Accuracy on the test split (%)"


def _strangers(score: Unseen | None) -> Strangers | None:
    return Strangers(score.n, score.persons, score.seeds) if score else None


def _scores(cells: pd.DataFrame, known: Mapping[str, Unseen]) -> Iterator[Unseen | None]:
    """Each cell's accuracy on strangers: as the board measured it where it ran them, else as its manifest has it."""
    for cell in cells.itertuples():
        if cell.scheme == UNSEEN:
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
