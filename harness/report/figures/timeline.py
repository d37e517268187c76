"""Evidence over time on one board: whether heat or a lower frequency coincided with slower passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.boards.state import BoardState, number
from harness.core.safetext import slug
from harness.records.cell import MOST_STATES
from harness.report.evidence import content, states
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, stacked
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData


@dataclass(frozen=True)
class _Point:
    """The board at one moment.

    Attributes:
        slower_percent: the median of the pass that has just ended, relative to its cell's.
        compute_ns, memory_ns: durations of the two loops of the canary.
        form: the canary's; None where it isn't one.
    """

    state: BoardState
    slower_percent: float | None = None
    compute_ns: float | None = None
    memory_ns: float | None = None
    form: float | None = None


def timelines(data: ReportData) -> list[Drawing]:
    """One figure for each board that reports a temperature or a frequency, or whose runner timed a canary. INVALID
    cells are included as evidence.
    """
    drawings = []
    measured = data.cells[data.cells.samples > 0]
    for _, cells in measured.groupby("group", sort=False):
        told = (p for cell in cells.itertuples() for p in _points(cell) if p.state.wall_s is not None)
        points = sorted(_of_one_form(list(told)), key=lambda p: p.state.wall_s or 0.0)
        series = {
            "Temperature (°C)": [p.state.temperature_c for p in points],
            "CPU frequency (MHz)": [p.state.frequency_mhz for p in points],
            "Canary that computes,\nover its fastest (%)": _over_fastest([p.compute_ns for p in points]),
            "Canary through memory,\nover its fastest (%)": _over_fastest([p.memory_ns for p in points]),
        }
        known = {name: values for name, values in series.items() if any(v is not None for v in values)}
        if known and len(points) > 1:
            drawings.append(_draw(str(cells.board_label.iloc[0]), str(cells.clock_key.iloc[0]), points, known))
    return drawings


def _points(cell: object) -> list[_Point]:
    evidence, samples, n = (getattr(cell, name) for name in ("evidence", "latency_ns", "n"))
    overall = float(np.median(samples))
    found = [_Point(s) for s in states(evidence, "before")]
    for start, state in zip(_passes(getattr(cell, "rounds", ()), n), states(evidence, "during"), strict=False):
        part = samples[start : start + n]
        found.append(_Point(state, (float(np.median(part)) / overall - 1) * 100 if len(part) and overall else None))
    return [*found, *_canaries(evidence), *(_Point(s) for s in states(evidence, "after"))]


def _passes(sizes: Iterable[int], n: int) -> Iterator[int]:
    """The first samples of the passes after which the board's state was recorded, at most so many in each round."""
    start = 0
    for size in sizes:
        yield from range(start, start + min(size // n, MOST_STATES) * n, n)
        start += size


def _canaries(evidence: object) -> Iterator[_Point]:
    looks = content(evidence).get("canary")
    for look in looks if isinstance(looks, list | tuple) else ():
        if isinstance(look, Mapping):
            compute, memory = (number(str(look.get(loop))) for loop in ("compute", "memory"))
            yield _Point(
                BoardState(wall_s=number(str(look.get("wall_s")))),
                compute_ns=compute or None,
                memory_ns=memory or None,
                form=number(str(look.get("form"))) or 1.0,
            )


def _of_one_form(points: list[_Point]) -> list[_Point]:
    """The points without the canaries of older forms, whose times are not comparable with the newest one's."""
    newest = max((point.form for point in points if point.form), default=None)
    return [point for point in points if point.form in (None, newest)]


def _over_fastest(times: Sequence[float | None]) -> list[float | None]:
    """Times as percent above the shortest of them."""
    fastest = min((time for time in times if time is not None), default=1.0)
    return [None if time is None else (time / fastest - 1) * 100 for time in times]


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
    note="Did heat, a lower frequency or a slower machine go with slower passes?",
    draw=timelines,
    scope="board",
)
