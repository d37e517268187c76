"""Parts that only some reports have: tables, pieces of the page, pages beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment
from markupsafe import Markup

from harness.report.gather import ReportData
from harness.report.table import Table

if TYPE_CHECKING:
    from harness.report.summary import Summary


def always(_: ReportData) -> bool:
    """Applies to every report."""
    return True


def focused(data: ReportData) -> bool:
    """Applies to reports with a network in focus."""
    return data.focus is not None


@dataclass(frozen=True)
class TablePart:
    """A table of a report; ``applies`` says whether these results have it."""

    build: Callable[[ReportData, Summary], Table]
    applies: Callable[[ReportData], bool] = always


@dataclass(frozen=True)
class PageContext:
    """The data that a part of the page is made from; ``plots`` are the names of figures that were drawn."""

    environment: Environment
    data: ReportData
    summary: Summary
    tables: Mapping[str, Table]
    plots: frozenset[str]


@dataclass(frozen=True)
class PagePart:
    """A piece of the page.

    Attributes:
        slot: its place: ``winners``, ``figures`` (below all of them), ``accuracy``, or, below a figure's drawings, its
            name; ``note-<name>`` replaces the note above a figure.
        html: the piece, without a newline at its end; empty where these results have none.
    """

    slot: str
    html: Callable[[PageContext], Markup]


@dataclass(frozen=True)
class SidePage:
    """A page beside the report's own.

    Attributes:
        file: its name.
        title: the text of a link to it.
        html: the page.
    """

    file: str
    title: str
    html: Callable[[PageContext], str]
    applies: Callable[[ReportData], bool] = focused
