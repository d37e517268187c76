"""Tables about boards: who wins on each, what each is, what its evidence says, and where boards disagree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from harness.core import stats
from harness.core.safetext import clean
from harness.report.evidence import State, states
from harness.report.gather import ReportData
from harness.report.summary import Agreement, Best, artifacts
from harness.report.table import Table, whole
from harness.results.columns import Value

#: Cells a board's evidence is summed up from; with more, evenly spread ones.
MOST_EVIDENCE = 50


def winners_table(data: ReportData, found: list[Best]) -> Table:
    """The answer in one row a board. Values are in the unit the row names, and the column's name has no unit."""
    columns = [("device", "Board"), ("emulated", "Emulated"), ("pick", "Pick"), ("accuracy_percent", "Accuracy (%)")]
    columns += [(f"pick_{clock.column}", f"Pick's median ({clock.unit})") for clock in data.clocks]
    columns += [("fastest", "Fastest"), ("most_accurate", "Most accurate"), ("cells", "Valid cells")]
    columns += [("compressed", "Of these, rivals pruned by us"), ("against_rivals", "Against rivals")]
    rows = []
    for best in found:
        values: list[Value] = [best.board, best.emulated, best.pick, best.accuracy * 100]
        values += [best.value if clock.unit == best.unit else None for clock in data.clocks]
        compressed = ", ".join(sorted(best.compressed)) or None
        rows.append((*values, best.fastest, best.accurate, best.cells, compressed, best.standing or None))
    note = "The pick is the fastest artifact that gets at most one image in 99 fewer right than the most accurate one."
    return Table("winners", "Which network wins on which board", tuple(columns), tuple(rows), note)


def boards_table(data: ReportData) -> Table:
    """What each board is and what state it was in, as it said itself."""
    columns = (
        ("device", "Board"), ("family", "Family"), ("emulated", "Emulated"), ("clock", "Clock"), ("cpu", "CPU"),
        ("cpu_part", "CPU part"), ("cores", "Cores"), ("memory_bytes", "Memory (bytes)"), ("machine", "Machine"),
        ("os", "System"), ("kernel", "Kernel"), ("libc", "C library"), ("python", "Python"), ("runtimes", "Runtimes"),
        ("delegates", "Delegates that ran"), ("delegate_verified", "Delegate proven"), ("governor", "Governor"),
        ("temperature_c", "Temperature (°C)"), ("frequency_mhz", "CPU frequency (MHz)"), ("load", "Load, highest"),
        ("clock_source", "Clock source"), ("throttled", "Firmware's throttle word"),
    )  # fmt: skip
    rows = tuple(_board_row(cells) for _, cells in data.cells.groupby("board_id", sort=False))
    return Table("boards", "Boards and evidence", columns, rows, "Empty: the board has no such sensor or did not say.")


def _board_row(cells: pd.DataFrame) -> tuple[Value, ...]:
    first = cells.iloc[0]
    looked_at = cells.evidence.iloc[:: max(1, len(cells) // MOST_EVIDENCE)]
    seen = [s for raw in looked_at for key in ("before", "during", "after") for s in states(raw, key)]
    runtimes = [
        f"{name} {version or ''}".strip() for name, version in zip(cells.runtime, cells.runtime_version, strict=True)
    ]
    measured = cells[cells.samples > 0]
    return (
        first.device, first.board, bool(first.emulated), first.clock, text(first.cpu), text(first.cpu_part),
        whole(first.cores), whole(first.memory_bytes), text(first.machine), text(first.os), text(first.kernel),
        text(first.libc), text(first.python), every(runtimes), every(measured.delegate_applied.dropna()),
        bool(measured.delegate_verified.all()) if len(measured) else None, every(s.governor for s in seen),
        span(seen, "temperature_c"), span(seen, "frequency_mhz"),
        max((s.load for s in seen if s.load is not None), default=None),
        every(s.clock_source for s in seen), every(s.throttled for s in seen),
    )  # fmt: skip


def text(value: object) -> str | None:
    """A text, or None for what is missing."""
    return None if value is None or value != value else clean(value, 120)


def every(values: Iterable[object]) -> str | None:
    """The different values there are, or None."""
    return ", ".join(dict.fromkeys(clean(v, 120) for v in values if v not in (None, ""))) or None


def span(seen: list[State], name: str) -> str | None:
    """``low-high`` of a number over all states, or None."""
    known = [value for s in seen if (value := getattr(s, name)) is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def agreement_table(found: list[Agreement]) -> Table:
    """Artifacts that ran on several boards, and on how many images those boards disagree."""
    columns = (
        ("artifact", "Artifact"), ("boards", "Boards"), ("images", "Images"),
        ("differing", "Images answered differently"), ("detail", "Which (first five)"),
    )  # fmt: skip
    rows = tuple((a.artifact, ", ".join(a.boards), a.images, len(a.differing), a.detail or None) for a in found)
    return Table("agreement", "Do the boards agree?", columns, rows)


def recall_table(data: ReportData) -> Table:
    """Accuracy of each artifact with its 95 % interval, and recall of every class, in percent."""
    found = artifacts(data)
    classes = list(dict.fromkeys(name for names in found.classes for name in names))
    columns = [
        ("model", "Network"), ("artifact", "Variant"), ("images", "Images"), ("accuracy_percent", "Accuracy (%)"),
        ("accuracy_low_percent", "95 % interval, low (%)"), ("accuracy_high_percent", "high (%)"),
    ]  # fmt: skip
    columns += [(f"recall_{clean(name, 40)}_percent", f"{clean(name, 40)} (%)") for name in classes]
    rows = []
    for _, cell in found.iterrows():
        truth, answers = np.array(cell.labels), np.array(cell.predictions)
        accuracy = stats.wilson(int(np.count_nonzero(truth == answers)), len(truth))
        numbers = [value * 100 for value in (accuracy.value, accuracy.low, accuracy.high)]
        recall = [_recall(truth, answers, list(cell.classes), name) for name in classes]
        rows.append((str(cell.model), str(cell.kind), len(truth), *numbers, *recall))
    note = (
        "Interval: Wilson's. It holds for images drawn one by one; frames of one sequence are not, so it is too narrow."
    )
    return Table("recall", "Accuracy and recall of every class", tuple(columns), tuple(rows), note)


def _recall(truth: np.ndarray[Any, Any], answers: np.ndarray[Any, Any], classes: list[str], name: str) -> float | None:
    """Percent of the images of a class that were named right; None where there are none."""
    mine = truth == (classes.index(name) if name in classes else -1)
    return float(np.mean(answers[mine] == truth[mine]) * 100) if mine.any() else None
