"""The compression path against measured latency: from each network to its pruned form, one figure a board."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.core.clock import Clock
from harness.core.safetext import for_figure, slug
from harness.report.figures.canvas import (
    INK,
    MUTED,
    Drawing,
    heading,
    kind_style,
    log_axis,
    new,
    place_signs,
)
from harness.report.figures.metric import metric_axis
from harness.report.figures.rows import per_board
from harness.report.gather import ReportData
from harness.report.judged import as_judged
from harness.report.pruned import SUFFIX, parent
from harness.report.scale import Scale, scale_of
from harness.report.table import brief

#: From the most precise variant to the most quantised.
_PRECISION = ("fp32", "fp16", "dynamic", "int8")
#: More paths than this can't be told apart in one figure. The path in focus and the first ones by name are drawn.
MOST_PATHS = 12


@dataclass(frozen=True)
class _Path:
    """Measured points of a path: the parent's most precise artifact, the pruned network's, and its most quantised."""

    name: str
    cells: pd.DataFrame
    scale: Scale

    @property
    def line(self) -> str:
        first, last = self.cells.iloc[0], self.cells.iloc[-1]
        return (
            f"{for_figure(self.name, 24)} {first.variant} to pruned {last.variant}: {brief(first.value)} to "
            f"{brief(last.value)} (÷{brief(first.value / last.value)}), {self.scale.text(first.metric_value)} to "
            f"{self.scale.text(last.metric_value)}"
        )


@dataclass(frozen=True)
class _Paths:
    """The paths of one drawing, out of ``total``. The path named ``first`` is drawn thicker."""

    drawn: tuple[_Path, ...]
    total: int
    first: str


def measured(data: ReportData) -> list[Drawing]:
    """One figure for each board on which both ends of at least one path are VALID."""
    first = parent(data.focus.network) if data.focus else ""
    drawings = []
    for clock, board, every in per_board(data):
        every = as_judged(every)
        scale = scale_of(every)
        if scale is None:
            continue
        cells = every[every.threads == every.threads.min()].assign(drawn=scale.drawn(every.metric_value))
        names = sorted(set(cells.model.map(parent)))
        found = [path for name in names if (path := _path(name, cells, scale)) is not None]
        found.sort(key=lambda path: path.name != first)
        if found:
            drawings.append(_draw(clock, board, _Paths(tuple(found[:MOST_PATHS]), len(found), first)))
    return drawings


def _path(name: str, cells: pd.DataFrame, scale: Scale) -> _Path | None:
    before, after = (_by_precision(cells[cells.model == each]) for each in (name, name + SUFFIX))
    if before.empty or after.empty:
        return None
    places = pd.concat([before.head(1), after.head(1), after.tail(1)])
    return _Path(name, places[~places.index.duplicated()], scale)


def _by_precision(cells: pd.DataFrame) -> pd.DataFrame:
    """The fastest cell of each variant, the most precise one first."""
    best = cells.sort_values("value", kind="stable").drop_duplicates("variant")
    order = {variant: rank for rank, variant in enumerate(_PRECISION)}
    return best.sort_values("variant", kind="stable", key=lambda column: column.map(order).fillna(len(order)))


def _draw(clock: Clock, board: str, paths: _Paths) -> Drawing:
    found, scale = paths.drawn, paths.drawn[0].scale
    figure, axes = new(3.5 + 0.18 * len(found))
    for path in reversed(found):  # the first path is drawn last, so that it lies on top
        _one(axes, path, heavy=path.name == paths.first)
    places = pd.concat([path.cells for path in found])
    log_axis(axes, float(places.value.min()), float(places.value.max()))
    axes.invert_xaxis()
    metric_axis(axes, float(places.drawn.min()), float(places.drawn.max()), scale)
    starts = [(float(path.cells.value.iloc[0]), float(path.cells.drawn.iloc[0])) for path in found]
    dots = list(zip(places.value, places.drawn, strict=True))
    place_signs(axes, starts, [str(number) for number in range(1, len(found) + 1)], dots)
    axes.set_ylabel(scale.axis)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}), log scale, falling")
    cut = f" ({len(found)} of {paths.total} networks)" if len(found) < paths.total else ""
    heading(figure, f"{board}: compression{cut}")
    lines = [f"{number}  {path.line}" for number, path in enumerate(found, 1)]
    axes.text(-0.1, -0.2, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=7.5, linespacing=1.35)
    _legend(figure, sorted(places.kind.unique()))
    quantity = f"median {clock.quantity.lower()} in {clock.unit}"
    alt = f"{scale.heading} against {quantity} on {board}, before and after compression: "
    return Drawing(
        name=f"chain-measured-{clock.key}-{slug(board)}",
        plot="chain",
        title=f"Compression, measured on {board}",
        alt=f"{alt}{'; '.join(lines)}.",
        figure=figure,
    )


def _legend(figure: Figure, kinds: list[str]) -> None:
    """Explain colours and circles below the axes."""
    looks = [(kind, *kind_style(kind)) for kind in kinds]
    handles = [Line2D([], [], color=c, marker=m, lw=0, ms=5, label=for_figure(k)) for k, c, m in looks]
    handles.append(Line2D([], [], color=INK, marker="o", mfc="none", lw=0, ms=9, label="before pruning"))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, handletextpad=0.3, columnspacing=1.2)


def _one(axes: Axes, path: _Path, *, heavy: bool) -> None:
    cells = path.cells
    axes.plot(
        cells.value, cells.drawn, "-", color=INK if heavy else MUTED, lw=1.8 if heavy else 0.9,
        alpha=1 if heavy else 0.7, zorder=3 if heavy else 1,
    )  # fmt: skip
    places = list(zip(cells.kind, cells.value, cells.drawn, strict=True))
    for kind, x, y in places:
        colour, marker = kind_style(str(kind))
        axes.plot([x], [y], marker, color=colour, ms=6 if heavy else 4.5, mew=0, zorder=4)
    _, x, y = places[0]
    axes.plot([x], [y], "o", mfc="none", mec=INK, ms=10 if heavy else 8, zorder=4)
