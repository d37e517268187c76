"""The pruned network against every rival, best artifact against best artifact, board by board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.core import stats
from harness.core.clock import Clock
from harness.report.gather import ReportData
from harness.report.paper.roles import COMPRESSED, OURS, PRUNED, PUBLISHED
from harness.report.table import Table, brief, number
from harness.results.columns import Value

#: Draws for an interval: a board with twenty rivals takes twenty intervals, and the third digit of none matters.
_DRAWS = 400
#: Beyond this many pairs, their intervals come from those of the two medians: a report of very many cells would draw
#: for minutes otherwise.
MOST_DRAWN = 400
FASTER, SLOWER, UNSURE = "faster", "slower", "can't tell"


@dataclass(frozen=True)
class Side:
    """The fastest artifact of one network on one board; ``value`` in the clock's unit."""

    model: str
    label: str
    value: float
    accuracy: float
    bytes: int


@dataclass(frozen=True)
class Versus:
    """One rival on one board. ``ratio`` is our median by its median, so below 1 ours is faster; low and high are its
    95 % interval, None where there are too few samples for one. ``role`` is PUBLISHED or COMPRESSED; ``group`` tells
    boards apart, ``board`` and ``label`` are for people."""

    group: int
    board: str
    label: str
    family: str
    emulated: bool
    clock: Clock
    threads: int
    images: int
    ours: Side
    rival: Side
    role: str
    ratio: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Whether ours is faster; an interval that holds 1 can't tell."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return UNSURE
        return FASTER if self.ratio < 1 else SLOWER


_COLUMNS = ["device", "board", "group", "board_label", "emulated", "model", "label", "role", "threads", "value",
            "accuracy", "model_bytes", "latency_ns", "n", "low", "high"]  # fmt: skip


def against(data: ReportData) -> list[Versus]:
    """Every rival on every board that has the pruned network too, with the fewest threads measured there; published
    ones first, then from fast to slow."""
    pairs = []
    for clock in data.clocks:
        for _, cells in data.of(clock)[_COLUMNS].groupby("group", sort=False):
            if PRUNED in set(cells.model):
                pairs += _pairs(clock, cells[cells.threads == cells.threads.min()])
    interval = _drawn if len(pairs) <= MOST_DRAWN else _of_medians
    return [_versus(clock, ours, rival, *interval(ours, rival)) for clock, ours, rival in pairs]


def _pairs(clock: Clock, cells: pd.DataFrame) -> list[tuple[Clock, Any, Any]]:
    """(clock, our fastest cell, a rival's fastest cell) of one board."""
    best = cells.sort_values("value", kind="stable").drop_duplicates("model")
    mine = best[best.model == PRUNED]
    if mine.empty:
        return []
    ours = next(mine.itertuples())
    rivals = best[best.role != OURS].sort_values("role", kind="stable", key=lambda role: role == COMPRESSED)
    return [(clock, ours, rival) for rival in rivals.itertuples()]


def _drawn(ours: Any, rival: Any) -> tuple[float | None, float | None]:
    """The ratio's 95 % interval; None where there are too few samples: then nothing is called faster."""
    try:
        found = stats.bootstrap_ratio(rival.latency_ns, ours.latency_ns, images=ours.n, resamples=_DRAWS).interval
    except stats.TooFewSamplesError:
        return None, None
    return found.low, found.high


def _of_medians(ours: Any, rival: Any) -> tuple[float | None, float | None]:
    """From the farthest ends of both medians' intervals: wider than the ratio's own, never narrower."""
    return number(ours.low / rival.high), number(ours.high / rival.low)


def _versus(clock: Clock, ours: Any, rival: Any, low: float | None, high: float | None) -> Versus:
    return Versus(
        int(ours.group), str(ours.device), str(ours.board_label), str(ours.board), bool(ours.emulated), clock,
        int(ours.threads), int(ours.n), _side(ours), _side(rival), str(rival.role), ours.value / rival.value, low, high,
    )  # fmt: skip


def _side(cell: Any) -> Side:
    return Side(str(cell.model), str(cell.label), float(cell.value), float(cell.accuracy), int(cell.model_bytes))


def standing(found: list[Versus]) -> str:
    """One board in half a sentence: how many rivals ours is faster than, published and pruned ones apart."""
    said = []
    for role, words in ((PUBLISHED, "rivals as published"), (COMPRESSED, "rivals pruned by us")):
        mine = [each for each in found if each.role == role]
        if mine:
            said.append(f"{sum(each.verdict == FASTER for each in mine)} of {len(mine)} {words}")
    return f"{PRUNED} is faster than {' and '.join(said)}" if said else ""


def rivals_table(data: ReportData, found: list[Versus]) -> Table:
    """One row a rival and board; each clock has columns of its own."""
    columns = [("device", "Board"), ("emulated", "Emulated"), ("rival", "Rival"), ("form", "Form"), ("ours", "Ours")]
    for clock in data.clocks:
        columns += [
            (f"ours_{clock.column}", f"Ours ({clock.unit})"),
            (f"rival_{clock.column}", f"Rival ({clock.unit})"),
        ]
    columns += [
        ("ratio", "Ours by rival's"), ("ratio_low", "95 % interval, low"), ("ratio_high", "high"),
        ("verdict", "Ours is"), ("ours_accuracy_percent", "Accuracy, ours (%)"),
        ("rival_accuracy_percent", "rival (%)"), ("ours_bytes", "Bytes, ours"),
        ("rival_bytes", "rival"), ("threads", "Threads"),
    ]  # fmt: skip
    rows = []
    for each in found:
        ours, rival = each.ours, each.rival
        values: list[Value] = [each.board, each.emulated, rival.label, each.role, ours.label]
        for clock in data.clocks:
            values += [ours.value, rival.value] if clock == each.clock else [None, None]
        rows.append((
            *values, each.ratio, each.low, each.high, each.verdict, ours.accuracy * 100, rival.accuracy * 100,
            ours.bytes, rival.bytes, each.threads,
        ))  # fmt: skip
    note = (
        "The fastest artifact of each network on the board. A ratio below 1 means that ours is faster; where its "
        "interval holds 1, these samples can't tell. A rival pruned by us went through the same compression as ours: "
        "nobody published it, and the paper's claim is about published ones."
    )
    return Table("rivals", f"{PRUNED} against every rival", tuple(columns), tuple(rows), note)


def for_page(found: list[Versus]) -> Table:
    """The same in fewer columns."""
    columns = (
        ("device", "Board"), ("rival", "Rival"), ("form", "Form"), ("medians", "Medians, ours / rival's"),
        ("ratio", "Ratio"), ("interval", "95 % interval"), ("verdict", "Ours is"),
        ("accuracy", "Accuracy (%)"), ("kilobytes", "kB"),
    )  # fmt: skip
    rows = tuple(
        (
            each.label, each.rival.label, each.role.removeprefix("rival "),
            f"{brief(each.ours.value)} / {brief(each.rival.value)} {each.clock.short_unit}", round(each.ratio, 4),
            f"{each.low:.4g} to {each.high:.4g}" if each.low is not None else None, each.verdict,
            f"{each.ours.accuracy * 100:.1f} / {each.rival.accuracy * 100:.1f}",
            f"{brief(each.ours.bytes / 1e3)} / {brief(each.rival.bytes / 1e3)}",
        )
        for each in found
    )  # fmt: skip
    return Table("rivals", f"{PRUNED} against every rival", columns, rows)
