"""A column of a table: its name, its heading and its value, in one record.

A table is a list of columns, so a value can't appear under another column's heading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

#: The types of a table's values.
Value = str | int | float | bool | None

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column for people and for programs.

    Attributes:
        name: the column's name in CSV.
        heading: the heading for people, with the unit.
        value: returns the column's value for a row.
    """

    name: str
    heading: str
    value: Callable[[Row], Value]


#: How a column is stored. ``float``: numbers; a missing one is NaN, and the dtype is the same for any rows. ``whole``:
#: whole numbers, or floats with NaN where some are missing. ``array``: an array of integers in each row; ``floats``:
#: one of floats. ``tuple``: a tuple of texts or numbers in each row.
FrameKind = Literal["plain", "float", "whole", "bool", "array", "floats", "tuple"]


@dataclass(frozen=True)
class FrameColumn:
    """A column of :func:`harness.results.load`.

    Attributes:
        name: the column's name in the table.
        source: the attribute of a cell, as a dotted path; empty where the value is made from several.
        kind: how the column is stored.
    """

    name: str
    source: str = ""
    kind: FrameKind = "plain"
