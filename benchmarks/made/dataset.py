"""A made-up data set of many cells, in the form of ``harness export --format dataset``."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.results.dataset import SCHEMA

BOARDS = tuple(f"board-{number}" for number in range(10))
NETWORKS = ("resvgg19-pruned", *(f"network-{number}" for number in range(9)))
DAYS = 10


def write(place: Path, cells: int, seed: int = 0) -> None:
    """Write about that many cells: one file for each day, board and network."""
    chance = np.random.default_rng(seed)
    each = max(1, cells // (DAYS * len(BOARDS) * len(NETWORKS)))
    for day, board, network in itertools.product(range(DAYS), BOARDS, NETWORKS):
        date = dt.date(2026, 1, 1) + dt.timedelta(days=day)
        path = place / f"run_date={date.isoformat()}" / f"board={board}" / f"network={network}"
        path.mkdir(parents=True, exist_ok=True)
        pq.write_table(_part(chance, each, date, board, network), path / f"run-{day}.parquet", compression="zstd")


def _part(chance: np.random.Generator, count: int, date: dt.date, board: str, network: str) -> Any:
    """The cells of one file. Columns that no question asks for are missing in all rows."""
    middle = np.exp(chance.normal(0, 0.3, count)) * (1 + NETWORKS.index(network)) * (1 + BOARDS.index(board))
    valid = chance.random(count) < 0.95
    started = dt.datetime.combine(date, dt.time(), dt.UTC)
    half = middle * chance.uniform(0.001, 0.05, count)
    columns: dict[str, Any] = {
        "run": [f"run-{date.isoformat()}"] * count,
        "status": np.where(valid, "VALID", "INVALID").tolist(),
        "reasons": [[] if ok else ["throttled: the clock fell"] for ok in valid],
        "device": [f"{board}-{number % 5}" for number in range(count)],
        "clock": ["wall"] * count,
        "model": [network] * count,
        "variant": chance.choice(["fp32", "fp16", "dynamic", "int8"], count).tolist(),
        "format": ["tflite"] * count,
        "threads": chance.choice([1, 2, 4], count),
        "runtime": ["litert"] * count,
        "runtime_version": chance.choice(["2.1.0", "2.3.0"], count).tolist(),
        "accuracy": chance.uniform(0.9, 1.0, count),
        "reference_accuracy": chance.uniform(0.9, 1.0, count),
        "peak_rss_bytes": chance.uniform(2e7, 3e7, count) * (1 + NETWORKS.index(network)),
        "started": [started + dt.timedelta(seconds=number) for number in range(count)],
        "latency_median_ms": middle,
        "latency_low_ms": middle - half,
        "latency_high_ms": middle + half,
    }
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
