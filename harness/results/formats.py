"""A run for other tools: CSV, Parquet, and JSON that ``pytest-benchmark compare`` opens.

Only the last needs explaining: its numbers are seconds, and it prints them as such. Cells on the instruction clock are
exported with one instruction as one nanosecond, in a group of their own whose name says so.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.core import stats
from harness.core.errors import UsageError
from harness.core.safetext import clean, csv_field
from harness.records.cell import Cell, RunInfo
from harness.results import identity, store, table

FORMATS = ("csv", "parquet", "pytest-benchmark")
#: Columns that hold lists or objects: as they are in Parquet, left out of CSV (evidence), or joined by ``|``.
_ARRAYS = ("warmup_ns", "latency_ns", "predictions", "labels", "evidence")
_LISTS = ("reasons", "features", "tags", "classes")


def export(run: Path, fmt: str) -> bytes:
    """The whole file in that format.

    Args:
        run: a run's folder.
        fmt: one of ``FORMATS``.

    Raises:
        UsageError: another format.
        StoreError: the run or one of its cells can't be read.
    """
    makers = {"csv": _csv, "parquet": _parquet, "pytest-benchmark": _pytest_benchmark}
    if fmt not in makers:
        raise UsageError(f"no format '{fmt}'", fix=f"one of: {', '.join(FORMATS)}")
    info = store.read_run(run)
    return makers[fmt](info, list(store.read_cells(run)))


def _csv(_: RunInfo, cells: list[Cell]) -> bytes:
    """One line a cell with every single number and the statistics; raw samples are in Parquet."""
    frame = table.to_frame(cells).drop(columns=list(_ARRAYS))
    frame["p90_early_stopping_ms"], frame["p90_early_stopping_minstr"] = _p90(cells)
    for column in _LISTS:
        frame[column] = ["|".join(map(str, value)) for value in frame[column]]
    for column in frame.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]]:
        frame[column] = [None if pd.isna(value) else csv_field(value) for value in frame[column]]
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _p90(cells: list[Cell]) -> tuple[list[float], list[float]]:
    wall, counted = [], []
    for cell in cells:
        try:
            value = stats.early_stopping(cell.latency_ns) / 1e6 if cell.status == "VALID" else math.nan
        except stats.TooFewSamplesError:
            value = math.nan
        wall.append(value if cell.device.clock == "wall" else math.nan)
        counted.append(value if cell.device.clock != "wall" else math.nan)
    return wall, counted


def _parquet(_: RunInfo, cells: list[Cell]) -> bytes:
    """The table of :func:`harness.results.load`, raw samples as lists, evidence as JSON text."""
    frame = table.to_frame(cells)
    frame["evidence"] = [json.dumps(value, sort_keys=True) for value in frame.evidence]
    for column in (*_LISTS, "labels"):
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


def _board(cell: Cell) -> tuple[str, identity.Facts]:
    """A board's name and what it is."""
    return cell.device.name, identity.hardware(cell.device) + identity.system(cell.device)


def _benchmark(cell: Cell, board: str) -> dict[str, Any]:
    device, model, runtime = cell.device, cell.model, cell.runtime
    emulated = ", emulated" if device.emulated else ""
    counted = ", 1 ns = 1 instruction" if device.clock == "instructions" else ""
    name = clean(
        f"{model.name} {model.variant}.{model.format} {runtime.name} {runtime.delegate} {runtime.threads}T", 400
    )
    return {
        "group": f"{board} ({clean(device.board, 60)}{emulated}{counted})",
        "name": name,
        "fullname": clean(cell.cell, 200),
        "params": None,
        "param": None,
        "extra_info": {
            "accuracy": cell.accuracy, "clock": device.clock, "emulated": device.emulated, "sha256": model.sha256,
            "synthetic": cell.split.synthetic, "peak_rss_bytes": cell.peak_rss_bytes,
        },
        "options": {
            "disable_gc": True, "timer": "perf_counter", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
            "warmup": True,
        },
        "stats": _statistics(cell),
    }  # fmt: skip


def _statistics(cell: Cell) -> dict[str, Any]:
    """pytest-benchmark's fields, in seconds, by its own definitions (``pytest_benchmark.stats.Stats``)."""
    data = np.array(cell.latency_ns, dtype=np.float64) / 1e9
    q1, middle, q3 = (float(v) for v in np.percentile(data, (25, 50, 75)))
    iqr, mean = q3 - q1, float(data.mean())
    spread = float(data.std(ddof=1)) if len(data) > 1 else 0.0
    inside = data[(data >= q1 - 1.5 * iqr) & (data <= q3 + 1.5 * iqr)]
    far = int(np.count_nonzero((data < mean - spread) | (data > mean + spread)))
    outliers = len(data) - len(inside)
    return {
        "min": float(data.min()), "max": float(data.max()), "mean": mean, "stddev": spread, "rounds": len(data),
        "median": middle, "iqr": iqr, "q1": q1, "q3": q3, "iqr_outliers": outliers, "stddev_outliers": far,
        "outliers": f"{far};{outliers}", "ld15iqr": float(inside.min()), "hd15iqr": float(inside.max()),
        "ops": 1 / mean if mean else 0.0, "total": float(data.sum()), "data": data.tolist(), "iterations": 1,
    }  # fmt: skip
