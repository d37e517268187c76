"""Public API: stored results as a pandas table, one row per cell.

>>> import harness.results                                     # doctest: +SKIP
>>> cells = harness.results.load("results/latest-run")         # doctest: +SKIP
>>> cells[cells.status == "VALID"].groupby("device").latency_median_ms.min()   # doctest: +SKIP

docs/results.md describes the columns. Raw ``*_ns`` columns hold the readings of the board's clock. ``clock`` tells
whether they are wall time or counted instructions; the derived ``*_ms`` and ``*_minstr`` columns keep the two apart.

The import of this package does not import pandas, because commands without a table use its store as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    import pandas as pd

    from harness.records.cell import Cell


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read stored cells into a table.

    Args:
        path: a cell's file, a run's folder, or a results folder that holds runs.

    Returns:
        One row per cell, sorted by run and cell; columns as in docs/results.md. ``latency_ns``, ``warmup_ns`` and
        ``predictions`` hold one integer array each, raw and in order. The caller may change the arrays.

    Raises:
        StoreError: the path holds no results, or a file can't be read (the message names it).
    """
    from harness.results import table

    return table.load(path)


def to_frame(cells: Iterable[Cell], *, infer: bool = True) -> pd.DataFrame:
    """The table of :func:`load`, from cells in memory.

    Without ``infer``, texts and whole numbers stay plain Python objects. That is several times as fast for the
    harness's own code, which goes through rows; the public table infers types.
    """
    from harness.results import table

    return table.to_frame(cells, infer=infer)
