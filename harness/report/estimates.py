"""Estimated cycles as a table: each artifact's, the time that they stand for in words, and what they tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

from markupsafe import Markup

from harness.core.safetext import clean
from harness.estimate.judge import LEAST_RATIO, QUANTITY, in_words
from harness.report.figures.cycles import doubt
from harness.report.gather import ReportData, records
from harness.report.parts import PageContext, PagePart, TablePart
from harness.report.table import Table, tabulate, whole
from harness.results.columns import Column

_NAME = "estimates"
_NOTE = (
    "Estimates, not measurements: lowest first on each board, for each version of LLVM. Two of them closer than "
    f"{LEAST_RATIO}x can't be told apart."
)
_READ = (
    "group", "board_label", "model", "kind", "runtime_label", "status", "estimated_cycles",
    "estimated_cycles_4_threads", "estimate_clock_hz", "estimate_llvm",
)  # fmt: skip

#: A row of ``data.cells`` as plain values, with its ``doubt``.
_Row = Mapping[str, Any]

_COLUMNS: tuple[Column[_Row], ...] = (
    Column("board", "Board", itemgetter("board_label")),
    Column("model", "Network", itemgetter("model")),
    Column("variant", "Form", itemgetter("kind")),
    Column("runtime", "Runtime", itemgetter("runtime_label")),
    Column("estimated_cycles", QUANTITY, lambda row: whole(row["estimated_cycles"])),
    Column("time", "Time", lambda row: in_words(row["estimated_cycles"], row["estimate_clock_hz"])),
    Column("doubt", "Told apart", lambda row: row["doubt"] or "yes"),
    Column("estimated_cycles_4_threads", "4 threads", lambda row: whole(row["estimated_cycles_4_threads"])),
    Column("llvm", "LLVM", lambda row: clean(row["estimate_llvm"], 30)),
)


def has_estimates(data: ReportData) -> bool:
    """Whether any VALID cell has estimated cycles."""
    return next(_rows(data), None) is not None


def estimates_table(data: ReportData) -> Table:
    """One row an artifact with estimated cycles."""
    return tabulate(_COLUMNS, _rows(data), name=_NAME, title="Estimated cycles", note=_NOTE, missing="–")


def _rows(data: ReportData) -> Iterator[_Row]:
    """VALID cells with estimates, lowest first within a board and a version of LLVM."""
    cells = data.cells[(data.cells.status == "VALID") & data.cells.estimated_cycles.notna()]
    for _, mine in cells.groupby(["group", "estimate_llvm"], sort=True):
        rows = list(records(mine.sort_values("estimated_cycles", kind="stable"), _READ))
        values = [float(row["estimated_cycles"]) for row in rows]
        for place, row in enumerate(rows):
            yield {**row, "doubt": doubt(values[:place], values[place])}


def _piece(page: PageContext) -> Markup:
    found = page.tables.get(_NAME)
    if found is None:
        return Markup()
    html = page.environment.get_template("estimates.html.j2").render(table=found)
    return Markup(html)  # noqa: S704 - the package's own template, which escapes its values


TABLE = TablePart(lambda data, _: estimates_table(data), has_estimates)
PART = PagePart("cycles", _piece)
