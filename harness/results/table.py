"""Cells as a pandas table, one row per cell: the implementation of :func:`harness.results.load`."""

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

from harness.core import rounds
from harness.core.clock import FRAME_COLUMNS, clock_of
from harness.core.errors import StoreError
from harness.core.stats import Interval
from harness.records.cell import Cell
from harness.results import store
from harness.results.columns import FrameColumn
from harness.results.quality import metric_of

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]

#: The columns that are taken from a cell, in the order of the table.
COLUMNS = (
    FrameColumn("run", "run"),
    FrameColumn("cell", "cell"),
    FrameColumn("status", "status"),
    FrameColumn("reasons", "reasons", "tuple"),
    FrameColumn("device", "device.name"),
    FrameColumn("board", "device.board"),
    FrameColumn("emulated", "device.emulated", "bool"),
    FrameColumn("local", "device.local", "bool"),
    FrameColumn("clock", "device.clock"),
    FrameColumn("cpu", "device.cpu"),
    FrameColumn("cpu_part", "device.cpu_part"),
    FrameColumn("cores", "device.cores", "float"),
    FrameColumn("features", "device.features", "tuple"),
    FrameColumn("memory_bytes", "device.memory_bytes", "float"),
    FrameColumn("machine", "device.machine"),
    FrameColumn("os", "device.os"),
    FrameColumn("kernel", "device.kernel"),
    FrameColumn("libc", "device.libc"),
    FrameColumn("python", "device.python"),
    FrameColumn("tags", "device.tags", "tuple"),
    FrameColumn("model", "model.name"),
    FrameColumn("variant", "model.variant"),
    FrameColumn("format", "model.format"),
    FrameColumn("model_sha256", "model.sha256"),
    FrameColumn("parameters", "model.parameters", "whole"),
    FrameColumn("macs", "model.macs", "whole"),
    FrameColumn("model_bytes", "model.bytes"),
    FrameColumn("reference_accuracy", "model.reference_accuracy", "float"),
    FrameColumn("dataset", "split.dataset"),
    FrameColumn("synthetic", "split.synthetic", "bool"),
    FrameColumn("scheme", "split.scheme"),
    FrameColumn("seed", "split.seed"),
    FrameColumn("fold", "split.fold"),
    FrameColumn("folds", "split.folds"),
    FrameColumn("n", "split.n"),
    FrameColumn("subject_overlap", "split.subject_overlap", "float"),
    FrameColumn("classes", "split.classes", "tuple"),
    FrameColumn("labels", "split.labels", "tuple"),
    FrameColumn("split_sha256", "split.sha256"),
    FrameColumn("seeds", "split.seeds", "tuple"),
    FrameColumn("persons", "split.persons", "tuple"),
    FrameColumn("runtime", "runtime.name"),
    FrameColumn("runtime_version", "runtime.version"),
    FrameColumn("delegate", "runtime.delegate"),
    FrameColumn("delegate_applied", "runtime.delegate_applied"),
    FrameColumn("delegate_verified", "runtime.delegate_verified", "bool"),
    FrameColumn("nodes_delegated", "runtime.nodes_delegated", "float"),
    FrameColumn("nodes_total", "runtime.nodes_total", "float"),
    FrameColumn("threads", "runtime.threads"),
    FrameColumn("load_ns", "load_ns", "float"),
    FrameColumn("allocate_ns", "allocate_ns", "float"),
    FrameColumn("first_inference_ns", "first_inference_ns", "float"),
    FrameColumn("accuracy", "accuracy", "float"),
    FrameColumn("peak_rss_bytes", "peak_rss_bytes", "float"),
    FrameColumn("energy_j", "energy_j", "float"),
    FrameColumn("estimated_cycles", "estimated_cycles", "float"),
    FrameColumn("estimated_cycles_4_threads", "estimated_cycles_4_threads", "float"),
    FrameColumn("estimate_clock_hz", "estimate_clock_hz", "float"),
    FrameColumn("estimate_llvm", "estimate_llvm"),
    FrameColumn("operators", "operators_json"),
    FrameColumn("operator_times", "operator_times_json"),
    FrameColumn("evidence", "evidence"),
    FrameColumn("started", "started"),
    FrameColumn("ended", "ended"),
    FrameColumn("harness", "harness"),
    FrameColumn("warmup_ns", "warmup_ns", "array"),
    FrameColumn("latency_ns", "latency_ns", "array"),
    FrameColumn("rounds", "round_sizes", "array"),
    FrameColumn("predictions", "predictions", "array"),
    FrameColumn("task", "split.task"),
    FrameColumn("metric"),
    FrameColumn("metric_value", kind="float"),
    FrameColumn("higher_is_better"),
    FrameColumn("metric_per_sample", kind="floats"),
    FrameColumn("outputs"),
    FrameColumn("outputs_max_abs", kind="float"),
    FrameColumn("outputs_max_rel", kind="float"),
    FrameColumn("outputs_excess", kind="float"),
    FrameColumn("converted_by", "model.converted_by"),
)
FLOAT_ARRAYS = tuple(column.name for column in COLUMNS if column.kind == "floats")
ARRAYS = (*(column.name for column in COLUMNS if column.kind == "array"), *FLOAT_ARRAYS)
TUPLES = tuple(column.name for column in COLUMNS if column.kind == "tuple")
_WHOLE = tuple(column.name for column in COLUMNS if column.kind == "whole")
_BOOLS = tuple(column.name for column in COLUMNS if column.kind == "bool")
#: The columns that are computed.
_MEDIANS = tuple(f"latency_median_{name}" for name in FRAME_COLUMNS)
_FLOATS = frozenset((*(column.name for column in COLUMNS if column.kind == "float"), *_MEDIANS))
#: The columns in the order of a row: those that are taken from a cell as they are, then those that are made.
_ORDER = tuple(column.name for column in sorted(COLUMNS, key=lambda column: not column.source))
_pick = operator.attrgetter(*(column.source for column in COLUMNS if column.source))


def _made(cell: Cell) -> tuple[object, ...]:
    """The values of the columns without a source, in their order."""
    metric, value, higher_is_better = metric_of(cell) or (None, None, None)
    per_sample = cell.metric.per_sample if cell.metric else ()
    if cell.outputs is None:
        return (metric, value, higher_is_better, per_sample, None, None, None, None)
    worst = cell.outputs.worst
    outputs = (cell.outputs.model_dump_json(), worst.max_abs, worst.max_rel, worst.excess)
    return (metric, value, higher_is_better, per_sample, *outputs)


def codes(reasons: Iterable[object]) -> list[str]:
    """The codes in a row's ``reasons``, each of which is ``code: text``."""
    return [str(reason).partition(":")[0] for reason in reasons]


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
    rows = [(*_pick(cell), *_made(cell)) for cell in cells]
    values = dict(zip(_ORDER, zip(*rows, strict=True) if rows else repeat((), len(COLUMNS)), strict=True))
    columns: dict[str, Sequence[Any]] = {column.name: values[column.name] for column in COLUMNS}
    columns["reasons"] = [
        tuple(f"{reason.code}: {reason.text}" for reason in reasons) for reasons in columns["reasons"]
    ]
    columns |= {name: _arrays(columns[name], np.float64 if name in FLOAT_ARRAYS else np.int64) for name in ARRAYS}
    columns["samples"] = [series.size for series in columns["latency_ns"]]
    clocks = [
        clock_of(emulated, clock).frame_column
        for emulated, clock in zip(columns["emulated"], columns["clock"], strict=True)
    ]
    medians = _medians(columns["latency_ns"])
    for place, estimate in by_rounds(columns["latency_ns"], columns["rounds"], columns["clock"]):
        medians[place] = estimate.value / 1e6
    for name, frame_column in zip(_MEDIANS, FRAME_COLUMNS, strict=True):
        columns[name] = [m if clock == frame_column else np.nan for m, clock in zip(medians, clocks, strict=True)]
    frame = pd.DataFrame(
        {name: np.array(columns[name], dtype=np.float64) if name in _FLOATS else pd.Series(columns[name], dtype=object)
         for name in columns}
    )  # fmt: skip
    if infer and rows:
        frame = frame.infer_objects()
        frame = frame.astype({name: np.float64 for name in _WHOLE if frame[name].dtype == object})
    return frame.astype(dict.fromkeys(_BOOLS, "bool"))


def _arrays(series: Sequence[Sequence[float]], dtype: type) -> list[NDArray[Any]]:
    """One array for each series, cut from one large array: ten thousand small ones take three times as long."""
    flat: NDArray[Any] = np.fromiter(chain.from_iterable(series), dtype=dtype)
    return np.split(flat, np.cumsum([len(values) for values in series[:-1]])) if series else []


def sorted_samples(series: Sequence[IntArray]) -> Iterator[tuple[IntArray, IntArray]]:
    """Sort all series of one length at once, for order statistics.

    Yields:
        For each length, shortest first: positions of its series, shape (k,), and their samples sorted along the rows,
        shape (k, length). Empty series are left out.
    """
    sizes = np.array([values.size for values in series], dtype=np.int64)
    for size in np.unique(sizes[sizes > 0]):
        positions = np.flatnonzero(sizes == size)
        yield positions, np.sort(np.stack([series[position] for position in positions.tolist()]), axis=1)


def by_rounds(
    series: Sequence[IntArray], sizes: Sequence[IntArray], clocks: Iterable[str]
) -> Iterator[tuple[int, Interval]]:
    """(place, value with its interval) of the cells that have several rounds on the wall clock, in nanoseconds."""
    for place, (samples, of_rounds, clock) in enumerate(zip(series, sizes, clocks, strict=True)):
        if len(of_rounds) > 1 and clock == "wall":
            yield place, rounds.estimate(rounds.medians(samples, of_rounds.tolist()))


def _medians(series: Sequence[IntArray]) -> FloatArray:
    """The median of each series in ms or million instructions, by its clock; NaN for an empty series."""
    medians = np.full(len(series), np.nan)
    for positions, ordered in sorted_samples(series):
        size = ordered.shape[1]
        medians[positions] = (ordered[:, size // 2] + ordered[:, (size - 1) // 2]) / 2e6
    return medians
