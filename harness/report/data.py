"""What a report is made of, gathered once from run folders: a table of cells, what each clock means, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import results, stats, store
from harness.errors import ReportError
from harness.manifest import Manifest
from harness.records import Cell, RunInfo
from harness.safetext import clean, for_figure


@dataclass(frozen=True)
class Clock:
    """Boards that may share an axis: all real, or all emulated, and timed by the same kind of clock.

    ``key`` is used in file names, ``unit`` on axes, ``column`` in tables; a value in ``unit`` is ``_ns`` / 1e6 in each.
    """

    key: str
    title: str
    unit: str
    column: str
    quantity: str
    note: str


_CLOCKS: dict[tuple[bool, str], Clock] = {
    (False, "wall"): Clock("real", "Real boards", "ms", "ms", "Latency", "wall-clock milliseconds"),
    (True, "instructions"): Clock(
        "emulated", "Emulated boards (QEMU)", "million instructions", "million_instructions", "Work per inference",
        "instructions counted by QEMU: the same every time, but not a time",
    ),
    (True, "wall"): Clock(
        "emulated-wall", "Emulated boards (QEMU), wall clock", "ms (emulated)", "ms_emulated", "Emulated latency",
        "wall-clock time of an emulator: says nothing of the board it imitates",
    ),
    (False, "instructions"): Clock(
        "real-instructions", "Real boards, counted instructions", "million instructions (real)",
        "million_instructions_real", "Work per inference", "instructions counted on a real board: not a time",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ReportData:
    """Everything a page, a table or a figure is drawn from.

    ``cells`` is the frame of :func:`harness.results.load` (the newest result of each cell when several runs are given)
    plus: ``clock_key``, ``board_label``, ``label`` (network and variant), ``kind`` (variant.format), ``value``,
    ``low``, ``high`` (median and its 95 % interval, in the clock's unit), ``p90`` (early stopping; NaN where refused),
    sorted for reading. Numbers are NaN unless the cell is VALID.
    """

    runs: tuple[RunInfo, ...]
    cells: pd.DataFrame
    manifests: Mapping[str, Manifest]
    bad_files: tuple[store.BadFile, ...] = ()
    replaced: int = 0
    clocks: tuple[Clock, ...] = ()
    missing: tuple[str, ...] = ()

    @cached_property
    def valid(self) -> pd.DataFrame:
        """Cells whose numbers may be shown."""
        return self.cells[self.cells.status == "VALID"]

    def of(self, clock: Clock) -> pd.DataFrame:
        """VALID cells of one clock."""
        return self._by_clock.get(clock.key, self.valid.iloc[:0])

    @cached_property
    def _by_clock(self) -> dict[str, pd.DataFrame]:
        return {str(key): cells for key, cells in self.valid.groupby("clock_key", sort=False)}


def gather(runs: Sequence[Path], manifests: Mapping[str, Manifest] | None = None) -> ReportData:
    """Read runs for a report.

    Args:
        runs: run folders; where several hold the same cell, the newest result counts.
        manifests: provenance by network; None takes the copies kept in the runs.

    Raises:
        ReportError: no run given.
        StoreError: a run.json can't be read (single cell files that can't are listed in the report instead).
    """
    if not runs:
        raise ReportError("no run to report on", fix="harness run --devices devices.yaml")
    infos: list[RunInfo] = []
    newest: dict[str, Cell] = {}
    bad: list[store.BadFile] = []
    found: dict[str, Manifest] = {}
    total = 0
    for folder in runs:
        infos.append(store.read_run(folder))
        cells, unread = store.scan_cells(folder)
        bad.extend(unread)
        total += len(cells)
        for cell in cells:
            if cell.cell not in newest or cell.started >= newest[cell.cell].started:
                newest[cell.cell] = cell
        if manifests is None:
            found.update(store.read_manifests(folder))
    planned = dict.fromkeys(cell for info in infos for cell in info.planned)
    unreadable = {file.path.stem for file in bad}
    frame = _enrich(results.to_frame(newest.values(), infer=False))
    present = set(frame.clock_key)
    return ReportData(
        runs=tuple(infos),
        cells=frame,
        manifests=dict(found if manifests is None else manifests),
        bad_files=tuple(bad),
        replaced=total - len(newest),
        clocks=tuple(clock for clock in _CLOCKS.values() if clock.key in present),
        missing=tuple(cell for cell in planned if cell not in newest and cell not in unreadable),
    )


def clock_of(emulated: bool, clock: str) -> Clock:
    """What the numbers of such a board mean."""
    return _CLOCKS[(emulated, clock)]


def _enrich(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for column in ("device", "board", "model", "variant"):
        frame[column] = [clean(text, 80) for text in frame[column]]
    frame["clock_key"] = [clock_of(e, c).key for e, c in zip(frame.emulated, frame.clock, strict=True)]
    frame["kind"] = [f"{variant}.{fmt}" for variant, fmt in zip(frame.variant, frame.format, strict=True)]
    splits = frame.split_sha256.nunique() > 1  # accuracies on different images don't belong in one figure
    frame["board_label"] = [
        for_figure(name, 24) + (" (emulated)" if emulated else "") + (f", {scheme} {sha[:6]}" if splits else "")
        for name, emulated, scheme, sha in zip(
            frame.device, frame.emulated, frame.scheme, frame.split_sha256, strict=True
        )
    ]
    several = frame.threads.nunique() > 1
    frame["label"] = [
        f"{for_figure(m, 26)} {for_figure(v, 10)}{'' if f == 'tflite' else ' ' + f}{f' {t}T' if several else ''}"
        for m, v, f, t in zip(frame.model, frame.variant, frame.format, frame.threads, strict=True)
    ]
    numbers = [
        _summary(samples) if status == "VALID" else (np.nan,) * 4
        for samples, status in zip(frame.latency_ns, frame.status, strict=True)
    ]
    frame[["value", "low", "high", "p90"]] = np.array(numbers, dtype=np.float64).reshape(-1, 4)
    return frame.sort_values(
        ["emulated", "device", "model", "variant", "format", "runtime", "delegate", "threads"], kind="stable"
    ).reset_index(drop=True)


def _summary(samples: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[float, float, float, float]:
    """(median, low, high, p90) / 1e6; NaN for what so few samples can't give."""
    ordered = np.sort(samples)
    try:
        interval = stats.median_interval(ordered)
        low, high = interval.low / 1e6, interval.high / 1e6
    except stats.TooFewSamplesError:
        low = high = np.nan
    try:
        p90 = stats.early_stopping(ordered) / 1e6
    except stats.TooFewSamplesError:
        p90 = np.nan
    return stats.median_of_sorted(ordered) / 1e6, low, high, p90
