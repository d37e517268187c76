"""All tables of a report. The same results give the same bytes.

To add a table, write a function that makes it and add a line to ``TABLES``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pandas as pd

from harness.core.clock import Clock
from harness.core.safetext import clean
from harness.report import accuracy, boards, estimates, outputs, provenance, ranking, releases
from harness.report.clocked import columns_of, median_columns
from harness.report.gather import ReportData, records
from harness.report.paper import ablation, claims, rivals, zeroed
from harness.report.parts import TablePart
from harness.report.summary import Summary
from harness.report.table import MISSING, Table, number, tabulate, whole
from harness.results.columns import Column

#: A row of ``data.cells`` as plain values.
_Cell = dict[str, Any]


def build(data: ReportData, summary: Summary) -> dict[str, Table]:
    """The tables that these results have, by name."""
    made = [part.build(data, summary) for part in TABLES if part.applies(data)]
    return {table.name: table for table in made}


def _plain(name: str, heading: str, source: str = "") -> Column[_Cell]:
    return Column(name, heading, itemgetter(source or name))


def _whole(name: str, heading: str, source: str = "") -> Column[_Cell]:
    return Column(name, heading, lambda cell: whole(cell[source or name]))


_WHAT: tuple[Column[_Cell], ...] = (
    _plain("device", "Board"),
    _plain("board", "Family"),
    Column("emulated", "Emulated", lambda cell: bool(cell["emulated"])),
    _plain("clock", "Clock"),
    _plain("model", "Network"),
)
#: The network's role beside the one in focus.
_ROLE = _plain("role", "Form")
_HOW: tuple[Column[_Cell], ...] = (
    _plain("variant", "Variant"),
    _plain("format", "Format"),
    _plain("runtime", "Runtime"),
    _plain("delegate", "Delegate"),
    _whole("threads", "Threads"),
    _plain("dataset", "Data"),
    Column("synthetic", "Synthetic data", lambda cell: bool(cell["synthetic"])),
    _plain("split", "Split", "scheme"),
    _plain("status", "Status"),
    Column("accuracy_percent", "Accuracy (%)", lambda cell: number(cell["accuracy"] * 100 if _valid(cell) else None)),
)
#: Where a board has several releases of a runtime.
_RELEASE: Column[_Cell] = Column(
    "runtime_version",
    "Release",
    lambda cell: clean(cell["runtime_version"], 40) if isinstance(cell["runtime_version"], str) else None,
)
#: For cells that another metric judges.
_METRIC: tuple[Column[_Cell], ...] = (
    Column("metric", "Metric", lambda cell: clean(cell["metric"], 80) if isinstance(cell["metric"], str) else None),
    Column("metric_value", "Value", lambda cell: number(cell["metric_value"] if _valid(cell) else None)),
)
_TASK: Column[_Cell] = Column(
    "task", "Task", lambda cell: clean(cell["task"], 80) if isinstance(cell["task"], str) else None
)
#: Where the networks are judged by strangers.
_STRANGERS: tuple[Column[_Cell], ...] = (
    Column("strangers_percent", "Accuracy on strangers (%)", lambda cell: _on_strangers(cell, "judged")),
    Column("strangers_low_percent", "95 % interval, low (%)", lambda cell: _on_strangers(cell, "judged_low")),
    Column("strangers_high_percent", "high (%)", lambda cell: _on_strangers(cell, "judged_high")),
)
_COSTS: tuple[Column[_Cell], ...] = (
    _whole("samples", "Samples"),
    _whole("model_bytes", "Model (bytes)"),
    Column(
        "peak_rss_bytes", "Peak memory (bytes)", lambda cell: whole(cell["peak_rss_bytes"]) if _valid(cell) else None
    ),
    _whole("macs", "MACs"),
    _whole("parameters", "Parameters"),
    _plain("run", "Run"),
)


def _one_release(data: ReportData) -> bool:
    """Whether each board has one release of each runtime."""
    return bool((data.cells.runtime_label == data.cells.runtime).all())


def _on_strangers(cell: _Cell, name: str) -> float | None:
    """A percentage; None for a cell that is judged by its own images, which have no such interval."""
    return number(cell[name] * 100) if _valid(cell) and number(cell["judged_low"]) is not None else None


def _valid(cell: _Cell) -> bool:
    return bool(cell["status"] == "VALID")


def _timed(clock: Clock) -> Iterator[Column[_Cell]]:
    """The columns of one clock."""

    def known(cell: _Cell) -> _Cell | None:
        return cell if _valid(cell) else None

    column = columns_of(clock, known)
    yield from median_columns(clock, known)
    yield column("p90", f"p90, early stopping ({clock.unit})", "p90")
    yield column("load", f"Loading ({clock.unit})", "load_ns", 1e6)
    yield column("first_inference", f"First inference ({clock.unit})", "first_inference_ns", 1e6)


#: The fields that the columns above read.
_READ = (
    "device", "board", "emulated", "clock", "model", "role", "variant", "format", "runtime", "delegate", "threads",
    "dataset", "synthetic", "scheme", "status", "accuracy", "n", "clock_key", "value", "low", "high", "p90", "load_ns",
    "first_inference_ns", "samples", "model_bytes", "peak_rss_bytes", "macs", "parameters", "run", "metric",
    "metric_value", "task", "judged", "judged_low", "judged_high", "runtime_version",
)  # fmt: skip


def _cells(data: ReportData) -> Table:
    """One row a cell; each clock has its own columns."""
    columns = [
        *_WHAT,
        *((_ROLE,) if data.focus else ()),
        *(_HOW if _one_release(data) else (*_HOW[:3], _RELEASE, *_HOW[3:])),
        *(_STRANGERS if data.judges else ()),
        *(_METRIC if data.other_metrics else ()),
        *((_TASK,) if bool(data.cells.task.notna().any()) else ()),
        _whole("images" if data.noun == "image" else "inputs", f"{data.noun.capitalize()}s", "n"),
        *(column for clock in data.clocks for column in _timed(clock)),
        *_COSTS,
    ]
    uncounted = bool(data.cells[["macs", "parameters"]].isna().any(axis=None))
    return tabulate(
        columns,
        records(data.cells, _READ),
        name="cells",
        title="All cells",
        note=_note(data),
        missing=MISSING if uncounted else "",
    )


@dataclass(frozen=True)
class _Unmeasured:
    """A cell without numbers, or a file or a planned cell in its place."""

    status: str
    cell: str
    reasons: str
    device: str | None = None
    emulated: bool | None = None


_UNMEASURED_COLUMNS: tuple[Column[_Unmeasured], ...] = (
    Column("status", "Status", lambda row: row.status),
    Column("device", "Board", lambda row: row.device),
    Column("emulated", "Emulated", lambda row: row.emulated),
    Column("cell", "Cell", lambda row: row.cell),
    Column("reasons", "Reasons", lambda row: row.reasons),
)


def _not_valid(data: ReportData) -> Table:
    """Cells without numbers, with all their reasons, and files that can't be read."""
    rows = [
        _Unmeasured(
            status=str(cell.status),
            cell=f"{cell.model} {cell.variant}.{cell.format}, {cell.runtime_label}, {cell.delegate}, "
            + f"{cell.threads} threads"
            + (f", {cell.axis_label!s}" if cell.axis_label and not cell.faces else ""),
            reasons=reasons(cell.reasons),
            device=str(cell.device),
            emulated=bool(cell.emulated),
        )
        for cell in data.cells[data.cells.status != "VALID"].itertuples()
    ]
    rows += [_Unmeasured(status="UNREADABLE", cell=file.path.name, reasons=file.reason) for file in data.bad_files]
    rows += [
        _Unmeasured(status="MISSING", cell=cell, reasons="planned, but there is no result: the run was cut short")
        for cell in data.missing
    ]
    return tabulate(
        _UNMEASURED_COLUMNS, rows, name="not-valid", title="Cells without a valid measurement", note=_note(data)
    )


@dataclass(frozen=True)
class _Skipped:
    run: str
    code: str
    reason: str


_SKIPPED_COLUMNS: tuple[Column[_Skipped], ...] = (
    Column("run", "Run", lambda row: row.run),
    Column("code", "Code", lambda row: row.code),
    Column("reason", "What and why", lambda row: row.reason),
)


def _skipped(data: ReportData) -> Table:
    rows = [
        _Skipped(run=info.run, code=reason.code, reason=reason.text) for info in data.runs for reason in info.skipped
    ]
    return tabulate(_SKIPPED_COLUMNS, dict.fromkeys(rows), name="skipped", title="Left out on purpose")


def _note(data: ReportData) -> str:
    parts = []
    if synthetic(data.cells):
        stand_in = f", not of {data.focus.data_set}" if data.focus else ""
        parts.append(f"Synthetic data: accuracies are those of a made-up stand-in{stand_in}.")
    if bool(data.cells.emulated.any()):
        parts.append("Emulated boards count instructions, which are not a time.")
    return " ".join(parts)


def reasons(texts: object) -> str:
    """All reasons of a cell in one line."""
    return "; ".join(str(text) for text in texts) if isinstance(texts, tuple) else ""


def synthetic(cells: pd.DataFrame) -> bool:
    """Whether any cell ran on drawn faces. Made-up inputs that nothing judges give no accuracy to warn of."""
    return bool((cells.synthetic & cells.faces).any())


#: In the order of writing.
TABLES: tuple[TablePart, ...] = (
    TablePart(lambda data, summary: boards.winners_table(data, summary.winners)),
    TablePart(lambda data, _: _cells(data)),
    ranking.TABLE,
    estimates.TABLE,
    rivals.TABLE,
    TablePart(lambda data, _: boards.boards_table(data)),
    TablePart(lambda data, summary: boards.agreement_table(data, summary.agreements)),
    TablePart(lambda data, _: outputs.outputs_table(data), outputs.has_outputs),
    releases.TABLE,
    TablePart(lambda data, _: boards.recall_table(data), boards.has_classes),
    TablePart(lambda data, _: accuracy.accuracy_table(data), accuracy.has_faces),
    ablation.TABLE,
    TablePart(lambda data, _: provenance.networks_table(data)),
    TablePart(lambda data, _: provenance.artifacts_table(data)),
    TablePart(lambda data, _: provenance.steps_table(data)),
    zeroed.TABLE,
    claims.TABLE,
    TablePart(lambda data, _: _not_valid(data)),
    TablePart(lambda data, _: _skipped(data)),
)
