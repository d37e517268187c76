"""What the first screen says: the winner on each board, and whether to believe it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.core.clock import Clock
from harness.core.safetext import clean
from harness.report.gather import ReportData
from harness.report.paper.claims import Claim, claims
from harness.report.paper.rivals import Versus, against, standing
from harness.report.paper.roles import COMPRESSED

#: A network may be this much less accurate than the board's best one and still be its pick (one image in 99).
PICK_WITHIN = 0.0102


@dataclass(frozen=True)
class Best:
    """One board's answer. ``unit`` belongs to ``value``; ``note`` says what kind of number that is; ``compressed`` has
    those of the three labels that are rivals after our compression; ``standing`` is ours against all rivals."""

    board: str
    emulated: bool
    pick: str
    value: float
    unit: str
    accuracy: float
    images: int
    fastest: str
    fastest_value: float
    fastest_accuracy: float
    accurate: str
    accurate_value: float
    accurate_accuracy: float
    cells: int
    note: str
    pick_artifact: str
    compressed: frozenset[str]
    standing: str


_BEST = ["group", "board_label", "emulated", "label", "role", "value", "accuracy", "n", "model_sha256"]


def winners(data: ReportData, found: Sequence[Versus] = ()) -> list[Best]:
    """For each board with VALID cells: its pick (the fastest within one image in 99 of the most accurate), the fastest
    and the most accurate artifact."""
    best = []
    for clock in data.clocks:
        for group, cells in data.of(clock)[_BEST].groupby("group", sort=False):
            versus = [each for each in found if (each.group, each.clock) == (group, clock)]
            best.append(_best(clock, cells, standing(versus)))
    return best


def _best(clock: Clock, cells: pd.DataFrame, stands: str) -> Best:
    by_speed = cells.sort_values(["value", "accuracy"], ascending=[True, False], kind="stable")
    top = float(cells.accuracy.max())
    pick = by_speed[by_speed.accuracy >= top - PICK_WITHIN].iloc[0]
    accurate = by_speed[by_speed.accuracy == top].iloc[0]
    fastest = by_speed.iloc[0]
    return Best(
        board=str(pick.board_label).replace(" (emulated)", "", int(pick.emulated)), emulated=bool(pick.emulated),
        pick=str(pick.label), value=float(pick.value),
        unit=clock.unit, accuracy=float(pick.accuracy), images=int(pick.n),
        fastest=str(fastest.label), fastest_value=float(fastest.value), fastest_accuracy=float(fastest.accuracy),
        accurate=str(accurate.label), accurate_value=float(accurate.value), accurate_accuracy=float(accurate.accuracy),
        cells=len(cells), note=clock.note, pick_artifact=str(pick.model_sha256),
        compressed=frozenset(str(each.label) for each in (pick, fastest, accurate) if each.role == COMPRESSED),
        standing=stands,
    )  # fmt: skip


def artifacts(data: ReportData) -> pd.DataFrame:
    """One VALID cell for each artifact and split, the first board's (:func:`agreement` says where boards differ)."""
    return data.valid.drop_duplicates(["model_sha256", "split_sha256"])


def verdicts(data: ReportData) -> dict[str, int]:
    """How many cells are VALID, INVALID or FAILED, and files UNREADABLE or cells MISSING if any."""
    counts = Counter(data.cells.status)
    found = {status: int(counts.get(status, 0)) for status in ("VALID", "INVALID", "FAILED")}
    more = {"UNREADABLE": len(data.bad_files), "MISSING": len(data.missing)}
    return found | {status: count for status, count in more.items() if count}


@dataclass(frozen=True)
class Agreement:
    """One artifact on several boards: how many images they answer differently, and which."""

    artifact: str
    boards: tuple[str, ...]
    images: int
    differing: tuple[int, ...]
    detail: str


def agreement(data: ReportData) -> list[Agreement]:
    """For each artifact (same bytes, same split) that ran on several boards: where their predictions differ."""
    found = []
    columns = ["model_sha256", "split_sha256", "board_id", "board_label", "model", "kind", "classes", "predictions"]
    for _, cells in data.valid[columns].groupby(["model_sha256", "split_sha256"], sort=False):
        if cells.board_id.nunique() < 2:
            continue
        answers = np.stack(list(cells.predictions))
        differing = np.flatnonzero((answers != answers[0]).any(axis=0))
        first = cells.iloc[0]
        classes = [clean(c, 30) for c in first.classes]
        detail = "; ".join(
            f"image {image}: " + ", ".join(
                f"{board} {classes[answer] if 0 <= answer < len(classes) else answer}"
                for board, answer in zip(cells.board_label, answers[:, image], strict=True)
            )
            for image in differing[:5]
        )  # fmt: skip
        found.append(
            Agreement(
                f"{first.model} {first.kind}", tuple(dict.fromkeys(cells.board_label)), answers.shape[1],
                tuple(int(i) for i in differing), detail,
            )
        )  # fmt: skip
    return sorted(found, key=lambda a: (-len(a.differing), a.artifact))


@dataclass(frozen=True)
class Findings:
    """What is worked out once and shown in several places."""

    winners: list[Best]
    agreements: list[Agreement]
    verdicts: dict[str, int]
    claims: list[Claim]
    rivals: list[Versus]

    @property
    def disagreements(self) -> list[Agreement]:
        """Artifacts on which boards differ."""
        return [a for a in self.agreements if a.differing]


def find(data: ReportData) -> Findings:
    """All of the above."""
    rivals = against(data)
    return Findings(winners(data, rivals), agreement(data), verdicts(data), claims(data, rivals), rivals)
