"""The page's large table as data: few columns, sorted and filtered in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from markupsafe import Markup

from harness.core.clock import Clock
from harness.core.safetext import clean, script_json
from harness.report.boards import has_classes
from harness.report.gather import ReportData, records
from harness.report.table import number
from harness.results.columns import Column, Value


@dataclass(frozen=True)
class Grid:
    """Column headings and rows; units stand in the headings. Columns 0, 1 and 5 have a filter."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def json(self) -> Markup:
        """The grid as JSON for a script element of type application/json."""
        return Markup(script_json({"heads": self.heads, "rows": self.rows}))  # noqa: S704 - escaped by script_json


#: A row of ``data.cells`` as plain values.
_Cell = dict[str, Any]

_READ = (
    "board_label", "model", "kind", "runtime_label", "delegate", "threads", "status", "accuracy", "clock_key", "value",
    "low", "high", "p90", "model_bytes", "peak_rss_bytes", "metric", "metric_value", "axis_label", "judged",
    "judged_low",
)  # fmt: skip


def grid(data: ReportData) -> Grid:
    """One row a cell; each clock has its own columns."""
    columns: list[Column[_Cell]] = [
        Column("device", "Board", itemgetter("board_label")),
        Column("model", "Network", itemgetter("model")),
        Column("variant", "Variant", itemgetter("kind")),
        Column("runtime", "Runtime", lambda cell: f"{cell['runtime_label']} {cell['delegate']}"),
        Column("threads", "Threads", lambda cell: int(cell["threads"])),
        Column("status", "Status", itemgetter("status")),
        *((_ACCURACY,) if has_classes(data) else ()),
        *((_STRANGERS,) if data.judges else ()),
        *(_METRIC if data.other_metrics else ()),
        *(column for clock in data.clocks for column in _timed(clock)),
        Column("model_bytes", "Model (kB)", lambda cell: short(cell["model_bytes"] / 1e3)),
        Column("peak_rss_bytes", "Peak memory (MB)", _memory),
        *((_AXIS,) if bool(data.cells.axis_label.astype(bool).any()) and not data.cells.faces.all() else ()),
    ]
    return Grid(
        heads=tuple(column.heading for column in columns),
        rows=tuple(tuple(column.value(cell) for column in columns) for cell in records(data.cells, _READ)),
    )


_STRANGERS: Column[_Cell] = Column(
    "strangers",
    "on strangers (%)",
    lambda cell: short(cell["judged"] * 100) if _valid(cell) and cell["judged_low"] == cell["judged_low"] else None,
)
_ACCURACY: Column[_Cell] = Column(
    "accuracy", "Accuracy (%)", lambda cell: short(cell["accuracy"] * 100) if _valid(cell) else None
)
#: For cells that another metric judges.
_METRIC: tuple[Column[_Cell], ...] = (
    Column("metric", "Metric", lambda cell: clean(cell["metric"], 40) if isinstance(cell["metric"], str) else None),
    Column("metric_value", "Value", lambda cell: short(cell["metric_value"]) if _valid(cell) else None),
)
_AXIS: Column[_Cell] = Column("data", "Data", itemgetter("axis_label"))


def _valid(cell: _Cell) -> bool:
    return bool(cell["status"] == "VALID")


def _memory(cell: _Cell) -> float | None:
    return short(cell["peak_rss_bytes"] / 1e6) if _valid(cell) and cell["peak_rss_bytes"] else None


def _timed(clock: Clock) -> Iterator[Column[_Cell]]:
    """The columns of one clock, empty for cells of another."""

    def column(name: str, heading: str, value: Callable[[_Cell], float | None]) -> Column[_Cell]:
        return Column(
            f"{name}_{clock.column}",
            heading,
            lambda cell: value(cell) if _valid(cell) and cell["clock_key"] == clock.key else None,
        )

    yield column("median", f"Median ({clock.unit})", lambda cell: short(cell["value"]))
    yield column("half", f"± of 95 % interval (% of {clock.unit})", _half_width)
    yield column("p90", f"p90 ({clock.unit})", lambda cell: short(cell["p90"]))


def _half_width(cell: _Cell) -> float | None:
    """Half of the interval in percent of the median."""
    return short((cell["high"] - cell["low"]) / 2 / cell["value"] * 100, 2) if cell["value"] else None


def short(value: object, digits: int = 5) -> float | None:
    """A number with that many significant digits: the page stays small, and the CSV has full precision."""
    found = number(value)
    return None if found is None else float(f"{found:.{digits}g}")
