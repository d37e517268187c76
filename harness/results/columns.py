"""A column of a table: its name, its heading and how its value is found, in one record.

Tables are lists of these, so that a value can't end up under another column's heading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

#: What a field of a table may hold.
Value = str | int | float | bool | None

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column for people and programs.

    Attributes:
        name: in CSV.
        heading: for people, with the unit.
        value: its value in a row.
    """

    name: str
    heading: str
    value: Callable[[Row], Value]


#: ``float``: a number that may be missing, NaN there, whatever the rows at hand hold. ``array``: an array of integers
#: in each row. ``tuple``: a tuple of texts or numbers in each row.
FrameKind = Literal["plain", "float", "bool", "array", "tuple"]


@dataclass(frozen=True)
class FrameColumn:
    """A column of :func:`harness.results.load`.

    Attributes:
        name: in the table.
        source: the attribute of a cell, with dots.
        kind: how the column is stored.
    """

    name: str
    source: str
    kind: FrameKind = "plain"
