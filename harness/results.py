"""Public API: stored results as a pandas table, one row per cell.

>>> import harness.results                                     # doctest: +SKIP
>>> cells = harness.results.load("results/latest-run")         # doctest: +SKIP
>>> cells[cells.status == "VALID"].groupby("device").latency_median_ms.min()   # doctest: +SKIP

Columns are described in docs/results.md. Raw ``*_ns`` columns hold what the board's clock said; ``clock`` says whether
that is wall time or counted instructions, and the derived ``*_ms`` and ``*_minstr`` columns keep the two apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import store
from harness.errors import StoreError
from harness.records import Cell

_DEVICE = ("board", "emulated", "local", "clock", "cpu", "cpu_part", "cores", "features", "memory_bytes", "machine",
           "os", "kernel", "libc", "python", "tags")  # fmt: skip
_SPLIT = ("dataset", "synthetic", "scheme", "seed", "fold", "folds", "n", "subject_overlap", "classes", "labels")
_RUNTIME = ("delegate", "delegate_applied", "delegate_verified", "nodes_delegated", "nodes_total", "threads")
_PLAIN = ("load_ns", "allocate_ns", "first_inference_ns", "accuracy", "peak_rss_bytes", "energy_j", "evidence",
          "started", "ended", "harness")  # fmt: skip

#: Numbers that may be missing: float columns with NaN, whatever the rows at hand hold.
_FLOATS = ("cores", "memory_bytes", "subject_overlap", "nodes_delegated", "nodes_total", "load_ns",
           "allocate_ns", "first_inference_ns", "accuracy", "peak_rss_bytes", "energy_j", "reference_accuracy",
           "latency_median_ms", "latency_median_minstr")  # fmt: skip

_BOOLS = ("emulated", "local", "synthetic", "delegate_verified")


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read stored cells into a table.

    Args:
        path: a cell's file, a run's folder, or a results folder with runs in it.

    Returns:
        One row per cell, sorted by run and cell; columns as in docs/results.md. ``latency_ns``, ``warmup_ns`` and
        ``predictions`` hold one integer array each (raw, in order; a copy may be changed freely).

    Raises:
        StoreError: nothing there, or a file that can't be read (it is named).
    """
    place = Path(path)
    if place.is_file():
        return to_frame([store.read_cell(place)])
    if (place / "cells").is_dir():
        return to_frame(store.read_cells(place))
    runs = sorted(p.parent for p in place.glob("*/cells"))
    if not runs:
        raise StoreError(f"{place}: neither a cell, a run nor a results folder", fix="harness run makes one")
    return to_frame(cell for run in runs for cell in store.read_cells(run))


def to_frame(cells: Iterable[Cell], *, infer: bool = True) -> pd.DataFrame:
    """The table of :func:`load`, from cells at hand.

    Without ``infer``, texts and whole numbers stay plain Python objects: three times as fast for code that goes through
    rows, and nothing for the public.
    """
    rows = [_row(cell) for cell in cells]
    frame = pd.DataFrame(rows, columns=list(_row_keys()), dtype=object)
    if infer and rows:
        frame = frame.infer_objects()
    return frame.astype({**dict.fromkeys(_FLOATS, "float64"), **dict.fromkeys(_BOOLS, "bool")})


def _row_keys() -> tuple[str, ...]:
    return (
        "run", "cell", "status", "reasons", "device", *_DEVICE,
        "model", "variant", "format", "model_sha256", "parameters", "macs", "model_bytes", "reference_accuracy",
        *_SPLIT, "split_sha256", "runtime", "runtime_version", *_RUNTIME, *_PLAIN,
        "warmup_ns", "latency_ns", "predictions", "samples", "latency_median_ms", "latency_median_minstr",
    )  # fmt: skip


def _row(cell: Cell) -> dict[str, Any]:
    latency = np.array(cell.latency_ns, dtype=np.int64)
    ordered, middle = np.sort(latency), latency.size // 2  # many times as fast as np.median for a hundred values
    median = (int(ordered[middle]) + int(ordered[(latency.size - 1) // 2])) / 2e6 if latency.size else None
    wall = cell.device.clock == "wall"
    return {
        "run": cell.run,
        "cell": cell.cell,
        "status": cell.status,
        "reasons": tuple(f"{reason.code}: {reason.text}" for reason in cell.reasons),
        "device": cell.device.name,
        **{name: getattr(cell.device, name) for name in _DEVICE},
        "model": cell.model.name,
        "variant": cell.model.variant,
        "format": cell.model.format,
        "model_sha256": cell.model.sha256,
        "parameters": cell.model.parameters,
        "macs": cell.model.macs,
        "model_bytes": cell.model.bytes,
        "reference_accuracy": cell.model.reference_accuracy,
        **{name: getattr(cell.split, name) for name in _SPLIT},
        "split_sha256": cell.split.sha256,
        "runtime": cell.runtime.name,
        "runtime_version": cell.runtime.version,
        **{name: getattr(cell.runtime, name) for name in _RUNTIME},
        **{name: getattr(cell, name) for name in _PLAIN},
        "warmup_ns": np.array(cell.warmup_ns, dtype=np.int64),
        "latency_ns": latency,
        "predictions": np.array(cell.predictions, dtype=np.int64),
        "samples": latency.size,
        "latency_median_ms": median if wall else None,
        "latency_median_minstr": None if wall else median,
    }
