"""The page of a comparison of two runs: which cells became faster, slower or less accurate."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from harness.core.clock import Clock
from harness.core.safetext import clean, for_figure, slug
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.rows import MOST_ROWS, ROW, label_rows
from harness.report.table import Table, tabulate
from harness.results import identity
from harness.results.columns import Column
from harness.results.compare import Comparison
from harness.results.pairs import Pair
from harness.results.quality import TOP1

_LOOKS = {
    "slower": (PALETTE[1], ">"),
    "faster": (PALETTE[0], "<"),
    "same": (PALETTE[7], "o"),
    "can't tell": (MUTED, "D"),
}


def table(found: Comparison) -> Table:
    """One row a pair; each clock has its own columns."""
    clocks = list(dict.fromkeys(pair.clock for pair in found.pairs))
    columns: list[Column[Pair]] = [
        Column("device", "Board", lambda pair: pair.device),
        Column("emulated", "Emulated", lambda pair: pair.emulated),
        Column("model", "Network", lambda pair: pair.model),
        Column("variant", "Variant", lambda pair: pair.variant),
        *(() if noun(found) == "image" else (_DATA,)),
        Column("verdict", "Verdict", lambda pair: pair.verdict),
        Column("change_percent", "Change of the median (%)", lambda pair: _percent_of(pair, "value")),
        Column("low_percent", "95 % interval, low (%)", lambda pair: _percent_of(pair, "low")),
        Column("high_percent", "high (%)", lambda pair: _percent_of(pair, "high")),
        Column("p_adjusted", "p, Holm-adjusted", lambda pair: pair.p_adjusted if pair.ratio else None),
        Column("paired", f"Paired by {noun(found)}", lambda pair: pair.paired if pair.ratio else None),
        *(column for clock in clocks for column in _medians(found, clock)),
        *_ACCURACY,
        *(_METRIC if any(pair.accuracy and not _top1(pair) for pair in found.pairs) else ()),
        Column("doubt", "Can't tell because", lambda pair: pair.doubt or None),
        Column("gate", "Gate", lambda pair: "; ".join(pair.gates) or None),
        Column("refused", "Refused because", lambda pair: "; ".join(pair.refused) or None),
    ]
    return tabulate(columns, found.pairs, name="compare", title=f"{found.b} against {found.a}")


def noun(found: Comparison) -> str:
    """What the samples are called."""
    return "image" if all(pair.faces for pair in found.pairs) else "input"


def _top1(pair: Pair) -> bool:
    return pair.accuracy is not None and pair.accuracy.metric == TOP1


def _accuracy(pair: Pair, side: Literal["a", "b"]) -> float | None:
    """The share of right classes on one side in percent; None where another metric judges the answers, or none."""
    found = pair.accuracy if _top1(pair) else None
    return None if found is None else (found.a if side == "a" else found.b) * 100


_ACCURACY: tuple[Column[Pair], ...] = (
    Column("accuracy_a_percent", "Accuracy before (%)", lambda pair: _accuracy(pair, "a")),
    Column("accuracy_b_percent", "Accuracy after (%)", lambda pair: _accuracy(pair, "b")),
    Column(
        "accuracy_p_adjusted",
        "p of accuracy, Holm-adjusted",
        lambda pair: pair.accuracy.p_adjusted if pair.accuracy and pair.accuracy.tested else None,
    ),
)
_DATA: Column[Pair] = Column("data", "Data", lambda pair: _axis(pair))
#: For pairs that another metric judges.
_METRIC: tuple[Column[Pair], ...] = (
    Column("metric", "Metric", lambda pair: clean(pair.accuracy.metric, 80) if pair.accuracy else None),
    Column("metric_a", "Metric before", lambda pair: pair.accuracy.a if pair.accuracy else None),
    Column("metric_b", "Metric after", lambda pair: pair.accuracy.b if pair.accuracy else None),
)


def _percent_of(pair: Pair, end: Literal["value", "low", "high"]) -> float | None:
    """The distance of the ratio, or of an end of its interval, from 1 in percent."""
    if pair.ratio is None:
        return None
    return ({"value": pair.ratio.value, "low": pair.ratio.low, "high": pair.ratio.high}[end] - 1) * 100


def _medians(found: Comparison, clock: Clock) -> tuple[Column[Pair], Column[Pair]]:
    """The medians of the pairs of one clock."""
    return (
        Column(
            f"median_a_{clock.column}",
            f"{found.a} ({clock.unit})",
            lambda pair: pair.median_a if pair.clock == clock else None,
        ),
        Column(
            f"median_b_{clock.column}",
            f"{found.b} ({clock.unit})",
            lambda pair: pair.median_b if pair.clock == clock else None,
        ),
    )


def changes(found: Comparison) -> list[Drawing]:
    """Change of the median with its interval, one figure a board and axis, the largest changes first."""
    boards: dict[tuple[str, bool, Clock, str], list[Pair]] = {}
    for pair in found.pairs:
        if pair.ratio is not None:
            boards.setdefault((pair.device, pair.emulated, pair.clock, pair.axis), []).append(pair)
    labels = identity.distinct((name for name, *_ in boards), 24)
    several = len({axis for *_, axis in boards}) > 1
    return [
        _board(
            labels[name] + (" (emulated)" if emulated else "") + (f", {_axis(pairs[0])}" if several else ""),
            pairs,
            found.gate,
        )
        for (name, emulated, *_), pairs in boards.items()
    ]


def _axis(pair: Pair) -> str:
    """What tells pairs apart that share no axis, for people."""
    return clean(pair.task, 20) if pair.task else pair.axis[:6] or "no labels"


def _board(board: str, pairs: list[Pair], gate: float | None) -> Drawing:
    unit = pairs[0].unit
    ordered = sorted(pairs, key=lambda p: -abs(p.ratio.value - 1) if p.ratio else 0.0)[:MOST_ROWS]
    figure, axes = new(1.4 + ROW * len(ordered))
    models = identity.distinct((p.model for p in ordered), 26)
    label_rows(axes, [f"{models[p.model]} {for_figure(p.variant, 14)}" for p in ordered])
    axes.axvline(0, color=MUTED, lw=1)
    if gate is not None:
        axes.axvline(gate, color=MUTED, lw=1, ls="--", label=f"gate {gate:.1%}")
    _intervals(axes, ordered, gate)
    axes.set_xlabel(f"Change ({unit}); right: slower")
    heading(figure, f"{board}: {len(ordered)} of {len(pairs)} cells" if len(ordered) < len(pairs) else board)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4, handletextpad=0.3)
    return Drawing(
        name=f"changes-{slug(board)}-{slug(unit)}",
        plot="changes",
        title=f"What changed on {board}",
        alt=_in_words(board, pairs, ordered),
        figure=figure,
    )


def _intervals(axes: Axes, ordered: list[Pair], gate: float | None) -> None:
    """One row a pair: the ratio with its interval, on an axis with both signs."""
    for verdict, (colour, marker) in _LOOKS.items():
        rows = [(i, p.ratio) for i, p in enumerate(ordered) if p.verdict == verdict and p.ratio]
        if rows:
            y = [i for i, _ in rows]
            axes.hlines(y, [r.low - 1 for _, r in rows], [r.high - 1 for _, r in rows], color=colour, lw=1.4)
            axes.plot([r.value - 1 for _, r in rows], y, marker, color=colour, ms=5, label=verdict)
    reach = max((max(abs(p.ratio.low - 1), abs(p.ratio.high - 1)) for p in ordered if p.ratio), default=0.0)
    reach = max(reach, (gate or 0.0) * 1.05, 0.001) * 1.1
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1 if reach < 0.1 else 0))
    axes.locator_params(axis="x", nbins=6)


def _in_words(board: str, pairs: list[Pair], ordered: list[Pair]) -> str:
    worst = max(ordered, key=lambda p: p.ratio.value if p.ratio else 0.0)
    counts = {v: sum(p.verdict == v for p in pairs) for v in _LOOKS}
    alt = f"Change of the median on {board}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + "."
    if worst.ratio:
        alt += (
            f" Biggest increase: {worst.model} {worst.variant}, {np.round((worst.ratio.value - 1) * 100, 2)} percent."
        )
    return alt
