"""The pruned network against every rival: best artifact against best artifact, board by board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from harness.core import rounds, stats
from harness.core.clock import Clock
from harness.report.gather import ReportData
from harness.report.judged import as_judged
from harness.report.paper.roles import COMPRESSED, OURS, PRUNED, PUBLISHED
from harness.report.parts import TablePart, focused
from harness.report.table import Table, brief, number, tabulate
from harness.results.columns import Column
from harness.results.table import IntArray

#: Bootstrap draws for an interval: a board with twenty rivals needs twenty intervals, and their third digit is
#: irrelevant.
_DRAWS = 400
#: Above this many pairs, intervals are derived from those of the two medians: drawing them would take minutes in a
#: report of very many cells.
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
    """One rival on one board. ``ratio`` is our median by its median, so our network is faster below 1. ``low`` and
    ``high`` are the ratio's 95 % interval, None where there are too few samples for one. ``role`` is PUBLISHED or
    COMPRESSED; ``group`` identifies the board, ``board`` and ``label`` are for people.
    """

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
        """Whether our network is faster; undecided where the interval holds 1."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return UNSURE
        return FASTER if self.ratio < 1 else SLOWER


class _Fastest(NamedTuple):
    """The columns of ``data.cells`` that a comparison needs, of a network's fastest cell on a board."""

    device: str
    board: str
    group: int
    board_label: str
    emulated: bool
    model: str
    label: str
    role: str
    threads: int
    value: float
    accuracy: float
    model_bytes: int
    latency_ns: IntArray
    rounds: IntArray
    clock: str
    n: int
    low: float
    high: float


_COLUMNS = list(_Fastest._fields)


def against(data: ReportData) -> list[Versus]:
    """Every rival on every board that also has the pruned network, with the fewest threads measured there. Published
    networks come first, each role from fast to slow.
    """
    pairs = []
    for clock in data.clocks:
        for _, cells in as_judged(data.of(clock))[_COLUMNS].groupby("group", sort=False):
            if PRUNED in set(cells.model):
                pairs += _pairs(clock, cells[cells.threads == cells.threads.min()])
    interval = _drawn if len(pairs) <= MOST_DRAWN else _of_medians
    return [_versus(clock, ours, rival, *interval(ours, rival)) for clock, ours, rival in pairs]


def _pairs(clock: Clock, cells: pd.DataFrame) -> list[tuple[Clock, _Fastest, _Fastest]]:
    """(clock, our fastest cell, a rival's fastest cell) of one board."""
    best = cells.sort_values("value", kind="stable").drop_duplicates("model")
    mine = best[best.model == PRUNED]
    if mine.empty:
        return []
    [ours] = _rows(mine)
    rivals = best[best.role != OURS].sort_values("role", kind="stable", key=lambda role: role == COMPRESSED)
    return [(clock, ours, rival) for rival in _rows(rivals)]


def _rows(cells: pd.DataFrame) -> list[_Fastest]:
    return [_Fastest(*row) for row in zip(*(cells[name].tolist() for name in _COLUMNS), strict=True)]


def _drawn(ours: _Fastest, rival: _Fastest) -> tuple[float | None, float | None]:
    """The ratio's 95 % interval; None where there are too few samples, and then no network is called faster."""
    try:
        if min(len(rival.rounds), len(ours.rounds)) > 1 and ours.clock == "wall":
            sides = [rounds.medians(cell.latency_ns, cell.rounds.tolist()) for cell in (rival, ours)]
            found = rounds.ratio(sides[0], sides[1]).interval
        else:
            found = stats.bootstrap_ratio(rival.latency_ns, ours.latency_ns, images=ours.n, resamples=_DRAWS).interval
    except stats.TooFewSamplesError:
        return None, None
    return found.low, found.high


def _of_medians(ours: _Fastest, rival: _Fastest) -> tuple[float | None, float | None]:
    """An interval from the farthest ends of both medians' intervals: wider than the ratio's own, never narrower."""
    return number(ours.low / rival.high), number(ours.high / rival.low)


def _versus(clock: Clock, ours: _Fastest, rival: _Fastest, low: float | None, high: float | None) -> Versus:
    return Versus(
        group=int(ours.group),
        board=str(ours.device),
        label=str(ours.board_label),
        family=str(ours.board),
        emulated=bool(ours.emulated),
        clock=clock,
        threads=int(ours.threads),
        images=int(ours.n),
        ours=_side(ours),
        rival=_side(rival),
        role=str(rival.role),
        ratio=ours.value / rival.value,
        low=low,
        high=high,
    )


def _side(cell: _Fastest) -> Side:
    return Side(
        model=str(cell.model),
        label=str(cell.label),
        value=float(cell.value),
        accuracy=float(cell.accuracy),
        bytes=int(cell.model_bytes),
    )


def standing(found: list[Versus]) -> str:
    """One board in half a sentence: how many rivals our network is faster than, published and pruned ones apart."""
    shares = []
    for role, words in ((PUBLISHED, "rivals as published"), (COMPRESSED, "rivals pruned by us")):
        mine = [each for each in found if each.role == role]
        if mine:
            shares.append(f"{sum(each.verdict == FASTER for each in mine)} of {len(mine)} {words}")
    return f"{PRUNED} is faster than {' and '.join(shares)}" if shares else ""


_TITLE = f"{PRUNED} against every rival"


def rivals_table(data: ReportData, found: Sequence[Versus]) -> Table:
    """One row a rival and board; each clock has its own columns."""
    columns: list[Column[Versus]] = [
        Column("device", "Board", lambda row: row.board),
        Column("emulated", "Emulated", lambda row: row.emulated),
        Column("rival", "Rival", lambda row: row.rival.label),
        Column("form", "Form", lambda row: row.role),
        Column("ours", "Ours", lambda row: row.ours.label),
        *(column for clock in data.clocks for column in _medians(clock)),
        Column("ratio", "Ours by rival's", lambda row: row.ratio),
        Column("ratio_low", "95 % interval, low", lambda row: row.low),
        Column("ratio_high", "high", lambda row: row.high),
        Column("verdict", "Ours is", lambda row: row.verdict),
        Column("ours_accuracy_percent", "Accuracy, ours (%)", lambda row: row.ours.accuracy * 100),
        Column("rival_accuracy_percent", "rival (%)", lambda row: row.rival.accuracy * 100),
        Column("ours_bytes", "Bytes, ours", lambda row: row.ours.bytes),
        Column("rival_bytes", "rival", lambda row: row.rival.bytes),
        Column("threads", "Threads", lambda row: row.threads),
    ]
    on = f" Accuracies are on {judge}." if (judge := next(iter(data.judges.values()), None)) else ""
    note = (
        "The fastest artifact of each network on the board. A ratio below 1 means that ours is faster; where its "
        "interval holds 1, these samples can't tell. A rival pruned by us went through the same compression as ours: "
        "nobody published it, and the paper's claim is about published ones."
    ) + on
    return tabulate(columns, found, name="rivals", title=_TITLE, note=note)


def _medians(clock: Clock) -> tuple[Column[Versus], Column[Versus]]:
    """Both medians of the rows of one clock."""
    return (
        Column(
            f"ours_{clock.column}",
            f"Ours ({clock.unit})",
            lambda row: row.ours.value if row.clock == clock else None,
        ),
        Column(
            f"rival_{clock.column}",
            f"Rival ({clock.unit})",
            lambda row: row.rival.value if row.clock == clock else None,
        ),
    )


TABLE = TablePart(lambda data, summary: rivals_table(data, summary.paper.rivals), focused)

_PAGE_COLUMNS: tuple[Column[Versus], ...] = (
    Column("device", "Board", lambda row: row.label),
    Column("rival", "Rival", lambda row: row.rival.label),
    Column("form", "Form", lambda row: row.role.removeprefix("rival ")),
    Column(
        "medians",
        "Medians, ours / rival's",
        lambda row: f"{brief(row.ours.value)} / {brief(row.rival.value)} {row.clock.short_unit}",
    ),
    Column("ratio", "Ratio", lambda row: round(row.ratio, 4)),
    Column(
        "interval",
        "95 % interval",
        lambda row: f"{row.low:.4g} to {row.high:.4g}" if row.low is not None else None,
    ),
    Column("verdict", "Ours is", lambda row: row.verdict),
    Column(
        "accuracy",
        "Accuracy (%)",
        lambda row: f"{row.ours.accuracy * 100:.1f} / {row.rival.accuracy * 100:.1f}",
    ),
    Column("kilobytes", "kB", lambda row: f"{brief(row.ours.bytes / 1e3)} / {brief(row.rival.bytes / 1e3)}"),
)


def for_page(found: Sequence[Versus]) -> Table:
    """The same rows in fewer columns."""
    return tabulate(_PAGE_COLUMNS, found, name="rivals", title=_TITLE)
