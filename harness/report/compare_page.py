"""The page of a comparison: two runs side by side, what got faster, slower, less accurate."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import PercentFormatter

from harness.core.safetext import for_figure, slug
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.rows import MOST_ROWS, ROW, label_rows
from harness.report.table import Table, Value
from harness.results import identity
from harness.results.compare import Comparison, Pair

_LOOKS = {"slower": (PALETTE[1], ">"), "faster": (PALETTE[0], "<"), "same": (PALETTE[7], "o")}


def table(found: Comparison) -> Table:
    """One row a pair; each unit has columns of its own."""
    units = list(dict.fromkeys(pair.unit for pair in found.pairs))
    columns = [
        ("device", "Board"), ("emulated", "Emulated"), ("model", "Network"), ("variant", "Variant"),
        ("verdict", "Verdict"), ("change_percent", "Change of the median (%)"),
        ("low_percent", "95 % interval, low (%)"), ("high_percent", "high (%)"),
        ("p_adjusted", "p, Holm-adjusted"), ("paired", "Paired by image"),
    ]  # fmt: skip
    for unit in units:
        key = unit.replace(" ", "_")
        columns += [(f"median_a_{key}", f"{found.a} ({unit})"), (f"median_b_{key}", f"{found.b} ({unit})")]
    columns += [
        ("accuracy_a_percent", "Accuracy before (%)"), ("accuracy_b_percent", "Accuracy after (%)"),
        ("accuracy_p_adjusted", "p of accuracy, Holm-adjusted"), ("gate", "Gate"), ("refused", "Refused because"),
    ]  # fmt: skip
    rows = tuple(_row(pair, units) for pair in found.pairs)
    return Table("compare", f"{found.b} against {found.a}", tuple(columns), rows)


def _row(pair: Pair, units: list[str]) -> tuple[Value, ...]:
    ratio, accuracy = pair.ratio, pair.accuracy
    values: list[Value] = [pair.device, pair.emulated, pair.model, pair.variant, pair.verdict]
    values += [(v - 1) * 100 for v in (ratio.value, ratio.low, ratio.high)] if ratio else [None, None, None]
    values += [pair.p_adjusted if ratio else None, pair.paired if ratio else None]
    for unit in units:
        values += [pair.median_a, pair.median_b] if unit == pair.unit else [None, None]
    values += [accuracy.a * 100, accuracy.b * 100, accuracy.p_adjusted] if accuracy else [None, None, None]
    return (*values, "; ".join(pair.gates) or None, "; ".join(pair.refused) or None)


def changes(found: Comparison) -> list[Drawing]:
    """Change of the median with its interval, one figure a board, the biggest changes first."""
    boards: dict[tuple[str, bool, str], list[Pair]] = {}
    for pair in found.pairs:
        if pair.ratio is not None:
            boards.setdefault((pair.device, pair.emulated, pair.unit), []).append(pair)
    labels = identity.distinct((name for name, _, _ in boards), 24)
    return [_board(labels[name], emulated, unit, pairs, found) for (name, emulated, unit), pairs in boards.items()]


def _board(name: str, emulated: bool, unit: str, pairs: list[Pair], found: Comparison) -> Drawing:
    ordered = sorted(pairs, key=lambda p: -abs(p.ratio.value - 1) if p.ratio else 0.0)[:MOST_ROWS]
    board = name + (" (emulated)" if emulated else "")
    figure, axes = new(1.4 + ROW * len(ordered))
    models = identity.distinct((p.model for p in ordered), 26)
    label_rows(axes, [f"{models[p.model]} {for_figure(p.variant, 14)}" for p in ordered])
    axes.axvline(0, color=MUTED, lw=1)
    if found.gate is not None:
        axes.axvline(found.gate, color=MUTED, lw=1, ls="--", label=f"gate {found.gate:.1%}")
    for verdict, (colour, marker) in _LOOKS.items():
        rows = [(i, p.ratio) for i, p in enumerate(ordered) if p.verdict == verdict and p.ratio]
        if rows:
            y = [i for i, _ in rows]
            axes.hlines(y, [r.low - 1 for _, r in rows], [r.high - 1 for _, r in rows], color=colour, lw=1.4)
            axes.plot([r.value - 1 for _, r in rows], y, marker, color=colour, ms=5, label=verdict)
    reach = max((max(abs(p.ratio.low - 1), abs(p.ratio.high - 1)) for p in ordered if p.ratio), default=0.0)
    reach = max(reach, (found.gate or 0.0) * 1.05, 0.001) * 1.1
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1 if reach < 0.1 else 0))
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(f"Change ({unit}); right: slower")
    heading(figure, f"{board}: {len(ordered)} of {len(pairs)} cells" if len(ordered) < len(pairs) else board)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4, handletextpad=0.3)
    worst = max(ordered, key=lambda p: p.ratio.value if p.ratio else 0.0)
    counts = {v: sum(p.verdict == v for p in pairs) for v in _LOOKS}
    alt = f"Change of the median on {board}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + "."
    if worst.ratio:
        alt += (
            f" Biggest increase: {worst.model} {worst.variant}, {np.round((worst.ratio.value - 1) * 100, 2)} percent."
        )
    return Drawing(f"changes-{slug(board)}-{slug(unit)}", "changes", f"What changed on {board}", alt, figure)
