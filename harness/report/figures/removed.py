"""What pruning removed: each node of a network beside what is left of it, by cycles where they were estimated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from harness.core.safetext import clean, for_figure, slug
from harness.estimate.judge import LEAST_RATIO, QUANTITY, judgement
from harness.records.estimate import OperatorCosts
from harness.records.manifest import Manifest
from harness.report.figures.canvas import INK, MUTED, PALETTE, Drawing, heading, log_axis, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW, label_rows, per_board
from harness.report.gather import ReportData
from harness.report.nodes import Node, Pair, beside
from harness.report.pruned import parent
from harness.report.table import brief

_PLOT = "removed"
#: More nodes than this can't be read in one drawing. The dearest are drawn, and one row holds the others.
_MOST = 40
_REST = "the other nodes"
_REMAINDER = "remainder"
#: Costs are compared only where these columns are equal: another runtime executes other code, another LLVM costs it.
_SOURCE = ["runtime", "runtime_version", "estimate_llvm"]


@dataclass(frozen=True)
class _Cut:
    """A network and its pruned form, node by node.

    Attributes:
        name: of the pruned network.
        where: of the drawing's title, such as `` int8 on Pi 4``.
        quantity: what a node costs.
        estimated: whether two costs may be too close to be told apart.
    """

    name: str
    where: str
    quantity: str
    pairs: tuple[Pair, ...]
    estimated: bool = False

    @property
    def title(self) -> str:
        return f"{self.name}{self.where}"

    @property
    def gone(self) -> list[Pair]:
        """Nodes that the pruned network doesn't have."""
        return [pair for pair in self.pairs if pair.after is None]


def removed(data: ReportData) -> list[Drawing]:
    """One drawing for each pruned network, variant and board with the costs of operators; where no board has any, one
    for each pruned network by multiply-accumulates.
    """
    by_cycles = list(_by_cycles(data))
    done = {cut.name for cut in by_cycles}
    first = data.focus.network if data.focus else ""
    cuts = [*by_cycles, *(cut for cut in _by_macs(data) if cut.name not in done)]
    return [_drawing(cut) for cut in sorted(cuts, key=lambda cut: cut.name != first)]


def _by_cycles(data: ReportData) -> Iterator[_Cut]:
    for _, board, every in per_board(data):
        sources = list(every[every.operators.notna()].groupby(_SOURCE, dropna=False))
        for source, cells in sources:
            by = f" ({_source(source)})" if len(sources) > 1 else ""
            named = zip(cells.model.astype(str), cells.variant.astype(str), cells.operators.astype(str), strict=True)
            costs = {(name, variant): text for name, variant, text in reversed(list(named))}  # the fastest cell stays
            for name, variant in reversed(costs):
                before = costs.get((parent(name), variant))
                if parent(name) != name and before is not None:
                    pairs = tuple(beside(_costs(before), _costs(costs[name, variant])))
                    yield _Cut(name, f" {variant} on {board}{by}", QUANTITY, pairs, estimated=True)


def _source(values: Iterable[object]) -> str:
    """A runtime and a version of LLVM in words."""
    name, version, llvm = (clean(value, 40) if isinstance(value, str) else "unknown" for value in values)
    return f"{name} {version}, LLVM {llvm}"


def _costs(text: str) -> list[Node]:
    found = OperatorCosts.model_validate_json(text)
    nodes = [Node(each.kind, each.name, each.cycles) for each in found.operators]
    return [*nodes, Node(_REMAINDER, _REMAINDER, found.remainder_cycles)]


def _by_macs(data: ReportData) -> Iterator[_Cut]:
    used = set(data.cells.model)
    for name, manifest in sorted(data.manifests.items()):
        whole = data.manifests.get(parent(name))
        if name in used and parent(name) != name and whole is not None:
            before, after = _macs(whole), _macs(manifest)
            for variant in [variant for variant in before if variant in after][:1]:
                yield _Cut(name, "", "Multiply-accumulates", tuple(beside(before[variant], after[variant])))


def _macs(manifest: Manifest) -> dict[str, list[Node]]:
    """Nodes with multiply-accumulates, by the variant of a TFLite file; no variant whose nodes aren't recorded."""
    return {
        artifact.variant: [Node(node.kind, node.name, node.macs) for node in artifact.nodes if node.macs]
        for artifact in manifest.artifacts
        if any(node.macs for node in artifact.nodes)
    }


def _shown(pairs: tuple[Pair, ...]) -> list[Pair]:
    """The dearest nodes in their order, and one row for all others."""
    dearest = sorted(pairs, key=lambda pair: -max(_cost(pair.before), _cost(pair.after)))[:_MOST]
    drawn = {id(pair) for pair in dearest}
    rest = [pair for pair in pairs if id(pair) not in drawn]
    shown = [pair for pair in pairs if id(pair) in drawn]
    if rest:
        label = f"{_REST} ({len(rest)})"
        sums = (sum(_cost(pair.before) for pair in rest), sum(_cost(pair.after) for pair in rest))
        shown.append(Pair(*(Node(_REST, label, total) for total in sums)))
    return shown


def _cost(node: Node | None) -> float:
    return 0.0 if node is None else node.cost


def _drawing(cut: _Cut) -> Drawing:
    before, after = (sum(map(_cost, nodes)) for nodes in zip(*((p.before, p.after) for p in cut.pairs), strict=True))
    doubt = ""
    if cut.estimated and judgement(after, before) == "can't tell":
        doubt = f"; closer than {LEAST_RATIO}x, so nobody can tell whether pruning made it faster"
    gone = f"; gone: {', '.join(pair.either.layer for pair in cut.gone)}" if cut.gone else ""
    alt = (
        f"Pairs of dots: {cut.quantity.lower()}, of the {len(cut.pairs)} nodes of {cut.title}, before and after "
        f"pruning, in thousands. All together: {brief(before / 1e3)} before, {brief(after / 1e3)} after{doubt}{gone}."
    )
    return Drawing(
        name=f"{_PLOT}-{slug(cut.title)}",
        plot=_PLOT,
        title=f"What pruning removed: {cut.title}",
        alt=clean(alt, 2000),
        figure=_dots(cut),
    )


def _dots(cut: _Cut) -> Canvas:
    rows = _shown(cut.pairs)
    figure, axes = new(1.25 + ROW * len(rows))
    heading(figure, f"{for_figure(cut.title, 38)}: before and after")
    label_rows(axes, [for_figure(clean(pair.either.layer, 30)) for pair in rows])
    costs = [node.cost / 1e3 for pair in rows for node in (pair.before, pair.after) if node and node.cost > 0]
    if costs:
        log_axis(axes, min(costs), max(costs))
    for row, pair in enumerate(rows):
        _row(axes, row, pair, estimated=cut.estimated)
    axes.set_xlabel(f"{cut.quantity} (thousand), log scale")
    handles = [
        Line2D([], [], color=MUTED, marker="o", lw=0, ms=5, label="before"),
        Line2D([], [], color=PALETTE[0], marker="o", lw=0, ms=5, label="after"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2, handletextpad=0.3, columnspacing=1.2)
    return figure


def _row(axes: Axes, row: int, pair: Pair, *, estimated: bool) -> None:
    """One node: a dot before, a dot after, and by how much it became cheaper. What costs nothing has no dot."""
    dots = [(node.cost / 1e3, colour) for node, colour in ((pair.before, MUTED), (pair.after, PALETTE[0]))
            if node is not None and node.cost > 0]  # fmt: skip
    if len(dots) == 2:
        axes.plot([dots[0][0], dots[1][0]], [row, row], "-", color=MUTED, lw=0.9, alpha=0.7, zorder=1)
    for cost, colour in dots:
        axes.plot([cost], [row], "o", color=colour, ms=5, mew=0, zorder=2)
    words = _words(pair, estimated=estimated)
    axes.text(1.01, row, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5, color=INK)


def _words(pair: Pair, *, estimated: bool) -> str:
    if pair.after is None:
        return "gone"
    if pair.before is None:
        return "new"
    if pair.before.cost <= 0 or pair.after.cost <= 0:
        return "costs nothing" if pair.after.cost <= 0 else ""
    if estimated and judgement(pair.after.cost, pair.before.cost) == "can't tell":
        return "can't tell"
    return f"÷{brief(pair.before.cost / pair.after.cost)}"


FIGURE = Figure(
    name=_PLOT,
    heading="What pruning removed",
    note=(
        "Each node of a network, and what is left of it in its pruned form: estimated cycles on an emulated board if "
        "a run had --profile-ops, else multiply-accumulates. An operator that is fused with another may cost "
        "nothing. Estimates closer than "
        f"{LEAST_RATIO}x can't be told apart."
    ),
    draw=removed,
    scope="boards",
)
