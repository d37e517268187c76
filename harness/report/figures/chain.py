"""The compression path of a network: accuracy against multiply-accumulates, step by step."""

from __future__ import annotations

from matplotlib.axes import Axes

from harness.core.safetext import for_figure, slug
from harness.records.manifest import Manifest, Step
from harness.report.figures.canvas import INK, MARKERS, PALETTE, Drawing, accuracy_axis, heading, log_axis, new
from harness.report.figures.chain_measured import measured
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData
from harness.report.table import brief

#: The most characters of a line below the figure.
_LONGEST = 80
_KINDS = ("trained", "pruned", "tuned", "quantised")


def paths(data: ReportData) -> list[Drawing]:
    """One figure for each network whose steps changed its cost; any other would be two dots on top of each other.

    The network in focus comes first, then the measured networks, then the others.
    """
    first = data.focus.network if data.focus else ""
    drawings = []
    used = set(data.cells.model)
    for name, manifest in sorted(data.manifests.items(), key=lambda item: (item[0] != first, item[0])):
        steps = [(step, accuracy(step)) for step in manifest.chain]
        known = [(step, value) for step, value in steps if value is not None]
        if name in used and len({step.macs for step, _ in known}) > 1:  # a path needs two places
            drawings.append(_path(manifest, known))
    return drawings[:1] + measured(data) + drawings[1:]


def accuracy(step: Step) -> float | None:
    """Accuracy on the test split where known, else on the validation split."""
    return step.accuracy if step.accuracy is not None else step.validation_accuracy


def _path(manifest: Manifest, steps: list[tuple[Step, float]]) -> Drawing:
    figure, axes = new(3.4 + 0.18 * len(steps))
    macs = [step.macs / 1e6 for step, _ in steps]
    values = [value * 100 for _, value in steps]
    axes.plot(macs, values, "-", color=INK, lw=1, alpha=0.5, zorder=1)
    for kind, colour, marker in zip(_KINDS, PALETTE, MARKERS, strict=False):
        mine = [i for i, (step, _) in enumerate(steps) if step.kind == kind]
        if mine:
            axes.scatter(
                [macs[i] for i in mine], [values[i] for i in mine], c=colour, marker=marker, s=38, lw=0, label=kind
            )
    _numbers(axes, macs, values)
    log_axis(axes, min(macs), max(macs))
    axes.invert_xaxis()
    accuracy_axis(axes, min(values), max(values))
    axes.set_xlabel("Multiply-accumulates for one image (millions), log scale, falling")
    axes.set_ylabel("Accuracy (%)")
    heading(figure, f"{for_figure(manifest.name, 28)}: compression")
    lines = [_line(i, step, value) for i, (step, value) in enumerate(steps, 1)]
    axes.text(-0.1, -0.2, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=7.5, linespacing=1.35)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4, handletextpad=0.3)
    return Drawing(
        name=f"chain-{slug(manifest.name)}",
        plot="chain",
        title=f"Compression path of {manifest.name}",
        alt=f"Accuracy against multiply-accumulates of {manifest.name} after each step: {'; '.join(lines)}.",
        figure=figure,
    )


def _numbers(axes: Axes, macs: list[float], values: list[float]) -> None:
    """Write the numbers of the steps beside their dots."""
    for place, members in _groups(macs, values).items():
        below = values[members[-1]] < values[min(members[-1] + 1, len(values) - 1)]  # the line rises from here
        axes.annotate(
            ", ".join(str(i + 1) for i in members), place, xytext=(0, -6 if below else 6), textcoords="offset points",
            ha="center", va="top" if below else "bottom", fontsize=8, fontweight="bold",
        )  # fmt: skip


def _groups(macs: list[float], values: list[float]) -> dict[tuple[float, float], list[int]]:
    """Group steps that lie on (nearly) the same spot, so that they share a label."""
    groups: dict[tuple[float, float], list[int]] = {}
    span = max(max(values) - min(values), 1e-9)
    for i, (x, y) in enumerate(zip(macs, values, strict=True)):
        for a, b in groups:
            if abs(x / a - 1) < 0.08 and abs(y - b) < 0.09 * span:
                groups[a, b].append(i)
                break
        else:
            groups[x, y] = [i]
    return groups


def _line(number: int, step: Step, value: float) -> str:
    kilobytes = f", {brief(step.bytes / 1e3)} kB" if step.bytes is not None else ""
    cost = f": {value:.1%}, {brief(step.macs / 1e6)} M MACs, {brief(step.parameters / 1e3)} k par.{kilobytes}"
    what = f"{number}  {step.kind} {step.detail}".rstrip()
    return f"{for_figure(what, _LONGEST - len(cost))}{cost}"  # only words are cut, never a number


FIGURE = Figure(
    name="chain",
    heading="Compression path",
    note=(
        "What each step costs in accuracy, and what one image costs after it: in multiply-accumulates, then as "
        "measured, on each board that ran both the network and its pruned form."
    ),
    draw=paths,
    scope="boards",
)
