"""Releases of a runtime side by side: the same artifact on the same board, from the oldest release to the newest.

Each release is held against the one before it. On the wall clock only cells of one run are: their rounds were measured
by turns, so the machine's own changes meet all of them alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from markupsafe import Markup

from harness.core import rounds, stats
from harness.core.clock import clock_of
from harness.core.safetext import clean
from harness.report.clocked import median_columns
from harness.report.gather import ReportData, records
from harness.report.parts import PageContext, PagePart, TablePart
from harness.report.ran import age
from harness.report.table import MISSING, Table, number, tabulate
from harness.results import change
from harness.results.columns import Column
from harness.results.pairs import Pair
from harness.results.table import codes

NAME = "releases"
_TITLE = "Releases of runtimes"
_NOTE = (
    "The same file on the same board, over releases of one runtime. Each is held against the newest VALID one before; "
    "p-values are corrected for all rows (Holm). Golden outputs are those of this machine's own release."
)
#: More rows are not read; the CSV has all.
_MOST_SHOWN = 60
_READ = (
    "group", "board_label", "device", "board", "emulated", "clock", "clock_key", "run", "started", "model",
    "model_label", "kind", "model_sha256", "runtime", "runtime_version", "delegate", "threads", "status", "reasons",
    "value", "low", "high", "n", "latency_ns", "rounds", "predictions", "outputs_excess", "outputs_max_rel", "cell",
)  # fmt: skip

#: A row of ``data.cells`` as plain values.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One artifact on one release.

    Attributes:
        row: its cell.
        before: the newest older release that has a valid number; None for the first one.
        against: the comparison with ``before``; None where there is none.
        total: its median against that of the oldest release with a valid number, with its interval; None where there is
            none.
        answers: whether it answers as ``before`` did, in words.
    """

    row: Row
    before: str | None = None
    against: Pair | None = None
    total: stats.Interval | None = None
    answers: str = ""

    @property
    def release(self) -> str:
        """The release in words."""
        return clean(self.row["runtime_version"] or "unknown", 40)

    @property
    def valid(self) -> bool:
        """Whether its number may be shown."""
        return bool(self.row["status"] == "VALID")

    @property
    def verdict(self) -> str:
        """The comparison's verdict; a status with its codes where there is no number; empty for the first release."""
        if not self.valid:
            return f"{self.row['status']}: {', '.join(codes(self.row['reasons']))}"
        return self.against.verdict if self.against else ""

    @property
    def noteworthy(self) -> bool:
        """Whether the release changed something, or nobody can tell."""
        return self.verdict not in ("", "same") or "differ" in self.answers


def several(data: ReportData) -> bool:
    """Whether any artifact ran on two releases of a runtime on one board."""
    return any(len({row["runtime_version"] for row in rows}) > 1 for rows in _grouped(data))


def series(data: ReportData) -> list[tuple[Step, ...]]:
    """Each artifact that ran on several releases of a runtime on one board, oldest release first.

    Artifacts are those of ``data.cells``, in its order; two results on one release count once, the newer one.
    """
    found = []
    for rows in _grouped(data):
        newest = {row["runtime_version"]: row for row in sorted(rows, key=itemgetter("started"))}
        if len(newest) > 1:
            found.append(_steps(sorted(newest.values(), key=lambda row: age(row["runtime_version"]))))
    return _corrected(found)


def _grouped(data: ReportData) -> list[list[Row]]:
    """The cells of each artifact, board, runtime, delegate and number of threads."""
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in records(data.cells, _READ):
        key = ("group", "model_sha256", "model", "kind", "runtime", "delegate", "threads", "n")
        groups[tuple(row[name] for name in key)].append(row)
    return list(groups.values())


def _steps(rows: Sequence[Row]) -> tuple[Step, ...]:
    steps: list[Step] = []
    answered: Row | None = None
    for row in rows:
        valid = [step for step in steps if step.valid]
        step = Step(row, answers=_answers(answered, row))
        if valid and step.valid:
            last = valid[-1]
            against, whole = _compared(last.row, row), _compared(valid[0].row, row)
            step = replace(step, before=last.release, against=against, total=whole.ratio)
        elif step.valid:
            step = replace(step, total=stats.Interval(1.0, 1.0, 1.0))
        steps.append(step)
        answered = row if len(row["predictions"]) or number(row["outputs_excess"]) is not None else answered
    return tuple(steps)


def _compared(a: Row, b: Row) -> Pair:
    """The comparison of two VALID rows; p-values are not corrected yet."""
    clock = clock_of(bool(b["emulated"]), b["clock"])
    pair = Pair(
        cell=b["cell"],
        device=b["device"],
        emulated=bool(b["emulated"]),
        model=b["model"],
        variant=b["kind"],
        clock=clock,
        median_a=a["value"],
        median_b=b["value"],
    )
    exact = b["clock"] == "instructions"
    if not exact and a["run"] != b["run"]:
        return replace(pair, refused=("measured in another run: harness compare --allow runtime",))
    medians = [rounds.medians(row["latency_ns"], np.asarray(row["rounds"]).tolist()) for row in (a, b)]
    try:
        found = change.between(
            (a["latency_ns"], b["latency_ns"]), (medians[0], medians[1]), images=int(b["n"]), exact=exact
        )
    except stats.TooFewSamplesError as error:
        return replace(pair, refused=(str(error),))
    least = clock.resolution(min(a["value"], b["value"]) * 1e6)
    return replace(
        pair,
        ratio=found.ratio,
        p_value=found.p_value,
        change=found,
        resolution=least,
        limit=max(change.SAME, least),
    )


def _corrected(found: Sequence[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
    """The steps with p-values corrected for all comparisons."""
    pairs = [step.against for steps in found for step in steps if step.against and not step.against.refused]
    adjusted = iter(stats.holm([pair.p_value for pair in pairs]))
    return [
        tuple(
            replace(step, against=replace(step.against, p_adjusted=next(adjusted)))
            if step.against and not step.against.refused
            else step
            for step in steps
        )
        for steps in found
    ]


def _answers(before: Row | None, row: Row) -> str:
    """Whether a release answers as the one before it that answered at all."""
    excess = number(row["outputs_excess"])
    beyond = "" if excess is None or excess <= 1 else f"outputs {excess:.3g} times their limit from golden ones"
    if before is None:
        return beyond
    then, now = np.asarray(before["predictions"]), np.asarray(row["predictions"])
    if then.size == 0 or then.shape != now.shape:
        return beyond
    differing = int(np.count_nonzero(then != now))
    classes = f"{differing} of {now.size} classes differ" if differing else "same classes"
    return f"{classes}; {beyond}" if beyond else classes


def _percent(interval: stats.Interval | None, end: str) -> float | None:
    return None if interval is None else (getattr(interval, end) - 1) * 100


def _ratio(step: Step) -> stats.Interval | None:
    return step.against.ratio if step.against else None


_WHAT: tuple[Column[Step], ...] = (
    Column("device", "Board", lambda step: step.row["device"]),
    Column("emulated", "Emulated", lambda step: bool(step.row["emulated"])),
    Column("model", "Network", lambda step: step.row["model"]),
    Column("variant", "Variant", lambda step: step.row["kind"]),
    Column("runtime", "Runtime", lambda step: step.row["runtime"]),
    Column("delegate", "Delegate", lambda step: step.row["delegate"]),
    Column("threads", "Threads", lambda step: int(step.row["threads"])),
    Column("release", "Release", lambda step: step.release),
)
_FOUND: tuple[Column[Step], ...] = (
    Column("before", "Release before", lambda step: step.before),
    Column("change_percent", "Change (%)", lambda step: _percent(_ratio(step), "value")),
    Column("change_low_percent", "95 % interval, low (%)", lambda step: _percent(_ratio(step), "low")),
    Column("change_high_percent", "high (%)", lambda step: _percent(_ratio(step), "high")),
    Column("verdict", "Verdict", lambda step: step.verdict or None),
    Column("total_percent", "Since the oldest (%)", lambda step: _percent(step.total, "value")),
    Column("answers", "Answers", lambda step: step.answers or None),
    Column("golden_max_rel", "From golden outputs, relative", lambda step: number(step.row["outputs_max_rel"])),
)


def _known(step: Step) -> Row | None:
    return step.row if step.valid else None


def table(data: ReportData) -> Table:
    """One row an artifact and release."""
    columns = [*_WHAT, *(column for clock in data.clocks for column in median_columns(clock, _known)), *_FOUND]
    steps = [step for each in series(data) for step in each]
    return tabulate(columns, steps, name=NAME, title=_TITLE, note=_NOTE, missing=MISSING)


_HIDDEN = ("emulated", "delegate", "before", "change_low_percent", "change_high_percent")


def _for_page(found: Table) -> Table:
    """The rows that say something, in fewer columns."""
    names = [name for name, _ in found.columns]
    rows = [dict(zip(names, row, strict=True)) for row in found.rows]
    if len(rows) > _MOST_SHOWN:
        rows = [row for row in rows if row["verdict"] not in (None, "same") or "differ" in str(row["answers"])]
    columns: list[Column[dict[str, Any]]] = [
        Column(name, heading, itemgetter(name))
        for name, heading in found.columns
        if name not in _HIDDEN and not name.startswith(("median_low", "median_high"))
    ]
    return tabulate(columns, rows[:_MOST_SHOWN], name=found.name, title=found.title, missing=found.missing)


def _piece(page: PageContext) -> Markup:
    found = page.tables.get(NAME)
    if found is None:
        return Markup()
    verdicts = [row[[name for name, _ in found.columns].index("verdict")] for row in found.rows]
    counts = {word: verdicts.count(word) for word in ("faster", "slower", "same", "can't tell", "refused")}
    html = page.environment.get_template("releases.html.j2").render(
        table=_for_page(found), whole=found, counts=counts, bad=sum(":" in str(verdict) for verdict in verdicts)
    )
    return Markup(html)  # noqa: S704 - the package's own template, which escapes its values


TABLE = TablePart(lambda data, _: table(data), several)
PART = PagePart(NAME, _piece)
