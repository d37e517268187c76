"""The report's tables, as CSV for programs and Markdown for people. Same results, same bytes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.report.data import ReportData
from harness.safetext import csv_field, markdown

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """A small table; ``columns`` are ``(name in CSV, heading for people)``."""

    name: str
    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""

    def csv(self) -> str:
        """RFC 4180 with ``\\n`` line ends; numbers in full precision; missing ones empty."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([name for name, _ in self.columns])
        writer.writerows([[_machine(value) for value in row] for row in self.rows])
        return out.getvalue()

    def markdown(self) -> str:
        """A Markdown table under a heading."""
        lines = [f"# {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines.append("| " + " | ".join(heading for _, heading in self.columns) + " |")
        lines.append("|" + "|".join("---:" if self._numeric(i) else "---" for i in range(len(self.columns))) + "|")
        lines += ["| " + " | ".join(markdown(human(value)) for value in row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def _numeric(self, column: int) -> bool:
        values = [row[column] for row in self.rows if row[column] is not None]
        return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def human(value: Value) -> str:
    """A value as people read it: 4 significant digits, thousands grouped, nothing for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return value


def _machine(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return csv_field(value) if isinstance(value, str) else repr(value)


def build(data: ReportData) -> list[Table]:
    """All tables of a report."""
    tables = [_cells(data)]
    tables.append(_not_valid(data))
    tables.append(_skipped(data))
    return tables


def _cells(data: ReportData) -> Table:
    """One row per cell. Each clock has columns of its own: milliseconds and instructions never share one."""
    columns: list[tuple[str, str]] = [
        ("device", "Board"), ("board", "Family"), ("emulated", "Emulated"), ("clock", "Clock"), ("model", "Network"),
        ("variant", "Variant"), ("format", "Format"), ("runtime", "Runtime"), ("delegate", "Delegate"),
        ("threads", "Threads"), ("dataset", "Data"), ("synthetic", "Synthetic data"), ("split", "Split"),
        ("status", "Status"), ("accuracy_percent", "Accuracy (%)"), ("images", "Images"),
    ]  # fmt: skip
    for clock in data.clocks:
        columns += [
            (f"median_{clock.column}", f"Median ({clock.unit})"),
            (f"median_low_{clock.column}", "95 % interval, low"),
            (f"median_high_{clock.column}", "high"),
            (f"p90_{clock.column}", f"p90, early stopping ({clock.unit})"),
        ]
    columns += [
        ("samples", "Samples"), ("model_bytes", "Model (bytes)"), ("peak_rss_bytes", "Peak memory (bytes)"),
        ("macs", "MACs"), ("parameters", "Parameters"), ("run", "Run"),
    ]  # fmt: skip
    rows = tuple(_cell_row(data, row) for row in data.cells.itertuples())
    return Table("cells", "All cells", tuple(columns), rows, _note(data))


def _cell_row(data: ReportData, row: object) -> tuple[Value, ...]:
    get = row.__getattribute__
    valid = get("status") == "VALID"
    values: list[Value] = [
        get("device"), get("board"), bool(get("emulated")), get("clock"), get("model"), get("variant"), get("format"),
        get("runtime"), get("delegate"), int(get("threads")), get("dataset"), bool(get("synthetic")), get("scheme"),
        get("status"), number(get("accuracy") * 100 if valid else None), int(get("n")),
    ]  # fmt: skip
    for clock in data.clocks:
        mine = valid and get("clock_key") == clock.key
        values += [number(get(name)) if mine else None for name in ("value", "low", "high", "p90")]
    values += [
        int(get("samples")), int(get("model_bytes")), whole(get("peak_rss_bytes")), int(get("macs")),
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


def number(value: object) -> float | None:
    """A float, or None for what is missing."""
    return None if value is None or math.isnan(float(value)) else float(value)  # type: ignore[arg-type]


def whole(value: object) -> int | None:
    """An int, or None for what is missing."""
    found = number(value)
    return None if found is None else int(found)


def order(tables: Sequence[Table]) -> dict[str, Table]:
    """Tables by name."""
    return {table.name: table for table in tables}
