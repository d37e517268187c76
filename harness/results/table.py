"""Cells as a pandas table, one row per cell: what is behind :func:`harness.results.load`."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.errors import StoreError
from harness.records.cell import Cell
from harness.results import store

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]

_DEVICE = ("board", "emulated", "local", "clock", "cpu", "cpu_part", "cores", "features", "memory_bytes", "machine",
           "os", "kernel", "libc", "python", "tags")  # fmt: skip
_SPLIT = ("dataset", "synthetic", "scheme", "seed", "fold", "folds", "n", "subject_overlap", "classes", "labels")
_RUNTIME = ("delegate", "delegate_applied", "delegate_verified", "nodes_delegated", "nodes_total", "threads")
_PLAIN = ("load_ns", "allocate_ns", "first_inference_ns", "accuracy", "peak_rss_bytes", "energy_j", "evidence",
          "started", "ended", "harness")  # fmt: skip
_ARRAYS = ("warmup_ns", "latency_ns", "predictions")

#: Column -> where a cell has it, in the order of the table.
_SOURCES: dict[str, str] = {
    "run": "run", "cell": "cell", "status": "status", "reasons": "reasons", "device": "device.name",
    **{name: f"device.{name}" for name in _DEVICE},
    "model": "model.name", "variant": "model.variant", "format": "model.format", "model_sha256": "model.sha256",
    "parameters": "model.parameters", "macs": "model.macs", "model_bytes": "model.bytes",
    "reference_accuracy": "model.reference_accuracy",
    **{name: f"split.{name}" for name in _SPLIT}, "split_sha256": "split.sha256",
    "runtime": "runtime.name", "runtime_version": "runtime.version", **{name: f"runtime.{name}" for name in _RUNTIME},
    **{name: name for name in (*_PLAIN, *_ARRAYS)},
}  # fmt: skip
_pick = operator.attrgetter(*_SOURCES.values())

#: Numbers that may be missing: float columns with NaN, whatever the rows at hand hold.
_FLOATS = ("cores", "memory_bytes", "subject_overlap", "nodes_delegated", "nodes_total", "load_ns",
           "allocate_ns", "first_inference_ns", "accuracy", "peak_rss_bytes", "energy_j", "reference_accuracy",
           "latency_median_ms", "latency_median_minstr")  # fmt: skip

_BOOLS = ("emulated", "local", "synthetic", "delegate_verified")


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """See :func:`harness.results.load`."""
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
    """See :func:`harness.results.to_frame`."""
    rows = [_pick(cell) for cell in cells]
    values = zip(*rows, strict=True) if rows else repeat((), len(_SOURCES))
    columns: dict[str, Sequence[Any]] = dict(zip(_SOURCES, values, strict=True))
    columns["reasons"] = [tuple(f"{each.code}: {each.text}" for each in reasons) for reasons in columns["reasons"]]
    columns |= {name: _arrays(columns[name]) for name in _ARRAYS}
    columns["samples"] = [series.size for series in columns["latency_ns"]]
    timed, counted = _medians(columns["latency_ns"], columns["clock"])
    columns |= {"latency_median_ms": list(timed), "latency_median_minstr": list(counted)}
    frame = pd.DataFrame(
        {name: np.array(columns[name], dtype=np.float64) if name in _FLOATS else pd.Series(columns[name], dtype=object)
         for name in columns}
    )  # fmt: skip
    if infer and rows:
        frame = frame.infer_objects()
    return frame.astype(dict.fromkeys(_BOOLS, "bool"))


def _arrays(series: Sequence[Sequence[int]]) -> list[IntArray]:
    """One array each; made as one, because ten thousand small ones take three times as long."""
    flat = np.fromiter(chain.from_iterable(series), dtype=np.int64)
    return np.split(flat, np.cumsum([len(values) for values in series[:-1]])) if series else []


def sorted_samples(series: Sequence[IntArray]) -> Iterator[tuple[IntArray, IntArray]]:
    """(positions, samples sorted along the rows) of all series that are equally long, shortest first; the empty ones
    are left out. What order statistics need, in as few steps as there are lengths."""
    sizes = np.array([values.size for values in series], dtype=np.int64)
    for size in np.unique(sizes[sizes > 0]):
        positions = np.flatnonzero(sizes == size)
        yield positions, np.sort(np.stack([series[position] for position in positions.tolist()]), axis=1)


def _medians(series: Sequence[IntArray], clocks: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """(milliseconds on the wall clock, million instructions on the other), NaN where it is another or nothing is."""
    medians = np.full(len(series), np.nan)
    for positions, ordered in sorted_samples(series):
        size = ordered.shape[1]
        medians[positions] = (ordered[:, size // 2] + ordered[:, (size - 1) // 2]) / 2e6
    wall = np.array([clock == "wall" for clock in clocks], dtype=bool)
    return np.where(wall, medians, np.nan), np.where(wall, np.nan, medians)
