"""What every file of a figure ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.report.figures.canvas import Drawing
from harness.report.gather import ReportData

#: How much of a report of very many boards is drawn: ``report``, everything, as one picture; ``boards``, the boards
#: that are shown, in one go; ``board``, the same one by one, so that few pictures are there at a time.
Scope = Literal["report", "boards", "board"]


@dataclass(frozen=True)
class Figure:
    """A kind of figure.

    Attributes:
        name: what ``--plot`` takes; figures' files begin with it as a rule.
        heading: above its drawings on the page.
        note: what to know when reading it; may be empty.
        draw: drawings of these results, none where they have nothing to show. Called inside
            :func:`harness.report.figures.canvas.styled`.
        scope: what ``draw`` is given where a report has more boards than it shows.
        absent: what the page says where nothing was drawn; may be empty.
    """

    name: str
    heading: str
    note: str
    draw: Callable[[ReportData], list[Drawing]]
    scope: Scope = "report"
    absent: str = ""
