"""Runs as one Parquet data set for DuckDB, pandas and Spark: one row a cell, in folders by date, board and network.

A run's rows lie in files that bear its name, so adding a run twice leaves the data set as adding it once. The columns
and their types are fixed here: an inferred type would differ between files whose values are all missing.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.core import stats
from harness.core.clock import FRAME_COLUMNS, clock_of
from harness.core.errors import StoreError
from harness.core.files import write_atomic
from harness.core.safetext import slug
from harness.records.cell import Cell
from harness.results import store, table
from harness.results.change import interval


def _series(of: Any) -> Any:
    """The type of a list, by the name that Parquet gives to what is in it."""
    return pa.list_(pa.field("element", of))


#: The type of each kind of column of :func:`harness.results.load`.
_KINDS = {
    "float": pa.float64(),
    "whole": pa.int64(),
    "bool": pa.bool_(),
    "array": _series(pa.int64()),
    "floats": _series(pa.float64()),
}
#: Columns without a kind that don't hold text.
_WHOLE = frozenset({"seed", "fold", "folds", "n", "threads", "model_bytes", "samples"})
_FLAGS = frozenset({"higher_is_better"})
_NUMBERS = frozenset({"labels", "seeds", "persons"})
_TIMES = frozenset({"started", "ended"})
#: The board is the name of a folder.
_IN_FOLDERS = frozenset({"board"})
#: Columns that only the data set has: the interval of the median, in the unit of that median.
_BOUNDS = tuple(f"latency_{end}_{name}" for name in FRAME_COLUMNS for end in ("low", "high"))


def _type(name: str, kind: str) -> Any:
    if kind == "tuple":
        return _series(pa.float64() if name in _NUMBERS else pa.string())
    if name in _TIMES:
        return pa.timestamp("us", tz="UTC")
    if name in _FLAGS:
        return pa.bool_()
    return pa.int64() if name in _WHOLE else _KINDS.get(kind, pa.string())


#: The columns of each file, in order.
SCHEMA = pa.schema([
    *((column.name, _type(column.name, column.kind)) for column in table.COLUMNS if column.name not in _IN_FOLDERS),
    ("samples", pa.int64()),
    *((f"latency_median_{name}", pa.float64()) for name in FRAME_COLUMNS),
    *((name, pa.float64()) for name in _BOUNDS),
])  # fmt: skip


def add_run(run: Path, place: Path) -> list[Path]:
    """Add a run to a data set; returns the files, which replace those of the same run.

    Args:
        run: a run's folder.
        place: the data set's folder; made if it isn't there.

    Raises:
        StoreError: the run can't be read, or the files can't be written.
    """
    info, cells = store.read_run(run), list(store.read_cells(run))
    parts: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        parts.setdefault((_day(cell), slug(cell.device.board), slug(cell.model.name)), []).append(cell)
    name = f"{slug(info.run)}.parquet"
    earlier = set(place.glob(f"run_date=*/board=*/network=*/{name}"))
    files = []
    for (day, board, network), part in sorted(parts.items()):
        path = place / f"run_date={day}" / f"board={board}" / f"network={network}" / name
        write_atomic(path, _parquet(part))
        files.append(path)
    for path in earlier - set(files):
        path.unlink(missing_ok=True)
    return files


def _day(cell: Cell) -> str:
    """The date in UTC on which a cell was measured."""
    return _time(cell.started).date().isoformat() if cell.started else "unknown"


def _time(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise StoreError(f"'{text}' in a cell is no time") from error
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _parquet(cells: Sequence[Cell]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows(cells)), schema=SCHEMA), out, compression="zstd")
    return out.getvalue()


def rows(cells: Iterable[Cell]) -> Iterator[dict[str, Any]]:
    """The values of each cell by column."""
    kept = list(cells)
    frame = table.to_frame(kept, infer=False)
    for cell, values in zip(kept, frame.to_dict("records"), strict=True):
        values["evidence"] = json.dumps(values["evidence"], sort_keys=True)
        yield {name: _plain(name, values.get(name)) for name in SCHEMA.names} | _bounds(cell)


def _plain(name: str, value: Any) -> Any:
    """A value as Arrow takes it: missing numbers are null, which SQL leaves out of means."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if name in _TIMES:
        return _time(value) if value else None
    if isinstance(value, tuple):
        return [float(each) for each in value] if name in _NUMBERS else list(value)
    return value


def _bounds(cell: Cell) -> dict[str, float]:
    """The 95 % interval of a VALID cell's median, in the unit of its clock."""
    if cell.status != "VALID":
        return {}
    try:
        found = interval(cell)
    except stats.TooFewSamplesError:
        return {}
    unit = clock_of(cell.device.emulated, cell.device.clock).frame_column
    return {f"latency_low_{unit}": found.low / 1e6, f"latency_high_{unit}": found.high / 1e6}
