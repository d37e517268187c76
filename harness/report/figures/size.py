"""The size of the artifacts: file size, and accuracy against it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.core.safetext import for_figure, slug
from harness.report.figures.canvas import Drawing, heading, kind_style, legend_below, log_axis, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW
from harness.report.gather import ReportData
from harness.results import identity


def sizes(data: ReportData) -> list[Drawing]:
    """File size of each artifact that was run; it is the same on all boards. One figure a task."""
    several = data.cells.task_label.nunique() > 1
    return [
        _sizes(cells.drop_duplicates("model_sha256"), str(task) if several else "")
        for task, cells in data.cells.groupby("task_label", sort=False)
    ]


def _sizes(cells: pd.DataFrame, task: str) -> Drawing:
    title = f"Model size, {task}" if task else "Model size"
    models = cells.groupby("model").model_bytes.max().sort_values(kind="stable")
    figure, axes = new(1.2 + ROW * 1.1 * len(models) + ROW * (cells.kind.nunique() > 4))
    place = {name: row for row, name in enumerate(models.index)}
    for row, name in enumerate(models.index):
        mine = cells[cells.model == name].model_bytes / 1e6
        axes.plot([mine.min(), mine.max()], [row, row], color="#d0d7de", lw=2, zorder=1)
    for kind, mine in cells.groupby("kind"):
        colour, marker = kind_style(str(kind))
        axes.scatter(
            mine.model_bytes / 1e6, [place[m] for m in mine.model], c=colour, marker=marker, s=34, lw=0,
            label=for_figure(kind),
        )  # fmt: skip
    axes.set_yticks(np.arange(len(models)), list(identity.distinct(map(str, models.index), 34).values()))
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    log_axis(axes, float(cells.model_bytes.min()) / 1e6, float(cells.model_bytes.max()) / 1e6)
    axes.set_xlabel("File size (MB, 10⁶ bytes), log scale")
    heading(figure, title)
    legend_below(figure, axes)
    by_size = cells.sort_values("model_bytes", kind="stable")
    small, big = by_size.iloc[0], by_size.iloc[-1]
    alt = (
        f"File sizes of {len(cells)} artifacts in MB (networks: {len(models)}). Smallest: {small.model} {small.kind}, "
        f"{small.model_bytes / 1e6:.3g} MB; biggest: {big.model} {big.kind}, {big.model_bytes / 1e6:.3g} MB."
    )
    name = f"size-{slug(task)}" if task else "size"
    return Drawing(name=name, plot="size", title=title, alt=alt, figure=figure)


FIGURE = Figure(name="size", heading="Model size", note="", draw=sizes)
