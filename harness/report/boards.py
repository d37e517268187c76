"""Tables about boards: the winner on each, the hardware, a summary of the evidence, and where boards disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from harness.boards.raspberry_pi import throttle_word
from harness.boards.state import BoardState
from harness.core import stats
from harness.core.clock import Clock
from harness.core.safetext import clean
from harness.report.evidence import states
from harness.report.gather import ReportData
from harness.report.scale import PICK_WITHIN, PICK_WITHIN_RATIO
from harness.report.summary import Agreement, Best, artifacts
from harness.report.table import Table, number, tabulate, whole
from harness.results.columns import Column
from harness.results.quality import TOP1
from harness.results.table import IntArray

#: At most this many cells are summed up as a board's evidence; with more, evenly spread ones are taken.
MOST_EVIDENCE = 50
#: The recall of more classes than this is in the CSV alone.
MOST_CLASSES = 60
_RECALL = "recall_"


def winners_table(data: ReportData, found: list[Best]) -> Table:
    """The winners, one row a board. Values are in the unit that the row names, so the column's name has no unit."""
    columns: list[Column[Best]] = [
        Column("device", "Board", lambda best: best.board),
        Column("emulated", "Emulated", lambda best: best.emulated),
        Column("pick", "Pick", lambda best: best.pick),
        Column("accuracy_percent", "Accuracy (%)", lambda best: best.accuracy * 100 if _top1(best) else None),
        *(_METRIC if any(best.scale and not _top1(best) for best in found) else ()),
        *(_pick_median(clock) for clock in data.clocks),
        Column("fastest", "Fastest", lambda best: best.fastest),
        Column("most_accurate", "Most accurate", lambda best: best.accurate if best.scale else None),
        Column("cells", "Valid cells", lambda best: best.cells),
        *(data.focus.winner_columns if data.focus else ()),
    ]
    note = f"The pick is {pick_rule(found)}."
    return tabulate(columns, found, name="winners", title="Which network wins on which board", note=note)


def pick_rule(found: Sequence[Best]) -> str:
    """How the picks were chosen, in words: a board's pick depends on what judges the answers there."""
    judged_first = sorted(found, key=lambda best: best.scale is None)
    return "; ".join(dict.fromkeys(map(_rule, judged_first))) or _rule(None)


def _rule(best: Best | None) -> str:
    if best is None or (best.faces and _top1(best)):
        return "the fastest artifact that gets at most one image in 99 fewer right than the most accurate one"
    if best.scale is None:
        return "where no labels judge the answers, the fastest artifact"
    name = best.scale.heading[0].lower() + best.scale.heading[1:]
    if best.scale.share:
        return f"the fastest artifact whose {name} is at most {PICK_WITHIN * 100:.2g} points below the highest"
    return f"the fastest artifact whose {name} is at most {PICK_WITHIN_RATIO:.0%} worse than the best one"


def _top1(best: Best) -> bool:
    return best.scale is not None and best.scale.metric == TOP1


_METRIC: tuple[Column[Best], ...] = (
    Column("metric", "Metric", lambda best: best.scale.heading if best.scale else None),
    Column("metric_value", "Value", lambda best: best.accuracy if best.scale else None),
)


def _pick_median(clock: Clock) -> Column[Best]:
    return Column(
        f"pick_{clock.column}",
        f"Pick's median ({clock.unit})",
        lambda best: best.value if best.clock == clock else None,
    )


@dataclass(frozen=True)
class _Described:
    """A board with all its cells and the recorded states."""

    cells: pd.DataFrame
    states: tuple[BoardState, ...]

    def column(self, name: str) -> object:
        """The board's value of a column of ``data.cells``, taken from its first cell."""
        return self.cells.iloc[0][name]

    @cached_property
    def measured(self) -> pd.DataFrame:
        return self.cells[self.cells.samples > 0]


def _described(cells: pd.DataFrame) -> _Described:
    looked_at = cells.evidence.iloc[:: max(1, len(cells) // MOST_EVIDENCE)]
    return _Described(
        cells, tuple(s for raw in looked_at for key in ("before", "during", "after") for s in states(raw, key))
    )


def _runtimes(board: _Described) -> str | None:
    cells = board.cells
    return every(
        f"{name} {version or ''}".strip() for name, version in zip(cells.runtime, cells.runtime_version, strict=True)
    )


_BOARD_COLUMNS: tuple[Column[_Described], ...] = (
    Column("device", "Board", lambda board: str(board.column("device"))),
    Column("family", "Family", lambda board: str(board.column("board"))),
    Column("emulated", "Emulated", lambda board: bool(board.column("emulated"))),
    Column("clock", "Clock", lambda board: str(board.column("clock"))),
    Column("cpu", "CPU", lambda board: text(board.column("cpu"))),
    Column("cpu_part", "CPU part", lambda board: text(board.column("cpu_part"))),
    Column("cores", "Cores", lambda board: whole(board.column("cores"))),
    Column("memory_bytes", "Memory (bytes)", lambda board: whole(board.column("memory_bytes"))),
    Column("machine", "Machine", lambda board: text(board.column("machine"))),
    Column("os", "System", lambda board: text(board.column("os"))),
    Column("kernel", "Kernel", lambda board: text(board.column("kernel"))),
    Column("libc", "C library", lambda board: text(board.column("libc"))),
    Column("python", "Python", lambda board: text(board.column("python"))),
    Column("runtimes", "Runtimes", _runtimes),
    Column("delegates", "Delegates that ran", lambda board: every(board.measured.delegate_applied.dropna())),
    Column(
        "delegate_verified",
        "Delegate proven",
        lambda board: bool(board.measured.delegate_verified.all()) if len(board.measured) else None,
    ),
    Column("governor", "Governor", lambda board: every(s.governor for s in board.states)),
    Column("temperature_c", "Temperature (°C)", lambda board: span(board.states, "temperature_c")),
    Column("frequency_mhz", "CPU frequency (MHz)", lambda board: span(board.states, "frequency_mhz")),
    Column(
        "load", "Load, highest", lambda board: max((s.load for s in board.states if s.load is not None), default=None)
    ),
    Column("clock_source", "Clock source", lambda board: every(s.clock_source for s in board.states)),
    Column("throttled", "Firmware's throttle word", lambda board: every(throttle_word(s) for s in board.states)),
)


_OUTPUTS: Column[_Described] = Column(
    "outputs_excess",
    "Largest difference of an output, times its limit",
    lambda board: number(board.cells.outputs_excess.max()),
)


def boards_table(data: ReportData) -> Table:
    """Each board's hardware and its state, as the board reported them."""
    boards = (_described(cells) for _, cells in data.cells.groupby("board_id", sort=False))
    note = "Empty: the board has no such sensor or did not say."
    columns = (*_BOARD_COLUMNS, *((_OUTPUTS,) if bool(data.cells.outputs.notna().any()) else ()))
    return tabulate(columns, boards, name="boards", title="Boards and evidence", note=note)


def text(value: object) -> str | None:
    """A text, or None for what is missing."""
    return None if value is None or value != value else clean(value, 120)


def every(values: Iterable[object]) -> str | None:
    """The distinct values, or None where there are none."""
    return ", ".join(dict.fromkeys(clean(v, 120) for v in values if v not in (None, ""))) or None


def span(seen: Sequence[BoardState], name: str) -> str | None:
    """``low-high`` of a number over all states, or None."""
    known = [value for s in seen if (value := getattr(s, name)) is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def agreement_table(data: ReportData, found: list[Agreement]) -> Table:
    """Artifacts that ran on several boards, with the number of images on which those boards disagree."""
    what = f"{data.noun.capitalize()}s"
    columns: tuple[Column[Agreement], ...] = (
        Column("artifact", "Artifact", lambda found: found.artifact),
        Column("boards", "Boards", lambda found: ", ".join(found.boards)),
        Column("images", what, lambda found: found.images),
        Column("differing", f"{what} answered differently", lambda found: len(found.differing)),
        Column("detail", "Which (first five)", lambda found: found.detail or None),
    )
    return tabulate(columns, found, name="agreement", title="Do the boards agree?")


@dataclass(frozen=True)
class _Answered:
    """An artifact's answers; ``truth`` and ``answers`` are class numbers, one an image."""

    model: str
    artifact: str
    data: str
    classes: list[str]
    truth: IntArray
    answers: IntArray

    @cached_property
    def accuracy(self) -> stats.Interval:
        return stats.wilson(int(np.count_nonzero(self.truth == self.answers)), len(self.truth))

    def recall(self, name: str) -> float | None:
        """Percent of a class's images that were classified correctly; None where there are none."""
        mine = self.truth == (self.classes.index(name) if name in self.classes else -1)
        return float(np.mean(self.answers[mine] == self.truth[mine]) * 100) if mine.any() else None


def has_classes(data: ReportData) -> bool:
    """Whether there are classes to recall."""
    cells = data.cells
    return cells.empty or any(
        classes and labels for classes, labels in zip(cells.classes, cells["labels"], strict=True)
    )  # fmt: skip


def recall_table(data: ReportData) -> Table:
    """Accuracy of each artifact with its 95 % interval, and recall of every class, in percent."""
    found = artifacts(data)
    columns: list[Column[_Answered]] = [
        Column("model", "Network", lambda answered: answered.model),
        Column("artifact", "Variant", lambda answered: answered.artifact),
        *((_DATA,) if found.split_sha256.nunique() > 1 and not found.faces.all() else ()),
        Column("images", f"{data.noun.capitalize()}s", lambda answered: len(answered.truth)),
        Column("accuracy_percent", "Accuracy (%)", lambda answered: answered.accuracy.value * 100),
        Column("accuracy_low_percent", "95 % interval, low (%)", lambda answered: answered.accuracy.low * 100),
        Column("accuracy_high_percent", "high (%)", lambda answered: answered.accuracy.high * 100),
        *map(_recall_column, dict.fromkeys(name for names in found.classes for name in names)),
    ]
    rows = (
        _Answered(
            model=str(cell.model),
            artifact=str(cell.kind),
            data=text(cell.task) or str(clean(cell.dataset, 80)),
            classes=list(cell.classes),
            truth=np.array(cell["labels"]),
            answers=np.array(cell.predictions),
        )
        for _, cell in found.iterrows()
    )
    note = (
        "Interval: Wilson's. It holds for images drawn one by one; frames of one sequence are not, so it is too narrow."
        if data.noun == "image"
        else "Interval: Wilson's. It holds for inputs drawn one by one; where several belong together, it is narrow."
    )
    return tabulate(columns, rows, name="recall", title="Accuracy and recall of every class", note=note)


_DATA: Column[_Answered] = Column("data", "Data", lambda answered: answered.data)


def recall_for_page(table: Table) -> Table:
    """Without the recall of each class where there are very many."""
    few = sum(not name.startswith(_RECALL) for name, _ in table.columns)
    if len(table.columns) - few <= MOST_CLASSES:
        return table
    return replace(table, columns=table.columns[:few], rows=tuple(row[:few] for row in table.rows))


def _recall_column(name: str) -> Column[_Answered]:
    label = clean(name, 40)
    return Column(f"{_RECALL}{label}_percent", f"{label} (%)", lambda answered: answered.recall(name))
