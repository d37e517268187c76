"""What a report is made of, gathered once from run folders: a table of cells, what each clock means, provenance."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import results, stats, store
from harness.errors import ReportError
from harness.manifest import Manifest
from harness.records import RunInfo
from harness.report import kept
from harness.report.roles import role
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
    plus: ``clock_key``, ``board_label``, ``label`` (network and variant), ``kind`` (variant.format), ``role``
    (harness/report/roles.py), ``value``, ``low``, ``high`` (median and its 95 % interval, in the clock's unit), ``p90``
    (early stopping; NaN where refused), sorted for reading. Numbers are NaN unless the cell is VALID.
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
    infos = [store.read_run(folder) for folder in runs]
    tables = [kept.frame_of(folder) for folder in runs]
    bad = [file for _, unread in tables for file in unread]
    if manifests is None:
        manifests = {name: each for folder in runs for name, each in store.read_manifests(folder).items()}
    planned = dict.fromkeys(cell for info in infos for cell in info.planned)
    unreadable = {file.path.stem for file in bad}
    every = pd.concat([table for table, _ in tables], ignore_index=True) if len(tables) > 1 else tables[0][0]
    newest = _newest(every)
    frame = every if len(newest) == len(every) else every.iloc[list(newest.values())].reset_index(drop=True)
    frame = _enrich(frame, manifests)
    present = set(frame.clock_key)
    return ReportData(
        runs=tuple(infos),
        cells=frame,
        manifests=dict(manifests),
        bad_files=tuple(bad),
        replaced=len(every) - len(newest),
        clocks=tuple(clock for clock in _CLOCKS.values() if clock.key in present),
        missing=tuple(cell for cell in planned if cell not in newest and cell not in unreadable),
    )


def _newest(cells: pd.DataFrame) -> dict[str, int]:
    """Cell -> its row with the newest result; of two as new the later one."""
    found: dict[str, int] = {}
    started = cells.started.tolist()
    for row, cell in enumerate(cells.cell.tolist()):
        if cell not in found or started[row] >= started[found[cell]]:
            found[cell] = row
    return found


def clock_of(emulated: bool, clock: str) -> Clock:
    """What the numbers of such a board mean."""
    return _CLOCKS[(emulated, clock)]


def _enrich(frame: pd.DataFrame, manifests: Mapping[str, Manifest]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {
        name: _each(lambda text: clean(text, 80), frame[name]) for name in ("device", "board", "model", "variant")
    }
    columns["clock_key"] = _each(lambda e, c: clock_of(e, c).key, frame.emulated, frame.clock)
    columns["role"] = _each(lambda name: role(name, manifests.get(name)), columns["model"])
    columns["kind"] = _each("{}.{}".format, columns["variant"], frame.format)
    splits = frame.split_sha256.nunique() > 1  # accuracies on different images don't belong in one figure
    several = frame.threads.nunique() > 1
    columns["board_label"] = _each(
        lambda name, emulated, scheme, sha: (
            for_figure(name, 24) + (" (emulated)" if emulated else "") + (f", {scheme} {sha[:6]}" if splits else "")
        ),
        columns["device"], frame.emulated, frame.scheme, frame.split_sha256,
    )  # fmt: skip
    columns["label"] = _each(
        lambda m, v, f, t: (
            f"{for_figure(m, 26)} {for_figure(v, 10)}{'' if f == 'tflite' else ' ' + f}{f' {t}T' if several else ''}"
        ),
        columns["model"], columns["variant"], frame.format, frame.threads,
    )  # fmt: skip
    numbers = pd.DataFrame(_summaries(frame), columns=["value", "low", "high", "p90"])
    texts = pd.DataFrame(columns, dtype=object)
    frame = pd.concat([frame.drop(columns=frame.columns.intersection(texts.columns)), texts, numbers], axis=1)
    return frame.sort_values(
        ["emulated", "device", "model", "variant", "format", "runtime", "delegate", "threads"], kind="stable"
    ).reset_index(drop=True)


def records(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary of plain Python values; several times as fast as pandas' own ``to_dict``."""
    for row in zip(*(frame[name].tolist() for name in names), strict=True):
        yield dict(zip(names, row, strict=True))


def _each(make: Callable[..., str], *columns: Iterable[Any]) -> list[Any]:
    """``make`` of each row; called once for rows that are alike, and most are in some column."""
    return list(map(functools.cache(make), *columns))


def _summaries(frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(median, low, high, p90) / 1e6 of each cell; NaN unless it is VALID, and for what so few samples can't give.

    All four are order statistics, so their ranks depend on the number of samples alone: they are asked for once for
    each number, of the series 0, 1, 2..., in which a value is its own rank.
    """
    found = np.full((len(frame), 4), np.nan)
    valid = np.flatnonzero(frame.status == "VALID")
    for chosen, ordered in results.sorted_samples(list(frame.latency_ns.iloc[valid])):
        ranks = np.arange(ordered.shape[1])
        found[valid[chosen], 0] = (ordered[:, len(ranks) // 2] + ordered[:, (len(ranks) - 1) // 2]) / 2e6
        try:
            interval = stats.median_interval(ranks)
            found[valid[chosen], 1] = ordered[:, int(interval.low)] / 1e6
            found[valid[chosen], 2] = ordered[:, int(interval.high)] / 1e6
            found[valid[chosen], 3] = ordered[:, int(stats.early_stopping(ranks))] / 1e6
        except stats.TooFewSamplesError:
            continue  # a p90 needs more samples than an interval
    return found
