"""Evidence over time on one board: did heat or a lower frequency go with slower passes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.boards.state import BoardState
from harness.core.safetext import slug
from harness.report.evidence import states
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, stacked
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData


@dataclass(frozen=True)
class _Point:
    state: BoardState
    slower_percent: float | None  # median of the pass against the cell's median


def timelines(data: ReportData) -> list[Drawing]:
    """One figure a board that reports a temperature or a frequency; INVALID cells are in it too, as evidence."""
    drawings = []
    measured = data.cells[data.cells.samples > 0]
    for _, cells in measured.groupby("group", sort=False):
        points = sorted(
            (p for cell in cells.itertuples() for p in _points(cell) if p.state.wall_s is not None),
            key=lambda p: p.state.wall_s or 0.0,
        )
        series = {
            "Temperature (°C)": [p.state.temperature_c for p in points],
            "CPU frequency (MHz)": [p.state.frequency_mhz for p in points],
        }
        known = {name: values for name, values in series.items() if any(v is not None for v in values)}
        if known and len(points) > 1:
            drawings.append(_draw(str(cells.board_label.iloc[0]), str(cells.clock_key.iloc[0]), points, known))
    return drawings


def _points(cell: object) -> list[_Point]:
    evidence, samples, n = (getattr(cell, name) for name in ("evidence", "latency_ns", "n"))
    overall = float(np.median(samples))
    found = [_Point(s, None) for s in states(evidence, "before")]
    for i, state in enumerate(states(evidence, "during")):
        part = samples[i * n : (i + 1) * n]
        found.append(_Point(state, (float(np.median(part)) / overall - 1) * 100 if len(part) and overall else None))
    return found + [_Point(s, None) for s in states(evidence, "after")]


def _draw(board: str, clock_key: str, points: list[_Point], series: dict[str, list[float | None]]) -> Drawing:
    panels = {"Pass against its cell's\nmedian (%)": [p.slower_percent for p in points], **series}
    figure, all_axes = stacked(0.7 + 1.25 * len(panels), len(panels))
    start = points[0].state.wall_s or 0.0
    times = np.array([(p.state.wall_s or 0.0) - start for p in points])
    for axes, (name, values), colour in zip(all_axes, panels.items(), PALETTE, strict=False):
        numbers = pd.Series(values, dtype="float64").to_numpy()
        there = ~np.isnan(numbers)
        axes.plot(times[there], numbers[there], ".-", color=colour, lw=1, ms=4)
        axes.set_ylabel(name, fontsize=7.5)
        axes.axhline(0, color=MUTED, lw=0.6) if "%" in name else None
    heading(figure, f"{board}: evidence over time")
    all_axes[-1].set_xlabel("Time since the first cell (s, the board's clock)")
    alt = f"Over time on {board}: median of each pass against its cell's median, " + ", ".join(
        f"{name} from {min(v for v in values if v is not None):.4g} to {max(v for v in values if v is not None):.4g}"
        for name, values in series.items()
    )
    return Drawing(
        name=f"timeline-{clock_key}-{slug(board)}",
        plot="timeline",
        title=f"Evidence over time on {board}",
        alt=alt + ".",
        figure=figure,
    )


FIGURE = Figure(
    name="timeline",
    heading="Evidence over time",
    note="Did heat or a lower frequency go with slower passes?",
    draw=timelines,
    scope="boards",  # cells that are not VALID are in it too
)
