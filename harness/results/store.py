"""Results on disk: ``results/<run>/run.json`` and one file per cell, ``results/<run>/cells/<cell-id>.json``.

This module computes nothing. A cell is written whole or not at all, and read back exactly as it was written. Files are
not trusted, because they may come from a board or another machine: sizes are limited, newer schemas are refused, and
each problem raises a :class:`~harness.core.errors.StoreError` that names the file.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.core.errors import CellTooLargeError, LockTakenError, StoreError
from harness.core.files import write_atomic
from harness.core.locks import take_lock
from harness.records.cell import MAX_ROUNDS, MAX_SAMPLES, Cell, RunInfo
from harness.records.manifest import Manifest
from harness.results import jsonfile

#: Room for a million samples, warm-ups and predictions. A larger file is no cell.
MAX_CELL_BYTES = 64 << 20
MAX_RUN_BYTES = 16 << 20
LATEST = "latest"

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


def _with_rounds(content: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 says which samples are of one process. All of an older cell are; without ``rounds`` that is meant."""
    return {**content, "schema": 2}


def _of_any_network(content: dict[str, Any]) -> dict[str, Any]:
    """Schema 3 lets more be null or missing than a cell of schema 2 leaves out."""
    return {**content, "schema": 3}


#: ``{n: f}``: ``f`` turns the JSON object of a cell of schema ``n`` into one of schema ``n + 1``.
CELL_MIGRATIONS: dict[int, jsonfile.Migration] = {1: _with_rounds, 2: _of_any_network}
#: As CELL_MIGRATIONS, for run.json.
RUN_MIGRATIONS: dict[int, jsonfile.Migration] = {}


@dataclass(frozen=True)
class BadFile:
    """A file in a results folder that can't be used; ``reason`` is an error message without the path."""

    path: Path
    reason: str


def create_run(results: Path, info: RunInfo) -> Path:
    """Make ``results/<info.run>/`` with its ``run.json`` and an empty ``cells/``; returns the folder.

    Raises:
        StoreError: the name is not valid for a run, is ``latest``, or is taken.
    """
    if not can_name(info.run):
        raise StoreError(f"'{info.run}' can't be the name of a run", fix="use letters, digits and . _ + -")
    folder = results / info.run
    try:
        results.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        (folder / "cells").mkdir()
    except FileExistsError as error:
        raise StoreError(f"{folder}: there already", fix=f"--resume {info.run}, or another name") from error
    except OSError as error:
        raise StoreError(f"{folder}: can't be made: {error.strerror}") from error
    write_run(folder, info)
    return folder


def can_name(name: str) -> bool:
    """Whether a run may have this name."""
    return _RUN_NAME.fullmatch(name) is not None and name != LATEST


def write_run(run_dir: Path, info: RunInfo) -> Path:
    """Write ``run.json`` atomically (also to add ``skipped`` entries later); returns its path."""
    path = run_dir / "run.json"
    write_atomic(path, jsonfile.dump(info))
    return path


def write_cell(run_dir: Path, cell: Cell) -> Path:
    """Write one cell atomically; it replaces an earlier result of the same cell. Returns its path.

    Raises:
        CellTooLargeError: it is larger than :func:`read_cell` takes; an earlier result stays.
    """
    path = run_dir / "cells" / f"{cell.cell}.json"
    _check_sizes(path, cell)
    text = jsonfile.dump(cell)
    if len(text) > MAX_CELL_BYTES or len(text.encode()) > MAX_CELL_BYTES:
        raise CellTooLargeError(f"{path}: larger than the {MAX_CELL_BYTES >> 20} MiB such a file can have")
    write_atomic(path, text)
    return path


def _check_sizes(path: Path, cell: Cell) -> None:
    """Refuse what the schema refuses, since a copy with other values is not checked against it.

    Raises:
        CellTooLargeError: there are too many of something.
    """
    for what, count, most in (
        ("rounds", len(cell.rounds), MAX_ROUNDS),
        ("samples", len(cell.latency_ns), MAX_SAMPLES),
        ("warm-up runs", len(cell.warmup_ns), MAX_SAMPLES),
        ("predictions", len(cell.predictions), MAX_SAMPLES),
    ):
        if count > most:
            raise CellTooLargeError(f"{path}: {count} {what}, and a cell holds {most} at most")


@contextlib.contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Reserve a run for this process: two processes that resume it would overwrite each other's cells.

    It holds a kernel lock on the run's file ``.lock``, which ends with the process.

    Raises:
        LockTakenError: another process holds the lock.
        StoreError: the folder can't be written or locked; the message says why.
    """
    try:
        lock = take_lock(run_dir / ".lock")
    except LockTakenError as error:
        raise LockTakenError(f"{run_dir}: another process works on this run", fix="wait for it, or end it") from error
    try:
        yield
    finally:
        lock.close()


def read_cell(path: Path) -> Cell:
    """Read one cell.

    Raises:
        StoreError: the file is missing, too large, no JSON, of a newer schema, or breaks the schema; names the path.
    """
    return _checked_cell(path)


def read_cells(run_dir: Path) -> Iterator[Cell]:
    """The cells of a run, in order of their names.

    Raises:
        StoreError: a file can't be read. :func:`scan_cells` goes on instead.
    """
    for path in cell_paths(run_dir):
        yield read_cell(path)


def scan_cells(run_dir: Path) -> tuple[list[Cell], list[BadFile]]:
    """All readable cells of a run, and all unreadable files, each with its reason."""
    cells: list[Cell] = []
    bad: list[BadFile] = []
    for path in cell_paths(run_dir):
        try:
            cells.append(read_cell(path))
        except StoreError as error:
            bad.append(BadFile(path, str(error).removeprefix(f"{path}: ")))
    return cells, bad


def readable_cells(run_dir: Path) -> Iterator[Cell]:
    """The readable cells of a run, one at a time."""
    for path in cell_paths(run_dir):
        with contextlib.suppress(StoreError):
            yield read_cell(path)


def cell_paths(run_dir: Path) -> list[Path]:
    """The sorted paths of a run's cell files, without temporary files, whose names begin with a dot."""
    folder = run_dir / "cells"
    try:
        names = os.listdir(folder)  # noqa: PTH208 - ten thousand names sort three times as fast as paths
    except OSError:
        return []
    return [folder / name for name in sorted(names) if name.endswith(".json") and not name.startswith(".")]


def read_run(run_dir: Path) -> RunInfo:
    """Read ``run.json`` of a run folder.

    Raises:
        StoreError: the file is missing, damaged or newer than this version.
    """
    path = run_dir / "run.json"
    return jsonfile.validated(
        RunInfo, path, jsonfile.migrated(path, jsonfile.read(path, MAX_RUN_BYTES), RUN_MIGRATIONS)
    )


def read_manifests(run_dir: Path) -> dict[str, Manifest]:
    """``{network: manifest}`` from the copies in ``<run>/manifests/``; unreadable ones are left out."""
    manifests: dict[str, Manifest] = {}
    for path in sorted((run_dir / "manifests").glob("*.json")):
        try:
            manifests[path.stem] = jsonfile.validated(
                Manifest, path, jsonfile.parse(path, jsonfile.read(path, MAX_RUN_BYTES))
            )
        except StoreError:
            continue  # provenance is optional: the page says that it is missing
    return manifests


def list_runs(results: Path) -> list[Path]:
    """Folders of all readable runs under ``results``, oldest first (by ``started``, then by name)."""
    runs: list[tuple[str, str, Path]] = []
    for path in results.glob("*/run.json"):
        try:
            runs.append((read_run(path.parent).started, path.parent.name, path.parent))
        except StoreError:
            continue  # not a run; `find_run` with its name says why
    return [folder for _, _, folder in sorted(runs)]


def _damaged_after(results: Path, run: Path | None) -> BadFile | None:
    """An unreadable run that is newer than ``run`` by its modification time; None if there is none."""
    try:
        made = run.joinpath("run.json").stat().st_mtime_ns if run else -1
        others = [cells.parent for cells in results.glob("*/cells") if cells.parent.stat().st_mtime_ns > made]
    except OSError:
        return None
    for folder in sorted(others):
        try:
            read_run(folder)
        except StoreError as error:
            path = folder / "run.json"
            return BadFile(path, str(error).removeprefix(f"{path}: "))
    return None


def find_run(results: Path, name: str = LATEST) -> Path:
    """The folder of a run: its name under ``results``, ``latest``, or the path of a run folder kept elsewhere.

    Raises:
        StoreError: there is no such run; the message names the existing ones. Also for ``latest`` if the newest run is
            damaged: the run before it is not the latest.
    """
    if name == LATEST:
        runs = list_runs(results)
        if newer := _damaged_after(results, runs[-1] if runs else None):
            raise StoreError(
                f"{newer.path}: {newer.reason}; it is the newest run",
                fix=f"remove {newer.path.parent}, or say which run by name",
            )
        if runs:
            return runs[-1]
        raise StoreError(f"{results}: no runs", fix="harness run --devices devices.yaml")
    if _RUN_NAME.fullmatch(name) and (results / name / "run.json").is_file():
        return results / name
    elsewhere = Path(name)  # './base', 'base/' and 'base' are one path
    if name and (elsewhere / "run.json").is_file():
        return elsewhere
    known = ", ".join(p.name for p in list_runs(results)[-5:]) or "none"
    raise StoreError(f"{results}: no run '{name}'", fix=f"runs there: {known}")


def _checked_cell(path: Path) -> Cell:
    data = jsonfile.read(path, MAX_CELL_BYTES)
    cell = _quick(data) or jsonfile.validated(Cell, path, jsonfile.migrated(path, data, CELL_MIGRATIONS))
    if path.name != f"{cell.cell}.json":
        raise StoreError(f"{path}: holds cell '{cell.cell}', another than its name says")
    return cell


def _quick(data: bytes) -> Cell | None:
    """A cell of the present schema, read in one step; None if that fails, and the slow path then says why."""
    if b"NaN" in data or b"Infinity" in data:
        return None
    try:
        return Cell.model_validate_json(data)
    except ValidationError:
        return None
