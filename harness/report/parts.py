"""Parts of a report that belong to some reports alone: tables, pieces of the page, pages beside it."""

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
    """For what every report has."""
    return True


def focused(data: ReportData) -> bool:
    """For what belongs to a network in focus."""
    return data.focus is not None


@dataclass(frozen=True)
class TablePart:
    """A table of a report; ``applies`` says whether these results have it."""

    build: Callable[[ReportData, Summary], Table]
    applies: Callable[[ReportData], bool] = always


@dataclass(frozen=True)
class PageContext:
    """What a part of the page is made from; ``plots`` are the names of figures that were drawn."""

    environment: Environment
    data: ReportData
    summary: Summary
    tables: Mapping[str, Table]
    plots: frozenset[str]


@dataclass(frozen=True)
class PagePart:
    """A piece of the page.

    Attributes:
        slot: where it stands: ``winners``, ``figures`` (below all of them), ``accuracy``, or, below a figure's
            drawings, its name; ``note-<name>`` takes the place of the note above a figure.
        html: the piece, without a new line at its end; empty where these results have none.
    """

    slot: str
    html: Callable[[PageContext], Markup]


@dataclass(frozen=True)
class SidePage:
    """A page beside the report's own.

    Attributes:
        file: its name.
        title: what a link to it says.
        html: the page.
    """

    file: str
    title: str
    html: Callable[[PageContext], str]
    applies: Callable[[ReportData], bool] = focused
