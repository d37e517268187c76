"""Columns of one clock: milliseconds and instructions never share one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from harness.core.clock import Clock
from harness.report.table import number
from harness.results.columns import Column, Row

#: A row's cell, as plain values of ``ReportData.cells``; None where its numbers may not be shown.
CellOf = Callable[[Row], Mapping[str, Any] | None]


class MakeColumn(Protocol[Row]):
    """Makes a column: its name and heading, the cell's field that it shows, and what that is divided by."""

    def __call__(self, name: str, heading: str, source: str, scale: float = 1.0) -> Column[Row]: ...


def columns_of(clock: Clock, cell: CellOf[Row]) -> MakeColumn[Row]:
    """The maker of a clock's columns; they are empty for cells on another clock."""

    def column(name: str, heading: str, source: str, scale: float = 1.0) -> Column[Row]:
        def value(row: Row) -> float | None:
            values = cell(row)
            return number(values[source] / scale) if values and values["clock_key"] == clock.key else None

        return Column(f"{name}_{clock.column}", heading, value)

    return column


def median_columns(clock: Clock, cell: CellOf[Row]) -> Iterator[Column[Row]]:
    """The median of a cell with its 95 % interval."""
    column = columns_of(clock, cell)
    yield column("median", f"Median ({clock.unit})", "value")
    yield column("median_low", "95 % interval, low", "low")
    yield column("median_high", "high", "high")
