"""Each operator's share of a network's estimated cycles: a bar an operator, as executed, a drawing an artifact."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from harness.core.safetext import clean, for_figure, slug
from harness.estimate.judge import QUANTITY
from harness.records.estimate import OperatorCost, OperatorCosts
from harness.report.figures.canvas import PALETTE, Drawing, heading, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW, label_rows, per_board
from harness.report.gather import ReportData
from harness.report.table import brief

_PLOT = "operators"
#: More operators than this can't be read in one drawing. The most expensive are drawn, and one bar holds the rest.
_MOST = 40
_REST = "the other operators"
_REMAINDER = "remainder"


def operators(data: ReportData) -> list[Drawing]:
    """The estimated cycles of each operator, where a run has estimated them."""
    drawings = []
    for _, board, cells in per_board(data):
        for _, cell in cells[cells.operators.notna()].iterrows():
            costs = OperatorCosts.model_validate_json(cell.operators)
            title = f"{cell.label} on {board}"
            dearest = max(costs.operators, key=lambda operator: operator.cycles)
            alt = (
                f"Bars: {QUANTITY.lower()}, of the {len(costs.operators)} operators of {title}. {dearest.kind} takes "
                f"most, {brief(dearest.cycles / 1e3)} of {brief(costs.cycles / 1e3)} thousand; what the operators "
                f"leave over is {brief(costs.remainder_cycles / 1e3)} thousand."
            )
            drawings.append(
                Drawing(
                    name=f"{_PLOT}-{slug(board)}-{slug(str(cell.label))}",
                    plot=_PLOT,
                    title=f"{QUANTITY}, by operator: {title}",
                    alt=alt,
                    figure=_bars(costs, title),
                )
            )
    return drawings


def _rows(costs: OperatorCosts) -> list[tuple[str, str, int]]:
    """(label, kind, cycles) from the first operator to the last, then the remainder."""
    dearest = sorted(costs.operators, key=lambda operator: -operator.cycles)[:_MOST]
    drawn = {id(operator) for operator in dearest}
    rows = [
        (_label(index, operator), operator.kind, operator.cycles)
        for index, operator in enumerate(costs.operators)
        if id(operator) in drawn
    ]
    rest = [operator.cycles for operator in costs.operators if id(operator) not in drawn]
    if rest:
        rows.append((f"{_REST} ({len(rest)})", _REST, sum(rest)))
    return [*rows, (_REMAINDER, _REMAINDER, costs.remainder_cycles)]


def _label(index: int, operator: OperatorCost) -> str:
    """The operator's place and its layer: the second part of ``network/layer/step;network/layer/step...``."""
    parts = operator.name.partition(";")[0].split("/")
    name = parts[min(1, len(parts) - 1)]
    return for_figure(f"{index} {clean(name, 28)}")


def _bars(costs: OperatorCosts, title: str) -> Canvas:
    rows = _rows(costs)
    figure, axes = new(1.25 + ROW * len(rows))
    heading(figure, title)
    label_rows(axes, [label for label, _, _ in rows])
    kinds = list(dict.fromkeys(kind for _, kind, _ in rows))
    colours = {kind: PALETTE[place % len(PALETTE)] for place, kind in enumerate(kinds)}
    values = np.array([cycles for _, _, cycles in rows]) / 1e3
    axes.barh(np.arange(len(rows)), values, height=0.68, color=[colours[kind] for _, kind, _ in rows], alpha=0.85)
    most = float(values.max())
    for row, value in enumerate(values):
        axes.text(max(value, 0) + most * 0.015, row, brief(value), va="center", fontsize=7.5)
    axes.set_xlim(min(float(values.min()) * 1.05, 0), most * 1.14)
    axes.set_xlabel(f"{QUANTITY} (thousand)")
    handles = [Patch(color=colours[kind], label=for_figure(clean(kind, 30)), alpha=0.85) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower left", ncols=3, handletextpad=0.5, columnspacing=1.2)
    return figure


FIGURE = Figure(
    name=_PLOT,
    heading="Cycles by operator",
    note=(
        "Estimates: what each operator adds to those before it. One that the runtime fuses with another may cost "
        "nothing or less. The remainder is what is left of the whole network's estimate."
    ),
    draw=operators,
    scope="board",
)
