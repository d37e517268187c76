"""What a network classifies correctly: recall of every class, and which classes are mistaken for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from harness.core.safetext import clean, for_figure, slug
from harness.report.figures.canvas import Drawing, heading, new
from harness.report.figures.figure import Figure
from harness.report.figures.rows import ROW, label_rows, shown
from harness.report.gather import ReportData, noun
from harness.report.summary import artifacts, winners
from harness.results.table import FloatArray, IntArray

#: One hue from light to dark; text is readable on both ends.
SHADES = LinearSegmentedColormap.from_list("shades", ["#f2f7fb", "#0072B2"])
MOST_MATRICES = 6
#: More classes than this can't be read in one figure.
MOST_CLASSES = 30


def confusion(truth: IntArray, answers: IntArray, classes: int) -> IntArray:
    """Counts, shape (classes, classes + 1): row = truth, column = answer, the last one for answers out of range."""
    matrix = np.zeros((classes, classes + 1), dtype=np.int64)
    answers = np.where((answers >= 0) & (answers < classes), answers, classes)
    np.add.at(matrix, (truth, answers), 1)
    return matrix


def recall(data: ReportData) -> list[Drawing]:
    """One row an artifact, one column a class: the share of the class's images that were classified correctly."""
    drawings = [
        _recalls(number, *shown(every.sort_values("accuracy", ascending=False, kind="stable")))
        for number, (_, every) in enumerate(artifacts(data).groupby("split_sha256", sort=False), 1)
    ]
    return drawings + matrices(data)


def _recalls(number: int, cells: pd.DataFrame, cut: str) -> Drawing:
    every = list(cells.iloc[0].classes)
    truth = np.array(cells.iloc[0]["labels"])
    table = np.array([[_recall(truth, p, c) for c in range(len(every))] for p in cells.predictions])
    chosen = _drawn(table)
    cut += f" (the hardest {len(chosen)} of {len(every)})" if len(chosen) < len(every) else ""
    classes, table = [every[c] for c in chosen], table[:, chosen]
    figure, axes = new(1.6 + ROW * len(cells))
    _shade(axes, table * 100, 8)
    labels = [f"{m} {for_figure(k, 14)}" for m, k in zip(cells.model_label, cells.kind, strict=True)]
    label_rows(axes, labels)
    counts = [int(np.count_nonzero(truth == c)) for c in chosen]
    names = [f"{for_figure(c, 12)}\n({n})" for c, n in zip(classes, counts, strict=True)]
    slanted: dict[str, Any] = {"rotation": 40, "ha": "right"} if max(map(len, labels)) > 28 else {}
    axes.set_xticks(range(len(classes)), names, fontsize=7, **slanted)
    axes.set_xlabel(f"Class ({noun(cells)}s of it); number: recall in %")
    heading(figure, f"Recall of every class{cut}")
    alt = f"Recall in percent of {len(classes)} classes for {len(cells)} artifacts.{_hardest(table, classes)}"
    return Drawing(
        name=f"recall-{number}",
        plot="confusion",
        title="Recall of every class",
        alt=alt,
        figure=figure,
    )


def _drawn(table: FloatArray) -> list[int]:
    """The classes that are drawn: all, or of very many those with the lowest mean recall."""
    if table.shape[1] <= MOST_CLASSES:
        return list(range(table.shape[1]))
    means = np.where(np.isnan(table).any(axis=0), np.inf, table.mean(axis=0))
    return sorted(np.argsort(means, kind="stable")[:MOST_CLASSES].tolist())


def _hardest(table: FloatArray, classes: list[str]) -> str:
    """The class with the lowest mean recall. Classes without a test image have NaN and are left out."""
    there = [column for column in range(len(classes)) if not np.isnan(table[:, column]).any()]
    if not there:
        return ""
    means = table[:, there].mean(axis=0)
    worst = int(means.argmin())
    return f" Hardest class on average: {clean(classes[there[worst]], 40)}, {means[worst]:.0%}."


def _recall(truth: IntArray, answers: IntArray, label: int) -> float:
    mine = truth == label
    return float(np.mean(answers[mine] == label)) if mine.any() else float("nan")


def matrices(data: ReportData) -> list[Drawing]:
    """Confusion matrices of the pick of each board, at most six."""
    cells = artifacts(data)
    cells = cells[cells.classes.map(len) <= MOST_CLASSES] if len(cells) else cells
    cells = cells.set_index("model_sha256", drop=False)
    picks = [sha for sha in dict.fromkeys(best.pick_artifact for best in winners(data)) if sha in cells.index]
    return [_matrix(cells.loc[[sha]].iloc[0]) for sha in picks[:MOST_MATRICES]]


def _matrix(cell: pd.Series[Any]) -> Drawing:
    classes = [for_figure(name, 12) for name in cell.classes]
    what = "image" if cell.faces else "input"
    counts = confusion(np.array(cell["labels"]), cell.predictions, len(classes))
    if counts[:, -1].any():
        classes_given = [*classes, "none"]
    else:
        counts, classes_given = counts[:, :-1], classes
    figure, axes = new(1.5 + 0.4 * len(classes))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 100
    _shade(axes, share, 9, texts=counts)
    label_rows(axes, classes)
    axes.set_xticks(range(len(classes_given)), classes_given, fontsize=7.5)
    axes.set_xlabel(f"Answer; number: {what}s, shade: share of the class")
    axes.set_ylabel("Truth")
    title = f"{for_figure(cell.model)} {for_figure(cell.kind)}"
    heading(figure, title)
    alt = f"Confusion matrix of {title} over {int(counts.sum())} {what}s. "
    alt += _mistaken(counts, (classes, classes_given), what)
    return Drawing(
        name=f"confusion-{slug(str(cell.model))}-{slug(str(cell.kind))}-{slug(str(cell.model_sha256), 8)}",
        plot="confusion",
        title=f"Confusion matrix of {title}",
        alt=alt,
        figure=figure,
    )


def _mistaken(counts: IntArray, names: tuple[list[str], list[str]], what: str) -> str:
    """The most frequent confusion of one class with another; ``names`` are those of classes and of answers."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return f"No {what} was mistaken."
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return f"Most often mistaken: {names[0][row]} for {names[1][column]}, {wrong[row, column]} {what}s."


def _shade(axes: Axes, percent: FloatArray, size: float, texts: IntArray | None = None) -> None:
    """Draw a table of shaded fields with their numbers in a colour that is readable on them."""
    axes.imshow(percent, cmap=SHADES, vmin=0, vmax=100, aspect="auto", interpolation="none")
    for (row, column), value in np.ndenumerate(percent):
        text = "–" if np.isnan(value) else f"{value:.0f}" if texts is None else str(texts[row, column])
        colour = "#ffffff" if value > 55 else "#10161d"
        if texts is not None and texts[row, column] == 0:
            continue
        axes.text(column, row, text, ha="center", va="center", fontsize=size - 1, color=colour)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)


FIGURE = Figure(name="confusion", heading="Right and wrong, class by class", note="", draw=recall)
