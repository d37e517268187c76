"""The page's big table as data: few columns, sorted and filtered in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.core.safetext import script_json
from harness.report.gather import ReportData, records
from harness.report.table import number
from harness.results.columns import Value


@dataclass(frozen=True)
class Grid:
    """Column headings and rows; units stand in the headings. Columns 0, 1 and 5 are those with a filter."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def json(self) -> Markup:
        """For a script element of type application/json."""
        return Markup(script_json({"heads": self.heads, "rows": self.rows}))  # noqa: S704 - escaped by script_json


def grid(data: ReportData) -> Grid:
    """One row a cell; each clock has columns of its own."""
    heads = ["Board", "Network", "Variant", "Runtime", "Threads", "Status", "Accuracy (%)"]
    for clock in data.clocks:
        heads += [f"Median ({clock.unit})", f"± of 95 % interval (% of {clock.unit})", f"p90 ({clock.unit})"]
    heads += ["Model (kB)", "Peak memory (MB)"]
    columns = [
        "board_label", "model", "kind", "runtime", "delegate", "threads", "status", "accuracy", "clock_key", "value",
        "low", "high", "p90", "model_bytes", "peak_rss_bytes",
    ]  # fmt: skip
    return Grid(tuple(heads), tuple(_row(data, record) for record in records(data.cells, columns)))


def _row(data: ReportData, cell: dict[str, Any]) -> tuple[Value, ...]:
    valid = cell["status"] == "VALID"
    values: list[Value] = [
        cell["board_label"], cell["model"], cell["kind"], f"{cell['runtime']} {cell['delegate']}", int(cell["threads"]),
        cell["status"], short(cell["accuracy"] * 100) if valid else None,
    ]  # fmt: skip
    for clock in data.clocks:
        if valid and clock.key == cell["clock_key"]:
            half = (cell["high"] - cell["low"]) / 2 / cell["value"] * 100 if cell["value"] else None
            values += [short(cell["value"]), short(half, 2), short(cell["p90"])]
        else:
            values += [None, None, None]
    memory = short(cell["peak_rss_bytes"] / 1e6) if valid and cell["peak_rss_bytes"] else None
    return (*values, short(cell["model_bytes"] / 1e3), memory)


def short(value: object, digits: int = 5) -> float | None:
    """A number to that many significant digits: the page stays small, the CSV has all of them."""
    found = number(value)
    return None if found is None else float(f"{found:.{digits}g}")
