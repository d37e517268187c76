"""The data of a report, gathered once from run folders: a table of cells, the meaning of each clock, provenance."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from harness.core import stats
from harness.core.clock import CLOCKS, Clock, clock_of
from harness.core.errors import ReportError
from harness.core.safetext import clean
from harness.records.cell import RunInfo
from harness.records.manifest import Manifest
from harness.report import axes, judged, ran
from harness.report.focus import Focus
from harness.report.judged import Judges
from harness.report.registry import focus_on
from harness.results import identity, store, table, table_cache
from harness.results.quality import TOP1, faces


@dataclass(frozen=True)
class ReportData:
    """Everything a page, a table or a figure is drawn from.

    ``cells`` is the frame of :func:`harness.results.load` (the newest result of each cell of each board when
    several runs are given) plus: ``clock_key``, ``board_id`` (one number a board, by its hardware:
    harness/results/identity.py), ``group`` (one a board and axis: harness/report/axes.py), ``axis_label`` (empty
    where all cells share one axis), ``task_label``, ``board_label``, ``model_label``, ``label`` (network and
    variant), ``kind`` (variant.format), ``runtime_label`` and ``ran`` (:mod:`harness.report.ran`), ``faces``
    (whether its samples are images of faces), ``role`` (beside the network in focus; empty without one), ``value``,
    ``low``, ``high`` (median and its 95 % interval, in the clock's unit), ``p90`` (early stopping; NaN where
    refused), ``judged``, ``judged_low``, ``judged_high`` (:mod:`harness.report.judged`), sorted for reading.
    Numbers are NaN unless the cell is VALID. ``device``, ``model`` and labels are for people and are distinct.
    ``focus`` is the network that the report is about, where its results hold one. ``judges`` are the strangers that
    a group's networks are judged by.
    """

    runs: tuple[RunInfo, ...]
    cells: pd.DataFrame
    manifests: Mapping[str, Manifest]
    bad_files: tuple[store.BadFile, ...] = ()
    replaced: int = 0
    clocks: tuple[Clock, ...] = ()
    missing: tuple[str, ...] = ()
    focus: Focus | None = None
    judges: Judges = field(default_factory=dict)

    @cached_property
    def of_faces(self) -> ReportData:
        """The same, of cells whose samples are images of faces."""
        return self if bool(self.cells.faces.all()) else replace(self, cells=self.cells[self.cells.faces])

    @property
    def other_metrics(self) -> bool:
        """Whether another metric than the share of right classes judges any cell."""
        return bool((self.cells.metric.notna() & (self.cells.metric != TOP1)).any())

    @property
    def noun(self) -> str:
        """What the samples are called."""
        return noun(self.cells)

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
        StoreError: a run.json can't be read. Unreadable files of single cells are listed in the report instead.
    """
    if not runs:
        raise ReportError("no run to report on", fix="harness run --devices devices.yaml")
    infos = [store.read_run(folder) for folder in runs]
    tables = [table_cache.frame_of(folder) for folder in runs]
    bad = [file for _, unread in tables for file in unread]
    if manifests is None:
        manifests = {name: each for folder in runs for name, each in store.read_manifests(folder).items()}
    every = pd.concat([table for table, _ in tables], ignore_index=True) if len(tables) > 1 else tables[0][0]
    ids, boards = _boards(every)
    newest = _newest(every, ids)
    rows = list(newest.values())
    frame = every if len(newest) == len(every) else every.iloc[rows].reset_index(drop=True)
    frame = frame.assign(faces=np.array(_each(faces, frame.task, frame.scheme), dtype=bool))
    focus = focus_on(frame.model[frame.faces])
    frame = _enrich(
        frame,
        role=lambda name, of_faces: focus.role(name, manifests.get(name)) if focus and of_faces else "",
        ids=[ids[row] for row in rows],
        boards=boards,
    )
    frame, judges = judged.add(frame, manifests)
    return ReportData(
        runs=tuple(infos),
        cells=frame,
        manifests=dict(manifests),
        bad_files=tuple(bad),
        replaced=len(every) - len(newest),
        clocks=tuple(clock for clock in CLOCKS if clock.key in set(frame.clock_key)),
        missing=_missing(infos, {*(cell for cell, _ in newest), *(file.path.stem for file in bad)}),
        focus=focus,
        judges=judges,
    )


def _missing(runs: Sequence[RunInfo], known: Set[str]) -> tuple[str, ...]:
    """Planned cells that have neither a result nor a damaged file."""
    planned = dict.fromkeys(cell for info in runs for cell in info.planned)
    return tuple(cell for cell in planned if cell not in known)


#: A device's name and the description of its board.
_Board = tuple[str, identity.Facts]


def _boards(cells: pd.DataFrame) -> tuple[list[int], list[_Board]]:
    """Each cell's board as a number, and the boards.

    A cell without a description (the board was never reached) belongs to the board of the same name and kind that its
    run describes elsewhere, else to the only such board.
    """
    looks = [_Look(*row) for row in zip(*(cells[name].tolist() for name in _Look._fields), strict=True)]
    facts = [identity.hardware(look) + identity.system(look) for look in looks]
    known: dict[tuple[str, str, bool, str], dict[_Board, set[str]]] = {}
    for look, fact in zip(looks, facts, strict=True):
        if identity.described(fact):
            known.setdefault(look.place, {}).setdefault((look.device, fact), set()).add(look.run)
    boards: dict[_Board, int] = {}
    ids = []
    for look, fact in zip(looks, facts, strict=True):
        board = (look.device, fact)
        if not identity.described(fact) and (there := known.get(look.place)):
            mine = [each for each, runs in there.items() if look.run in runs] or list(there)
            board = mine[0] if len(mine) == 1 else board
        ids.append(boards.setdefault(board, len(boards)))
    return ids, list(boards)


class _Look(NamedTuple):
    """A device's columns in a table of cells."""

    run: str
    device: str
    board: str
    emulated: bool
    clock: str
    cpu: str | None
    cpu_part: str | None
    machine: str | None
    cores: float | None
    memory_bytes: float | None
    kernel: str | None
    libc: str | None

    @property
    def place(self) -> tuple[str, str, bool, str]:
        """The description in devices.yaml."""
        return (self.device, self.board, self.emulated, self.clock)


def _newest(cells: pd.DataFrame, ids: Sequence[int]) -> dict[tuple[str, int], int]:
    """(cell, board) -> its row with the newest result; of two results of the same time, the later row."""
    found: dict[tuple[str, int], int] = {}
    started = cells.started.tolist()
    for row, key in enumerate(zip(cells.cell.tolist(), ids, strict=True)):
        if key not in found or started[row] >= started[found[key]]:
            found[key] = row
    return found


def _enrich(
    frame: pd.DataFrame, role: Callable[[str, bool], str], ids: Sequence[int], boards: Sequence[_Board]
) -> pd.DataFrame:
    columns = _named(frame, ids, boards)
    columns["clock_key"] = _each(lambda e, c: clock_of(e, c).key, frame.emulated, frame.clock)
    columns["role"] = _each(role, columns["model"], frame.faces)
    columns["kind"] = _each("{}.{}".format, columns["variant"], frame.format)
    columns |= ran.columns(frame, ids)
    several = frame.threads.nunique() > 1
    variants = identity.distinct(columns["variant"], 10)
    columns["label"] = _each(
        lambda m, v, f, t, r: f"{m} {variants[v]}{'' if f == 'tflite' else ' ' + f}{f' {t}T' if several else ''}{r}",
        columns["model_label"], columns["variant"], frame.format, frame.threads, columns["ran"],
    )  # fmt: skip
    numbers = pd.DataFrame(_summaries(frame), columns=["value", "low", "high", "p90"])
    numbers["board_id"] = list(ids)
    groups: dict[tuple[int, axes.Axis], int] = {}
    numbers["group"] = [groups.setdefault(key, len(groups)) for key in zip(ids, axes.axes(frame), strict=True)]
    texts = pd.DataFrame(columns, dtype=object)
    frame = pd.concat([frame.drop(columns=frame.columns.intersection(texts.columns)), texts, numbers], axis=1)
    return frame.sort_values(
        [
            "emulated",
            "device",
            "board_id",
            "model",
            "variant",
            "format",
            "runtime",
            "release_order",
            "delegate",
            "threads",
        ],
        kind="stable",
    ).reset_index(drop=True)


def _named(frame: pd.DataFrame, ids: Sequence[int], boards: Sequence[_Board]) -> dict[str, list[Any]]:
    """Names and labels for people, distinct where the things they name are."""
    full, short = identity.board_labels(boards, 80, latin=False), identity.board_labels(boards, 24)
    columns: dict[str, list[Any]] = {
        "device": [full[board] for board in ids], "board": _each(lambda text: clean(text, 80), frame.board),
    }  # fmt: skip
    for name in ("model", "variant"):
        labels = identity.distinct(frame[name], 80, latin=False)
        columns[name] = [labels[text] for text in frame[name]]
    models = identity.distinct(columns["model"], 26)
    columns["model_label"] = [models[name] for name in columns["model"]]
    found = axes.axes(frame)
    words = axes.words(frame, found)
    columns["axis_label"] = [words[axis] for axis in found]
    columns["task_label"] = axes.tasks(frame)
    keys = list(zip(ids, frame.emulated, found, strict=True))
    groups = list(dict.fromkeys(keys))
    shown = identity.numbered([
        short[board] + (" (emulated)" if emulated else "") + (f", {words[axis]}" if words[axis] else "")
        for board, emulated, axis in groups
    ])  # fmt: skip
    by_group = dict(zip(groups, shown, strict=True))
    columns["board_label"] = [by_group[key] for key in keys]
    return columns


def records(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary of plain Python values; this is several times as fast as pandas' own ``to_dict``."""
    for row in zip(*(frame[name].tolist() for name in names), strict=True):
        yield dict(zip(names, row, strict=True))


def noun(cells: pd.DataFrame) -> str:
    """What the samples of cells are called: ``image`` where all are images of faces."""
    return "image" if bool(cells.faces.all()) else "input"


def _each(make: Callable[..., object], *columns: Iterable[Any]) -> list[Any]:
    """``make`` of each row. It is called once for equal rows, since most columns repeat few values."""
    return list(map(functools.cache(make), *columns))


def _summaries(frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(median, low, high, p90) / 1e6 of each cell; NaN unless it is VALID, and where there are too few samples.

    Where a cell has several rounds on the wall clock, the first three come from the rounds. Otherwise all four are
    order statistics, so their ranks depend on the number of samples alone. They are computed once for each number of
    samples, on the series 0, 1, 2..., in which a value is its own rank.
    """
    found = np.full((len(frame), 4), np.nan)
    valid = np.flatnonzero(frame.status == "VALID")
    for chosen, ordered in table.sorted_samples(list(frame.latency_ns.iloc[valid])):
        ranks = np.arange(ordered.shape[1])
        found[valid[chosen], 0] = (ordered[:, len(ranks) // 2] + ordered[:, (len(ranks) - 1) // 2]) / 2e6
        try:
            interval = stats.median_interval(ranks)
            found[valid[chosen], 1] = ordered[:, int(interval.low)] / 1e6
            found[valid[chosen], 2] = ordered[:, int(interval.high)] / 1e6
            found[valid[chosen], 3] = ordered[:, int(stats.early_stopping(ranks))] / 1e6
        except stats.TooFewSamplesError:
            continue  # a p90 needs more samples than an interval
    series, sizes, clocks = (frame[name].iloc[valid].tolist() for name in ("latency_ns", "rounds", "clock"))
    for place, estimate in table.by_rounds(series, sizes, clocks):
        found[valid[place], :3] = estimate.value / 1e6, estimate.low / 1e6, estimate.high / 1e6
    return found
