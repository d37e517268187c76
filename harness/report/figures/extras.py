"""Memory, energy and what more threads bring; one row an artifact, one figure a board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from harness.core.safetext import slug
from harness.report.figures.canvas import MUTED, Drawing, kind_style
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief


def memory(data: ReportData) -> list[Drawing]:
    """Peak resident memory of the runner with that artifact (the kernel's own high-water mark)."""
    return _bars(data, "memory", "peak_rss_bytes", 1e6, "Peak memory of the process (MB, 10⁶ bytes)", "Peak memory")


def energy(data: ReportData) -> list[Drawing]:
    """Energy per inference, where a board has a sensor."""
    cells = data.cells.assign(energy_mj=data.cells.energy_j * 1e3 / data.cells.samples.clip(lower=1))
    return _bars(
        replace(data, cells=cells), "energy", "energy_mj", 1.0, "Energy per inference (mJ)", "Energy per inference"
    )


def _bars(data: ReportData, plot: str, column: str, scale: float, label: str, title: str) -> list[Drawing]:
    drawings = []
    for clock, board, every in per_board(data):
        cells, cut = shown(every[every[column].notna()].sort_values(column, kind="stable"))
        if cells.empty:
            continue
        values = cells[column].to_numpy() / scale
        figure, axes = canvas(cells, f"{board}{cut}")
        axes.barh(np.arange(len(cells)), values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
        for row, value in enumerate(values):
            axes.text(value + values.max() * 0.015, row, brief(value), va="center", fontsize=7.5)
        axes.set_xlim(0, values.max() * 1.14)
        axes.set_xlabel(label)
        kind_legend(figure, cells)
        alt = (
            f"Bars: {label} of {len(cells)} artifacts on {board}{cut}, from {brief(values.min())} "
            f"({cells.label.iloc[0]}) to {brief(values.max())} ({cells.label.iloc[-1]})."
        )
        drawings.append(Drawing(f"{plot}-{clock.key}-{slug(board)}", plot, f"{title} on {board}", alt, figure))
    return drawings


_ARTIFACT = ["model", "variant", "format", "runtime", "delegate"]


def threads(data: ReportData) -> list[Drawing]:
    """How much faster each artifact is with more threads than with the fewest measured."""
    drawings = []
    for clock, board, every in per_board(data):
        several = every[every.groupby(_ARTIFACT).threads.transform("nunique") > 1]
        if several.empty:
            continue
        groups = [group.sort_values("threads") for _, group in several.groupby(_ARTIFACT)]
        best = pd.DataFrame([group.iloc[0] for group in groups])
        cells, cut = shown(best)
        figure, axes = canvas(
            cells.assign(label=[f"{m} {v}" for m, v in zip(cells.model_label, cells.variant, strict=True)]),
            f"{board}: more threads{cut}",
        )
        axes.axvline(1, color=MUTED, lw=1)
        least, top = 1.0, 1.0
        for row, group in enumerate(groups[: len(cells)]):
            speedup = group.value.iloc[0] / group.value.to_numpy()
            least, top = min(least, float(speedup.min())), max(top, float(speedup.max()))
            axes.plot(speedup, [row] * len(group), "-", color=kind_style(group.kind.iloc[0])[0], lw=1.5, alpha=0.5)
            for x, count in zip(speedup, group.threads, strict=True):
                axes.text(
                    x, row, str(count), ha="center", va="center", fontsize=7, color="white", fontweight="bold",
                    bbox={"boxstyle": "circle,pad=0.18", "fc": kind_style(group.kind.iloc[0])[0], "ec": "none"},
                )  # fmt: skip
        axes.set_xlim(least - (top - least) * 0.08 - 0.05, top + (top - least) * 0.08 + 0.05)
        axes.set_xlabel("Times as fast as with the fewest; in circles: threads")
        kind_legend(figure, cells)
        alt = (
            f"For {len(cells)} artifacts on {board}{cut}: times as fast with each number of threads as with the fewest."
            f" Best gain: {top:.3g} times."
        )
        name = f"threads-{clock.key}-{slug(board)}"
        drawings.append(Drawing(name, "threads", f"More threads on {board}", alt, figure))
    return drawings
