"""One artifact over releases of its runtime: which release made it faster or slower, on which board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from harness.core.clock import Clock, clock_of
from harness.core.safetext import for_figure, slug
from harness.report import releases
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW
from harness.report.gather import ReportData
from harness.report.ran import age
from harness.report.releases import Step

#: The most artifacts that are named; the others are grey, and named in the table.
_MOST_NAMED = 12


def over_releases(data: ReportData) -> list[Drawing]:
    """Medians against the oldest release, one figure a board and runtime."""
    drawings = []
    found: dict[tuple[int, str], list[tuple[Step, ...]]] = {}
    for steps in releases.series(data):
        if sum(step.valid for step in steps) > 1:
            found.setdefault((steps[0].row["group"], steps[0].row["runtime"]), []).append(steps)
    for (_, runtime), lines in found.items():
        first = lines[0][0].row
        clock = clock_of(bool(first["emulated"]), first["clock"])
        drawings.append(_drawing(clock, f"{runtime} on {first['board_label']}", lines))
    return drawings


def _drawing(clock: Clock, title: str, lines: Sequence[tuple[Step, ...]]) -> Drawing:
    every = {step.release: age(step.row["runtime_version"]) for steps in lines for step in steps}
    order = sorted(every, key=lambda release: every[release])
    named = sorted(lines, key=lambda steps: -_reach(steps))[:_MOST_NAMED]
    figure, axes = new(3.0 + ROW * len(named))
    heading(figure, title)
    looks = {id(steps): (PALETTE[i % 7], "-" if i < 7 else "--") for i, steps in enumerate(named)}
    for steps in sorted(lines, key=lambda steps: id(steps) in looks):
        _line(axes, steps, order, looks.get(id(steps)))
    axes.axhline(0, color=MUTED, lw=0.6)
    axes.set_xticks(np.arange(len(order)), [for_figure(release, 14) for release in order])
    axes.set_xlim(-0.3, len(order) - 0.7)
    axes.set_ylabel(f"Median {clock.quantity.lower()}\nagainst the oldest (%)")
    axes.set_xlabel("Release (oldest first)")
    _legend(figure, named, looks)
    told = "; ".join(f"{_label(steps)} {_last(steps):+.1f} percent" for steps in named)
    return Drawing(
        name=f"{releases.NAME}-{clock.key}-{slug(title)}",
        plot=releases.NAME,
        title=f"Releases of {title}",
        alt=(
            f"Lines: median {clock.quantity.lower()} of {len(lines)} artifacts over {len(order)} releases "
            f"({order[0]} to {order[-1]}), against the oldest release each ran on. At the newest: {told}."
        ),
        figure=figure,
    )


def _line(axes: Axes, steps: tuple[Step, ...], order: Sequence[str], look: tuple[str, str] | None) -> None:
    """Draw one artifact; a triangle marks a release that changed it."""
    colour, style = look or (MUTED, "-")
    valid = [(order.index(step.release), step, step.total) for step in steps if step.valid and step.total]
    x = [place for place, _, _ in valid]
    y = [(total.value - 1) * 100 for _, _, total in valid]
    axes.plot(x, y, style, color=colour, lw=1.4 if look else 0.8, alpha=0.9 if look else 0.5)
    for (place, step, total), height in zip(valid, y, strict=True):
        axes.vlines(place, (total.low - 1) * 100, (total.high - 1) * 100, color=colour, lw=2.4, alpha=0.35)
        verdict = step.verdict
        marker = {"slower": "^", "faster": "v", "can't tell": "x", "refused": "x"}.get(verdict, ".")
        axes.plot([place], [height], marker, color=colour, ms=4 if marker == "." else 6)


def _reach(steps: tuple[Step, ...]) -> float:
    """How far an artifact's median ever lies from that of the oldest release."""
    return max(abs(step.total.value - 1) for step in steps if step.total)


def _last(steps: tuple[Step, ...]) -> float:
    return [(step.total.value - 1) * 100 for step in steps if step.total][-1]


def _label(steps: tuple[Step, ...]) -> str:
    row = steps[0].row
    return for_figure(f"{row['model_label']} {row['kind']} {int(row['threads'])}T", 44)


def _legend(figure: Canvas, named: Sequence[tuple[Step, ...]], looks: dict[int, tuple[str, str]]) -> None:
    handles = [
        Line2D(
            [], [], color=looks[id(steps)][0], ls=looks[id(steps)][1], lw=1.6,
            label=f"{_label(steps)}: {_last(steps):+.1f} %",
        )
        for steps in named
    ]  # fmt: skip
    marks = [
        Line2D([], [], color=MUTED, marker=marker, lw=0, label=words)
        for marker, words in (("^", "slower than the release before"), ("v", "faster"), ("x", "can't tell"))
    ]
    figure.legend(handles=[*handles, *marks], loc="outside lower left", ncols=1, handletextpad=0.5)


FIGURE = Figure(
    name=releases.NAME,
    heading="Releases",
    note=(
        "The same file over releases of a runtime; a triangle marks a release that changed it, a cross one of which "
        "nobody can tell. Bars are 95 % intervals against the oldest release."
    ),
    draw=over_releases,
    scope="board",
)
