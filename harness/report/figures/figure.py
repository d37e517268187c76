"""The record that every figure's file ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.report.figures.canvas import Drawing
from harness.report.gather import ReportData

#: How much a figure covers in a report of very many boards. ``report``: everything in one picture. ``boards``: the
#: boards that are shown, in one call. ``board``: the same boards one by one, so that few pictures are in memory at a
#: time.
Scope = Literal["report", "boards", "board"]


@dataclass(frozen=True)
class Figure:
    """A kind of figure.

    Attributes:
        name: the value for ``--plot``; figures' files usually begin with it.
        heading: above its drawings on the page.
        note: how to read it; may be empty.
        draw: makes the drawings; none where these results have nothing to show. It is called inside
            :func:`harness.report.figures.canvas.styled`.
        scope: what ``draw`` receives where a report has more boards than it shows.
        absent: the page's text where nothing was drawn; may be empty.
    """

    name: str
    heading: str
    note: str
    draw: Callable[[ReportData], list[Drawing]]
    scope: Scope = "report"
    absent: str = ""
