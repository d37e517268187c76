"""Estimated cycles of four threads, one row an artifact, one drawing a board. They share no axis with those of one."""

from __future__ import annotations

from harness.estimate.judge import LEAST_RATIO, SHARED_QUANTITY
from harness.report.figures.canvas import Drawing
from harness.report.figures.cycles import Estimates, drawings
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData

_FOUR_THREADS = Estimates("cycles-shared", "estimated_cycles_4_threads", SHARED_QUANTITY)


def cycles_shared(data: ReportData) -> list[Drawing]:
    """Estimated cycles of one inference whose work four threads share, lowest first."""
    return drawings(data, _FOUR_THREADS)


FIGURE = Figure(
    name=_FOUR_THREADS.plot,
    heading="Estimated cycles of four threads",
    note=(
        "Estimates, not measurements, derived from what one thread executes: four cores divide the work evenly, each "
        "with its own caches, and share the memory. Waiting for each other is not modelled, so times are longer. "
        f"Estimates closer than {LEAST_RATIO}x can't be told apart. Only for cores that execute out of order."
    ),
    draw=cycles_shared,
    scope="board",
)
