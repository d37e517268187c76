"""Each operator's cost: a bar an operator, as executed. An artifact has a drawing for each quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from harness.core.safetext import clean, for_figure, slug
from harness.estimate.judge import judgement
from harness.records.estimate import OperatorCosts
from harness.records.operators import OperatorTimes
from harness.report.figures.canvas import INK, PALETTE, Drawing, heading, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW, label_rows, per_board
from harness.report.gather import ReportData
from harness.report.table import brief
from harness.results.operators import CYCLES, TIME, Breakdown, Cost, FloatArray, Part, breakdowns

_PLOT = "operators"
#: More operators than this can't be read in one drawing. The most expensive are drawn, and one bar holds the rest.
_MOST = 40
_REST = "the other operators"
_REMAINDER = "remainder"


@dataclass(frozen=True)
class _Row:
    label: str
    kind: str
    cost: Cost


def operators(data: ReportData) -> list[Drawing]:
    """The costs of each operator, where a run has asked for them."""
    drawings = []
    for _, board, cells in per_board(data):
        for _, cell in cells[cells.operators.notna() | cells.operator_times.notna()].iterrows():
            for costs in _breakdowns(cell.operators, cell.operator_times):
                title = f"{cell.label} on {board}"
                drawings.append(
                    Drawing(
                        name=_name(costs, board, str(cell.label)),
                        plot=_PLOT,
                        title=f"{costs.quantity.title}, by operator: {title}",
                        alt=_alt(costs, title),
                        figure=_bars(costs, title),
                    )
                )
    return drawings


def _breakdowns(costs: object, times: object) -> list[Breakdown]:
    """What two columns of a row know, each JSON text or nothing."""
    return breakdowns(
        OperatorCosts.model_validate_json(costs) if isinstance(costs, str) else None,
        OperatorTimes.model_validate_json(times) if isinstance(times, str) else None,
    )


def _name(costs: Breakdown, board: str, label: str) -> str:
    quantity = () if costs.quantity is CYCLES else (costs.quantity.key,)
    return "-".join((_PLOT, *quantity, slug(board), slug(label)))


def _alt(costs: Breakdown, title: str) -> str:
    """What the drawing shows, in words."""
    unit = costs.quantity.unit
    quantity = costs.quantity.title
    text = f"Bars: {quantity[0].lower()}{quantity[1:]}, of the {len(costs.parts)} operators of {title}. "
    dearest = sorted(costs.told, key=lambda part: -part.cost.value)
    if not dearest:
        text += f"What any of them costs can't be told; the whole takes {brief(costs.whole / 1e3)} {unit}"
    elif len(dearest) > 1 and _close(costs, dearest[0], dearest[1]):
        first, second = dearest[:2]
        text += (
            f"Which takes most can't be told: {first.kind} (number {first.index}) or {second.kind} (number "
            f"{second.index}), about {brief(first.cost.value / 1e3)} of {brief(costs.whole / 1e3)} {unit}"
        )
    else:
        text += (
            f"{dearest[0].kind} takes most, {brief(dearest[0].cost.value / 1e3)} of {brief(costs.whole / 1e3)} {unit}"
        )
    left = costs.remainder
    known = "can't be told" if left.verdict == "can't tell" else f"is {brief(left.value / 1e3)} {unit}"
    if costs.quantity is TIME and left.verdict == "nothing":
        known = "is nothing"
    return f"{text}; what the operators leave over {known}."


def _close(costs: Breakdown, one: Part, other: Part) -> bool:
    """Whether nobody can tell which of two operators costs more."""
    if costs.quantity is CYCLES:
        return judgement(one.cost.value, other.cost.value) == "can't tell"
    return one.cost.low <= other.cost.high


def _rows(costs: Breakdown) -> list[_Row]:
    """A row for each operator from the first to the last, then for those that are not drawn, then the remainder."""
    dearest = sorted(costs.parts, key=lambda part: -part.cost.value)[:_MOST]
    drawn = {part.index for part in dearest}
    rows = [_Row(_label(part), part.kind, part.cost) for part in costs.parts if part.index in drawn]
    rest = [part for part in costs.parts if part.index not in drawn]
    if rest:
        rows.append(_Row(f"{_REST} ({len(rest)})", _REST, costs.together(rest)))
    return [*rows, _Row(_REMAINDER, _REMAINDER, costs.remainder)]


def _label(part: Part) -> str:
    """The operator's place and its layer: the second part of ``network/layer/step;network/layer/step...``."""
    parts = part.name.partition(";")[0].split("/")
    name = parts[min(1, len(parts) - 1)]
    return for_figure(f"{part.index} {clean(name, 28)}")


def _bars(costs: Breakdown, title: str) -> Canvas:
    rows = _rows(costs)
    figure, axes = new(1.25 + ROW * len(rows))
    heading(figure, title)
    label_rows(axes, [row.label for row in rows])
    kinds = list(dict.fromkeys(row.kind for row in rows))
    colours = {kind: PALETTE[place % len(PALETTE)] for place, kind in enumerate(kinds)}
    timed = costs.quantity is TIME
    values = np.array([row.cost.value if not timed or row.cost.verdict == "cost" else 0.0 for row in rows]) / 1e3
    axes.barh(np.arange(len(rows)), values, height=0.68, color=[colours[row.kind] for row in rows], alpha=0.85)
    ends = _intervals(axes, rows) if timed else values
    _write(axes, rows, ends, timed=timed)
    axes.set_xlabel(f"{costs.quantity.title} ({costs.quantity.unit})")
    handles = [Patch(color=colours[kind], label=for_figure(clean(kind, 30)), alpha=0.85) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, handletextpad=0.5, columnspacing=1.2)
    return figure


def _intervals(axes: Axes, rows: list[_Row]) -> FloatArray:
    """Draw the interval of each known time; returns where each row's drawing ends."""
    ends = np.zeros(len(rows))
    for place, row in enumerate(rows):
        if row.cost.verdict == "cost":
            axes.plot([row.cost.low / 1e3, row.cost.high / 1e3], [place, place], color=INK, linewidth=1, alpha=0.7)
            ends[place] = row.cost.high / 1e3
    return ends


def _write(axes: Axes, rows: list[_Row], ends: FloatArray, *, timed: bool) -> None:
    """Write each row's value beside it, or what can be said instead, and leave room for that."""
    most = max(float(ends.max()), 1e-9)
    for place, (row, end) in enumerate(zip(rows, ends, strict=True)):
        axes.text(max(float(end), 0) + most * 0.015, place, _said(row.cost, timed=timed), va="center", fontsize=7.5)
    axes.set_xlim(min(float(ends.min()) * 1.05, 0), most * (1.3 if timed else 1.14))


def _said(cost: Cost, *, timed: bool) -> str:
    if not timed or cost.verdict == "cost":
        return brief(cost.value / 1e3)
    if cost.verdict == "nothing":
        return "nothing of its own"
    return "can't tell" if math.isinf(cost.high) else f"can't tell (under {brief(cost.high / 1e3)})"


FIGURE = Figure(
    name=_PLOT,
    heading="Cost by operator",
    note=(
        "What each operator adds to those before it: estimated cycles on one thread, counted instructions, or measured "
        "time with its 95 % interval. One that the runtime fuses with another may cost nothing or less. Where an "
        "interval holds zero, nobody can tell. The remainder is what the operators leave of the whole network."
    ),
    draw=operators,
    scope="board",
)
