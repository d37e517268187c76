"""The content of the first screen: the winner on each board, and how far to trust it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.core.clock import Clock
from harness.core.safetext import clean
from harness.report import judged
from harness.report.gather import ReportData, noun
from harness.report.judged import as_judged
from harness.report.paper.findings import PaperFindings, look
from harness.report.scale import Scale, scale_of


@dataclass(frozen=True)
class Best:
    """One board's answer.

    Attributes:
        value: the pick's median, in ``clock``'s unit; so are the other two values.
        accuracy: the pick's value of the metric; so are the other two. NaN where nothing judges the answers.
        scale: of the metric; None where nothing judges the answers. The fastest artifact is then the pick and the most
            accurate one.
        apart: the labels, among the three, of networks that stand apart (:class:`~harness.report.focus.Focus`).
        standing: the place of the network in focus among the others; empty without one.
        judge: the strangers on whom accuracies are, in words; empty where they are on the images that the cells ran.
    """

    board: str
    emulated: bool
    pick: str
    value: float
    clock: Clock
    accuracy: float
    images: int
    fastest: str
    fastest_value: float
    fastest_accuracy: float
    accurate: str
    accurate_value: float
    accurate_accuracy: float
    cells: int
    pick_artifact: str
    apart: frozenset[str]
    standing: str
    scale: Scale | None
    faces: bool
    judge: str

    @property
    def unit(self) -> str:
        return self.clock.unit


_BEST = [
    "group", "board_label", "emulated", "label", "role", "value", "accuracy", "metric", "metric_value",
    "higher_is_better", "n", "model_sha256", "faces", *judged.COLUMNS,
]  # fmt: skip


def winners(data: ReportData, standing: Callable[[int, Clock], str] = lambda *_: "") -> list[Best]:
    """The answer of each board with VALID cells: its pick, its fastest and its most accurate artifact. A board has one
    for each axis.

    The pick is the fastest artifact that is about as accurate as the most accurate one: on strangers, its 95 % interval
    reaches that one's accuracy; on the images that the cells ran, it gets at most one in 99 fewer right.

    Args:
        standing: the place of the network in focus on a board, by its group and its clock.
    """
    best = []
    for clock in data.clocks:
        for group, cells in data.of(clock)[_BEST].groupby("group", sort=False):
            best.append(_best(data, clock, as_judged(cells), standing(int(str(group)), clock)))
    return best


def _best(data: ReportData, clock: Clock, cells: pd.DataFrame, standing: str) -> Best:
    scale, judge = scale_of(cells), str(cells.judged_by.iloc[0])
    ranks = cells.metric_value * (-1 if scale and not scale.higher_is_better else 1)
    by_speed = cells.assign(rank=ranks).sort_values(["value", "rank"], ascending=[True, False], kind="stable")
    values = by_speed.metric_value
    if scale is None:
        pick = accurate = by_speed.iloc[0]
    else:
        near = by_speed.judged_high >= scale.best(values) if judge else scale.near_best(values)
        pick, accurate = by_speed[near].iloc[0], by_speed[values == scale.best(values)].iloc[0]
    fastest = by_speed.iloc[0]
    apart = [each for each in (pick, fastest, accurate) if data.focus and each.role == data.focus.apart]
    return Best(
        board=str(pick.board_label).replace(" (emulated)", "", int(pick.emulated)),
        emulated=bool(pick.emulated),
        pick=str(pick.label),
        value=float(pick.value),
        clock=clock,
        accuracy=float(pick.metric_value),
        images=int(pick.n),
        fastest=str(fastest.label),
        fastest_value=float(fastest.value),
        fastest_accuracy=float(fastest.metric_value),
        accurate=str(accurate.label),
        accurate_value=float(accurate.value),
        accurate_accuracy=float(accurate.metric_value),
        cells=len(cells),
        pick_artifact=str(pick.model_sha256),
        apart=frozenset(str(each.label) for each in apart),
        standing=standing,
        scale=scale,
        faces=bool(pick.faces),
        judge=judge,
    )


def artifacts(data: ReportData) -> pd.DataFrame:
    """One VALID cell for each artifact and split, from the first board; :func:`agreement` finds where boards differ. Of
    classifiers with right answers alone.
    """
    valid = data.valid
    classified = [
        bool(labels and classes and len(predictions))
        for labels, classes, predictions in zip(valid["labels"], valid.classes, valid.predictions, strict=True)
    ]
    return valid[np.array(classified, dtype=bool)].drop_duplicates(["model_sha256", "split_sha256"])


def verdicts(data: ReportData) -> dict[str, int]:
    """The number of cells that are VALID, INVALID and FAILED, and of UNREADABLE files and MISSING cells if any."""
    counts = Counter(data.cells.status)
    found = {status: int(counts.get(status, 0)) for status in ("VALID", "INVALID", "FAILED")}
    more = {"UNREADABLE": len(data.bad_files), "MISSING": len(data.missing)}
    return found | {status: count for status, count in more.items() if count}


@dataclass(frozen=True)
class Agreement:
    """One artifact on several boards: on how many images the answers differ, and on which."""

    artifact: str
    boards: tuple[str, ...]
    images: int
    differing: tuple[int, ...]
    detail: str
    noun: str


def agreement(data: ReportData) -> list[Agreement]:
    """For each classifier (same bytes, same split) that ran on several boards: where its answers differ."""
    found = []
    columns = [
        "model_sha256", "split_sha256", "board_id", "board_label", "model", "kind", "classes", "predictions", "faces",
        "ran",
    ]  # fmt: skip
    answered = data.valid[data.valid.predictions.map(len).gt(0)] if len(data.valid) else data.valid
    for _, cells in answered[columns].groupby(["model_sha256", "split_sha256"], sort=False):
        if cells.board_id.nunique() < 2:
            continue
        answers = np.stack(list(cells.predictions))
        differing = np.flatnonzero((answers != answers[0]).any(axis=0))
        first = cells.iloc[0]
        classes = [clean(c, 30) for c in first.classes]
        detail = "; ".join(
            f"{noun(cells)} {image}: " + ", ".join(
                f"{board}{ran} {classes[answer] if 0 <= answer < len(classes) else answer}"
                for board, ran, answer in zip(cells.board_label, cells.ran, answers[:, image], strict=True)
            )
            for image in differing[:5]
        )  # fmt: skip
        found.append(
            Agreement(
                artifact=f"{first.model} {first.kind}",
                boards=tuple(dict.fromkeys(cells.board_label)),
                images=answers.shape[1],
                differing=tuple(int(i) for i in differing),
                detail=detail,
                noun=noun(cells),
            )
        )
    return sorted(found, key=lambda a: (-len(a.differing), a.artifact))


@dataclass(frozen=True)
class Summary:
    """Results that are computed once and shown in several places.

    ``unclassified`` is the number of artifacts that ran on several boards and give no classes to compare.
    """

    winners: list[Best]
    agreements: list[Agreement]
    verdicts: dict[str, int]
    paper: PaperFindings
    unclassified: int = 0

    @property
    def disagreements(self) -> list[Agreement]:
        """Artifacts on which boards differ."""
        return [a for a in self.agreements if a.differing]


def summarise(data: ReportData) -> Summary:
    """All of the above."""
    paper = look(data)
    return Summary(
        winners=winners(data, paper.standing),
        agreements=agreement(data),
        verdicts=verdicts(data),
        paper=paper,
        unclassified=_unclassified(data),
    )


def _unclassified(data: ReportData) -> int:
    silent = data.valid[data.valid.predictions.map(len) == 0] if len(data.valid) else data.valid
    return int((silent.groupby(["model_sha256", "split_sha256"]).board_id.nunique() > 1).sum())
