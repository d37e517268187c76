"""Exports a run for other tools: CSV, Parquet, JSON that ``pytest-benchmark compare`` opens, and a trace of operators.

``pytest-benchmark`` takes all numbers as seconds. So the export writes one instruction of the instruction clock as one
nanosecond, and puts such cells into a separate group whose name says so.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from harness.core import stats
from harness.core.clock import FRAME_COLUMNS, Clock, clock_of
from harness.core.errors import UsageError
from harness.core.safetext import clean, csv_field
from harness.records.cell import Cell, RunInfo
from harness.results import identity, store, table
from harness.results.change import middle
from harness.results.trace import chrome_trace

FORMATS = ("csv", "parquet", "pytest-benchmark", "chrome-trace")
#: Columns that hold lists or objects. Parquet keeps them; CSV omits _LEFT_OUT and joins the lists of _LISTS by ``|``.
_LEFT_OUT = (*table.ARRAYS, "labels", "persons", "evidence", "operators", "operator_times", "outputs")
_LISTS = tuple(name for name in table.TUPLES if name not in _LEFT_OUT)


def export(run: Path, fmt: str) -> bytes:
    """A run as the bytes of a file in another format.

    Args:
        run: a run's folder.
        fmt: one of ``FORMATS``.

    Raises:
        UsageError: the format is unknown.
        StoreError: the run or one of its cells can't be read.
    """
    makers = {
        "csv": _csv,
        "parquet": _parquet,
        "pytest-benchmark": _pytest_benchmark,
        "chrome-trace": _chrome_trace,
    }
    if fmt not in makers:
        raise UsageError(f"no format '{fmt}'", fix=f"one of: {', '.join(FORMATS)}")
    info = store.read_run(run)
    return makers[fmt](info, list(store.read_cells(run)))


def _csv(_: RunInfo, cells: list[Cell]) -> bytes:
    """One line for each cell, with all single values and the statistics. Parquet has the raw samples."""
    frame = table.to_frame(cells).drop(columns=list(_LEFT_OUT))
    for name in FRAME_COLUMNS:
        frame[f"p90_early_stopping_{name}"] = _p90(cells, name)
    for column in _LISTS:
        frame[column] = ["|".join(map(str, value)) for value in frame[column]]
    for column in frame.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]]:
        frame[column] = [None if pd.isna(value) else csv_field(value) for value in frame[column]]
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _clock(cell: Cell) -> Clock:
    return clock_of(cell.device.emulated, cell.device.clock)


def _p90(cells: list[Cell], frame_column: str) -> list[float]:
    """The p90 of each cell whose clock has that column; NaN for other cells and for too few samples."""
    values = []
    for cell in cells:
        value = math.nan
        if cell.status == "VALID" and _clock(cell).frame_column == frame_column:
            with contextlib.suppress(stats.TooFewSamplesError):
                value = stats.early_stopping(cell.latency_ns) / 1e6
        values.append(value)
    return values


def _parquet(_: RunInfo, cells: list[Cell]) -> bytes:
    """The table of :func:`harness.results.load`, with tuples as lists and evidence as JSON text."""
    frame = table.to_frame(cells)
    frame["evidence"] = [json.dumps(value, sort_keys=True) for value in frame.evidence]
    for column in table.TUPLES:
        frame[column] = [list(value) for value in frame[column]]
    out = io.BytesIO()
    frame.to_parquet(out, engine="pyarrow", index=False)
    return out.getvalue()


def _pytest_benchmark(info: RunInfo, cells: list[Cell]) -> bytes:
    """The JSON of ``pytest --benchmark-json``; VALID cells only, grouped by board and clock."""
    valid = [cell for cell in cells if cell.status == "VALID"]
    boards = list(dict.fromkeys(map(_board, valid)))
    names = dict(zip(boards, identity.board_labels(boards, 120, latin=False), strict=True))
    document = {
        "machine_info": {"node": "see extra_info", "harness": info.harness},
        "commit_info": {"id": "unknown", "project": "harness"},
        "benchmarks": [_benchmark(cell, names[_board(cell)]) for cell in valid],
        "datetime": clean(info.started, 60),
        "version": "5.0.0",
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def _chrome_trace(_: RunInfo, cells: list[Cell]) -> bytes:
    """Operators' estimated cycles, for Chrome and Perfetto."""
    return chrome_trace(cells)


def _board(cell: Cell) -> tuple[str, identity.Facts]:
    """A board's name, and the facts that identify it."""
    return cell.device.name, identity.hardware(cell.device) + identity.system(cell.device)


def _benchmark(cell: Cell, board: str) -> dict[str, object]:
    device, model, runtime = cell.device, cell.model, cell.runtime
    emulated = ", emulated" if device.emulated else ""
    stored_note = _clock(cell).stored_note
    counted = f", {stored_note}" if stored_note else ""
    name = clean(
        f"{model.name} {model.variant}.{model.format} {cell.runtime_asked} {runtime.delegate} {runtime.threads}T", 400
    )
    return {
        "group": f"{board} ({clean(device.board, 60)}{emulated}{counted})",
        "name": name,
        "fullname": clean(cell.cell, 200),
        "params": None,
        "param": None,
        "extra_info": {
            "accuracy": cell.accuracy, "clock": device.clock, "emulated": device.emulated, "sha256": model.sha256,
            "synthetic": cell.split.synthetic, "peak_rss_bytes": cell.peak_rss_bytes, **_judgement(cell),
        },
        "options": {
            "disable_gc": True, "timer": "perf_counter", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
            "warmup": True,
        },
        "stats": _statistics(cell),
    }  # fmt: skip


def _judgement(cell: Cell) -> dict[str, object]:
    """Task, metric and the largest difference from golden outputs, where a cell has them."""
    found: dict[str, object] = {}
    if cell.split.task is not None:
        found["task"] = clean(cell.split.task, 200)
    if cell.metric is not None:
        found |= {"metric": clean(cell.metric.name, 200), "metric_value": cell.metric.value}
    if cell.outputs is not None:
        worst = cell.outputs.worst
        found["outputs"] = {"tensor": clean(worst.name, 200), "max_abs": worst.max_abs, "max_rel": worst.max_rel}
    return found


def _statistics(cell: Cell) -> dict[str, object]:
    """pytest-benchmark's fields, in seconds, by its own definitions (``pytest_benchmark.stats.Stats``).

    The median is the one that tables show, by rounds where there are several; all else is of the samples of all rounds.
    """
    data = np.array(cell.latency_ns, dtype=np.float64) / 1e9
    q1, median, q3 = (float(v) for v in np.percentile(data, (25, 50, 75)))
    if len(cell.round_sizes) > 1:
        median = middle(cell) / 1e9
    iqr, mean = q3 - q1, float(data.mean())
    spread = float(data.std(ddof=1)) if len(data) > 1 else 0.0
    inside = data[(data >= q1 - 1.5 * iqr) & (data <= q3 + 1.5 * iqr)]
    far = int(np.count_nonzero((data < mean - spread) | (data > mean + spread)))
    outliers = len(data) - len(inside)
    return {
        "min": float(data.min()), "max": float(data.max()), "mean": mean, "stddev": spread, "rounds": len(data),
        "median": median, "iqr": iqr, "q1": q1, "q3": q3, "iqr_outliers": outliers, "stddev_outliers": far,
        "outliers": f"{far};{outliers}", "ld15iqr": float(inside.min()), "hd15iqr": float(inside.max()),
        "ops": 1 / mean if mean else 0.0, "total": float(data.sum()), "data": data.tolist(), "iterations": 1,
    }  # fmt: skip
