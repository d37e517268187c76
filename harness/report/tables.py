"""All tables of a report. Same results, same bytes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.report import accuracy, boards, provenance
from harness.report.gather import ReportData, records
from harness.report.paper import claims, rivals, zeroed
from harness.report.summary import Findings
from harness.report.table import Table, number, whole
from harness.results.columns import Value


def build(data: ReportData, findings: Findings) -> dict[str, Table]:
    """All tables of a report, by name."""
    made = [
        boards.winners_table(data, findings.winners),
        _cells(data),
        rivals.rivals_table(data, findings.rivals),
        boards.boards_table(data),
        boards.agreement_table(findings.agreements),
        boards.recall_table(data),
        accuracy.accuracy_table(data),
        accuracy.ablation_table(data),
        provenance.networks_table(data),
        provenance.artifacts_table(data),
        provenance.steps_table(data),
        zeroed.zeroed_table(data),
        claims.claims_table(findings.claims),
        _not_valid(data),
        _skipped(data),
    ]
    return {table.name: table for table in made}


def _cells(data: ReportData) -> Table:
    """One row per cell. Each clock has columns of its own: milliseconds and instructions never share one."""
    columns: list[tuple[str, str]] = [
        ("device", "Board"), ("board", "Family"), ("emulated", "Emulated"), ("clock", "Clock"), ("model", "Network"),
        ("role", "Form"), ("variant", "Variant"), ("format", "Format"), ("runtime", "Runtime"),
        ("delegate", "Delegate"), ("threads", "Threads"), ("dataset", "Data"), ("synthetic", "Synthetic data"),
        ("split", "Split"), ("status", "Status"), ("accuracy_percent", "Accuracy (%)"), ("images", "Images"),
    ]  # fmt: skip
    for clock in data.clocks:
        columns += [
            (f"median_{clock.column}", f"Median ({clock.unit})"),
            (f"median_low_{clock.column}", "95 % interval, low"),
            (f"median_high_{clock.column}", "high"),
            (f"p90_{clock.column}", f"p90, early stopping ({clock.unit})"),
            (f"load_{clock.column}", f"Loading ({clock.unit})"),
            (f"first_inference_{clock.column}", f"First inference ({clock.unit})"),
        ]
    columns += [
        ("samples", "Samples"), ("model_bytes", "Model (bytes)"), ("peak_rss_bytes", "Peak memory (bytes)"),
        ("macs", "MACs"), ("parameters", "Parameters"), ("run", "Run"),
    ]  # fmt: skip
    rows = tuple(_cell_row(data, record) for record in records(data.cells, _SHOWN))
    return Table("cells", "All cells", tuple(columns), rows, _note(data))


_SHOWN = (
    "device", "board", "emulated", "clock", "model", "role", "variant", "format", "runtime", "delegate", "threads",
    "dataset", "synthetic", "scheme", "status", "accuracy", "n", "clock_key", "value", "low", "high", "p90", "load_ns",
    "first_inference_ns", "samples",
    "model_bytes", "peak_rss_bytes", "macs", "parameters", "run",
)  # fmt: skip


def _cell_row(data: ReportData, row: dict[str, Any]) -> tuple[Value, ...]:
    get = row.__getitem__
    valid = get("status") == "VALID"
    values: list[Value] = [
        get("device"), get("board"), bool(get("emulated")), get("clock"), get("model"), get("role"), get("variant"),
        get("format"), get("runtime"), get("delegate"), int(get("threads")), get("dataset"), bool(get("synthetic")),
        get("scheme"), get("status"), number(get("accuracy") * 100 if valid else None), int(get("n")),
    ]  # fmt: skip
    for clock in data.clocks:
        mine = valid and get("clock_key") == clock.key
        values += [number(get(name)) if mine else None for name in ("value", "low", "high", "p90")]
        values += [number(get(name) / 1e6) if mine else None for name in ("load_ns", "first_inference_ns")]
    values += [
        int(get("samples")), int(get("model_bytes")), whole(get("peak_rss_bytes")) if valid else None, int(get("macs")),
        int(get("parameters")), get("run"),
    ]  # fmt: skip
    return tuple(values)


def _not_valid(data: ReportData) -> Table:
    """Cells without numbers, with all their reasons, and files that can't be read."""
    rows: list[tuple[Value, ...]] = []
    for cell in data.cells[data.cells.status != "VALID"].itertuples():
        what = f"{cell.model} {cell.variant}.{cell.format}, {cell.runtime}, {cell.delegate}, {cell.threads} threads"
        rows.append((str(cell.status), str(cell.device), bool(cell.emulated), what, reasons(cell.reasons)))
    rows += [("UNREADABLE", None, None, bad.path.name, bad.reason) for bad in data.bad_files]
    rows += [
        ("MISSING", None, None, cell, "planned, but there is no result: the run was cut short") for cell in data.missing
    ]
    headings = (
        ("status", "Status"), ("device", "Board"), ("emulated", "Emulated"), ("cell", "Cell"), ("reasons", "Reasons"),
    )  # fmt: skip
    return Table("not-valid", "Cells without a valid measurement", headings, tuple(rows), _note(data))


def _skipped(data: ReportData) -> Table:
    rows = [(info.run, reason.code, reason.text) for info in data.runs for reason in info.skipped]
    headings = (("run", "Run"), ("code", "Code"), ("reason", "What and why"))
    return Table("skipped", "Left out on purpose", headings, tuple(dict.fromkeys(rows)))


def _note(data: ReportData) -> str:
    parts = []
    if synthetic(data.cells):
        parts.append("Synthetic data: accuracies are those of a made-up stand-in, not of CK+.")
    if bool(data.cells.emulated.any()):
        parts.append("Emulated boards count instructions, which are not a time.")
    return " ".join(parts)


def reasons(texts: object) -> str:
    """All reasons of a cell in one line."""
    return "; ".join(str(text) for text in texts) if isinstance(texts, tuple) else ""


def synthetic(cells: pd.DataFrame) -> bool:
    """Whether any cell ran on made-up data."""
    return bool(cells.synthetic.any())
