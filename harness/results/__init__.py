"""Public API: stored results as a pandas table, one row per cell.

>>> import harness.results                                     # doctest: +SKIP
>>> cells = harness.results.load("results/latest-run")         # doctest: +SKIP
>>> cells[cells.status == "VALID"].groupby("device").latency_median_ms.min()   # doctest: +SKIP

Columns are described in docs/results.md. Raw ``*_ns`` columns hold what the board's clock said; ``clock`` says whether
that is wall time or counted instructions, and the derived ``*_ms`` and ``*_minstr`` columns keep the two apart.

Importing this package doesn't import pandas: the store beside it is used by commands that need no table.
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
        path: a cell's file, a run's folder, or a results folder with runs in it.

    Returns:
        One row per cell, sorted by run and cell; columns as in docs/results.md. ``latency_ns``, ``warmup_ns`` and
        ``predictions`` hold one integer array each (raw, in order; a copy may be changed freely).

    Raises:
        StoreError: nothing there, or a file that can't be read (it is named).
    """
    from harness.results import table

    return table.load(path)


def to_frame(cells: Iterable[Cell], *, infer: bool = True) -> pd.DataFrame:
    """The table of :func:`load`, from cells at hand.

    Without ``infer``, texts and whole numbers stay plain Python objects: several times as fast for code that goes
    through rows, and nothing for the public.
    """
    from harness.results import table

    return table.to_frame(cells, infer=infer)
