"""A cache for the table of a run with many cells, which loads several times as fast as the cells.

``<run>/.cells.npz`` holds the columns of :func:`harness.results.to_frame`, and a fingerprint of all cell files: name,
size, inode, and times of modification and of change. The cache is used only if the fingerprint matches. A file that is
changed, replaced, added, removed or copied changes the fingerprint, so the cache can't differ from the cells. It may be
deleted at any time. It holds no code: its format is NumPy's own, without pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import from_json

from harness import __version__
from harness.core.errors import StoreError
from harness.core.files import write_atomic
from harness.records import base, cell, golden, samples
from harness.results import columns, jsonfile, quality, store, table

NAME = ".cells.npz"
#: The fewest cells for which a cache is worth its file.
FEWEST = 1000
#: A file that changed less than this before it was read may change again within one tick of the file system's clock.
SETTLED_NS = 2_000_000_000


def frame_of(run_dir: Path) -> tuple[pd.DataFrame, list[store.BadFile]]:
    """The table of a run (``infer=False``), and its unreadable files.

    ``evidence`` is JSON text if the table comes from the cache, and an object otherwise.
    """
    mark, newest_ns = _fingerprint(run_dir)
    if mark and (cached := _load(run_dir / NAME, mark)) is not None:
        return cached, []
    cells, bad = store.scan_cells(run_dir)
    frame = table.to_frame(cells, infer=False)
    if mark and not bad and newest_ns < time.time_ns() - SETTLED_NS and mark == _fingerprint(run_dir)[0]:
        with contextlib.suppress(StoreError):  # a read-only folder: the cells are read again next time
            write_atomic(run_dir / NAME, _dump(frame, mark))
    return frame, bad


def _fingerprint(run_dir: Path) -> tuple[str, int]:
    """(hash over the state of all cell files, time of the last change in ns); ("", 0) for few cells."""
    try:
        with os.scandir(run_dir / "cells") as entries:
            files = sorted((entry.name, entry.stat(follow_symlinks=True)) for entry in entries)
    except OSError:
        return "", 0
    if len(files) < FEWEST:
        return "", 0
    file_states = [(name, s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in files]
    modules = (base, cell, golden, samples, table, columns, quality, store, jsonfile)
    code = [Path(module.__file__ or "").stat().st_mtime_ns for module in modules]
    made_by = (__version__, pd.__version__, code)
    return hashlib.sha256(repr((made_by, file_states)).encode()).hexdigest(), max(s.st_ctime_ns for _, s in files)


def _dump(frame: pd.DataFrame, mark: str) -> bytes:
    parts: dict[str, Any] = {}
    texts: dict[str, list[object]] = {}
    for name in frame.columns:
        values = frame[name].tolist()
        if name in table.ARRAYS:
            flat = np.concatenate([*values, np.array([], dtype=_dtype(name))])
            parts[f"flat {name}"] = flat if name in table.FLOAT_ARRAYS else _small(flat)
            parts[f"sizes {name}"] = _small(np.array([value.size for value in values]))
        elif frame[name].dtype != object:
            parts[f"plain {name}"] = frame[name].to_numpy()
        else:
            if name == "evidence":
                values = [json.dumps(value) for value in values]
            places: dict[object, int] = {}
            parts[f"index {name}"] = _small(np.array([places.setdefault(value, len(places)) for value in values]))
            texts[name] = list(places)
    parts["texts"] = np.frombuffer(json.dumps([mark, list(frame.columns), texts]).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **parts)
    return out.getvalue()


def _dtype(name: str) -> type:
    return np.float64 if name in table.FLOAT_ARRAYS else np.int64


def _small(values: table.IntArray) -> Any:
    """The same integers in the smallest type that holds the lowest and the highest."""
    return (
        values.astype(np.result_type(*map(np.min_scalar_type, (values.min(), values.max())))) if values.size else values
    )


def _load(path: Path, mark: str) -> pd.DataFrame | None:
    """The cached table; None if it is missing, damaged, or has another fingerprint."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as parts:
            stored_mark, names, texts = from_json(parts["texts"].tobytes())
            if stored_mark != mark:
                return None
            return pd.DataFrame({name: _column(name, parts, texts) for name in names})
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _column(name: str, parts: Any, texts: dict[str, list[Any]]) -> Any:
    if name in table.ARRAYS:
        ends = np.cumsum(parts[f"sizes {name}"], dtype=np.int64)[:-1]
        return pd.Series(np.split(parts[f"flat {name}"].astype(_dtype(name)), ends), dtype=object)
    if name not in texts:
        return parts[f"plain {name}"]
    values: Sequence[Any] = [tuple(value) for value in texts[name]] if name in table.TUPLES else texts[name]
    return pd.Series([values[place] for place in parts[f"index {name}"].tolist()], dtype=object)
