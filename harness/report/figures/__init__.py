"""All figures. To add one, write a file that ends in ``FIGURE = Figure(...)`` and add a line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from harness.core.named import by_name
from harness.report.figures.canvas import Drawing
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData

#: Modules of this package, in the order of the page.
_MODULES = (
    "pareto",
    "latency",
    "cycles",
    "cycles_shared",
    "operators",
    "removed",
    "distribution",
    "rounds",
    "threads",
    "releases",
    "chain",
    "size",
    "memory",
    "energy",
    "confusion",
    "timeline",
)


def _figure(module: str) -> Figure:
    figure = import_module(f"{__name__}.{module}").FIGURE
    assert isinstance(figure, Figure), module
    return figure


FIGURES: tuple[Figure, ...] = tuple(map(_figure, _MODULES))
#: ``{name that --plot takes: draw}``.
PLOTS: dict[str, Callable[[ReportData], list[Drawing]]] = by_name((figure.name, figure.draw) for figure in FIGURES)
