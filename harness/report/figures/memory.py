"""Peak memory, one row an artifact, one drawing a board."""

from __future__ import annotations

from harness.report.figures.bars import Bars, draw_bars
from harness.report.figures.canvas import Drawing
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData

_BARS = Bars(
    plot="memory",
    column="peak_rss_bytes",
    scale=1e6,
    label="Peak memory of the process (MB, 10⁶ bytes)",
    title="Peak memory",
)


def memory(data: ReportData) -> list[Drawing]:
    """Peak resident memory of the runner with that artifact (the kernel's own high-water mark)."""
    return draw_bars(data, _BARS)


FIGURE = Figure(
    name="memory",
    heading="Memory",
    note="The kernel's own high-water mark of the runner's process, Python and runtime included.",
    draw=memory,
    scope="board",
)
