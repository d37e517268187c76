"""The whole table: each network in each runtime and form on each board, the fastest first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from markupsafe import Markup

from harness.core.safetext import clean
from harness.records.golden import OutputsCheck
from harness.report.clocked import median_columns
from harness.report.gather import ReportData, records
from harness.report.parts import PageContext, PagePart, TablePart
from harness.report.table import MISSING, Table, number, tabulate
from harness.results.columns import Column, Value
from harness.results.table import codes

#: The page shows so many rows; the rest is folded.
SHOWN = 20

_NAME = "ranking"
_TITLE = "Network, runtime, form and board, best first"
_NOTE = (
    "A board's fastest cell is its first. A form is a variant in a format. Cells that are not VALID follow the others "
    "and have no numbers. An output agrees with the golden one while its difference is at most 1 times its limit."
)
_STATUSES = ("VALID", "INVALID", "FAILED")
_READ = (
    "group", "board_label", "emulated", "model", "kind", "runtime", "runtime_version", "delegate", "threads", "status",
    "reasons", "clock_key", "value", "low", "high", "accuracy", "outputs", "outputs_excess",
)  # fmt: skip


@dataclass(frozen=True)
class _Ranked:
    """A cell with the fields of ``_READ``, its place on its board, and the board's smallest median.

    The latter two are None where the cell is not VALID.
    """

    cell: dict[str, Any]
    place: int | None
    best: float | None

    def text(self, name: str) -> str:
        return str(self.cell[name])

    @property
    def value(self) -> float | None:
        return number(self.cell["value"])

    @property
    def times_best(self) -> float | None:
        return self.value / self.best if self.value is not None and self.best else None

    @property
    def agreement(self) -> str:
        """How its outputs compare with golden ones, in words."""
        if not isinstance(self.cell["outputs"], str):
            return "not compared"
        check = OutputsCheck.model_validate_json(self.cell["outputs"])
        words = "agrees" if check.worst.excess <= 1 else "differs"
        if check.same_top1 is None:
            return words
        return f"{words}, same top answer {check.same_top1} of {check.samples}"

    @property
    def why(self) -> str | None:
        """The codes of the reasons against it."""
        return clean(", ".join(dict.fromkeys(codes(self.cell["reasons"]))), 200) or None


def ranking_table(data: ReportData) -> Table:
    """One row a cell."""
    columns: list[Column[_Ranked]] = [
        Column("board", "Board", lambda row: row.text("board_label")),
        Column("emulated", "Emulated", lambda row: bool(row.cell["emulated"])),
        Column("place", "Place", lambda row: row.place),
        Column("model", "Network", lambda row: row.text("model")),
        Column("runtime", "Runtime", lambda row: clean(row.text("runtime"), 40)),
        Column("runtime_version", "Release", _version),
        Column("form", "Form", lambda row: row.text("kind")),
        Column("delegate", "Delegate", lambda row: row.text("delegate")),
        Column("threads", "Threads", lambda row: int(row.cell["threads"])),
        *(column for clock in data.clocks for column in median_columns(clock, _cell)),
        Column("times_best", "Times the board's best", lambda row: row.times_best),
        Column("accuracy_percent", "Accuracy (%)", _accuracy),
        Column("status", "Status", lambda row: row.text("status")),
        Column("why", "Because of", lambda row: row.why),
        Column("agreement", "Golden outputs", lambda row: row.agreement),
        Column("outputs_excess", "Times its limit", lambda row: number(row.cell["outputs_excess"])),
    ]
    return tabulate(columns, _ranked(data), name=_NAME, title=_TITLE, note=_NOTE, missing=MISSING)


def _cell(row: _Ranked) -> dict[str, Any]:
    return row.cell


def _version(row: _Ranked) -> str | None:
    version = row.cell["runtime_version"]
    return clean(version, 60) if isinstance(version, str) else None


def _accuracy(row: _Ranked) -> float | None:
    return number(row.cell["accuracy"] * 100) if row.place is not None else None


def _ranked(data: ReportData) -> list[_Ranked]:
    """The cells, board by board, VALID ones first and of these the fastest."""
    boards: dict[int, list[dict[str, Any]]] = {}
    for cell in records(data.cells, _READ):
        boards.setdefault(int(cell["group"]), []).append(cell)
    return [row for cells in boards.values() for row in _of_board(cells)]


def _of_board(cells: list[dict[str, Any]]) -> Iterator[_Ranked]:
    cells = sorted(cells, key=_order)
    best = number(cells[0]["value"])
    for place, cell in enumerate(cells, start=1):
        valid = cell["status"] == "VALID"
        yield _Ranked(cell, place if valid else None, best if valid else None)


def _order(cell: dict[str, Any]) -> tuple[int, float]:
    status, value = cell["status"], number(cell["value"])
    return _STATUSES.index(status) if status in _STATUSES else len(_STATUSES), math.inf if value is None else value


def _html(page: PageContext) -> Markup:
    table = page.tables[_NAME]
    if not table.rows:
        return Markup()
    shown = _for_page(table)
    template = page.environment.get_template("ranking.html.j2")
    first, rest = (replace(shown, rows=rows) for rows in (shown.rows[:SHOWN], shown.rows[SHOWN:]))
    html = template.render(table=table, first=first, rest=rest)
    return Markup(html)  # noqa: S704 - the package's own template, which escapes its values


def _for_page(table: Table) -> Table:
    """Without the columns that hold nothing, or one value that goes without saying."""
    silent: dict[str, set[Value]] = {
        "emulated": {True, False},
        "delegate": {"cpu"},
        "why": {None},
        "accuracy_percent": {None},
    }
    kept = [
        place
        for place, (name, _) in enumerate(table.columns)
        if name not in silent or not {row[place] for row in table.rows} <= silent[name]
    ]
    pick = itemgetter(*kept)
    return replace(table, columns=pick(table.columns), rows=tuple(pick(row) for row in table.rows))


TABLE = TablePart(lambda data, _: ranking_table(data))
PART = PagePart("figures", _html)
