"""The time and memory that a report of 10,000 cells takes, and the size of its page.

It is compared with the simplest alternative: to read the same cells with pandas from Parquet and draw a bare scatter
plot. Both are whole processes, imports included, run alternately. The cells are fabricated. The first report reads
every cell and stores their table (harness/results/table_cache.py); later ones read that table, as pandas reads its
Parquet. Both are printed. Seconds are processor time, so that other programs on the machine do not change them.

    python -m benchmarks.report_10000 [--cells 10000] [--rounds 3]

Exits with 1 if the report takes more than 3 times as long, 1 GiB of memory, or 5 MB of page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.made.cells import device, make_cell, make_run
from harness.results.formats import export

BARE = """
import sys, pandas as pd
from matplotlib.figure import Figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
frame = pd.read_parquet(sys.argv[1])
figure = Figure()
axes = figure.add_subplot()
axes.scatter(frame.latency_median_ms.fillna(frame.latency_median_minstr), frame.accuracy)
FigureCanvasAgg(figure).print_png(sys.argv[2])
"""
REPORT = """
import sys
from pathlib import Path
from harness.report import render
render([Path(sys.argv[1])], Path(sys.argv[2]))
"""
TIMES, MEMORY, PAGE = 3.0, 1 << 30, 5_000_000


def make(folder: Path, count: int) -> Path:
    """A run of fabricated cells: 50 boards, and as many networks in four variants as needed."""
    boards = [device(f"board-{i}", "raspberry-pi-5", emulated=bool(i % 2)) for i in range(50)]
    cells = []
    for i in range(count):
        board, rest = boards[i % 50], i // 50
        variant, network = ("fp32", "fp16", "dynamic", "int8")[rest % 4], rest // 4
        cost = 1 + network % 37
        accuracy = 0.7 + 0.3 * (network % 29) / 29
        name = f"network-{network}" if network else "resvgg19-pruned"  # this one is compared with all others
        cells.append(make_cell(name, variant, board, median_ms=cost, accuracy=accuracy))
    return make_run(folder, cells)


def prepare(results: Path, parquet: Path, count: int) -> None:
    parquet.write_bytes(export(make(results, count), "parquet"))


def timed(code: str, *arguments: Path) -> tuple[float, int]:
    """(seconds of processor time, peak bytes) of a Python process; other programs on the machine don't affect them."""
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, parquet = folder / "results" / "test-run", folder / "cells.parquet"
        # in a separate process, since a child starts with its parent's peak memory
        context = multiprocessing.get_context("spawn")
        maker = context.Process(target=prepare, args=(folder / "results", parquet, asked.cells))
        maker.start()
        maker.join()
        rounds = []
        for _ in range(asked.rounds):
            rounds.append((timed(BARE, parquet, folder / "bare.png"), timed(REPORT, run, folder / "out")))
        page = (folder / "out" / "index.html").stat().st_size
    bare, report = min(b for (b, _), _ in rounds), min(r for _, (r, _) in rounds)
    first = rounds[0][1][0]
    memory = max(m for _, (_, m) in rounds)
    result = {
        "cells": asked.cells, "bare_cpu_s": round(bare, 2), "report_cpu_s": round(report, 2),
        "times": round(report / bare, 2), "first_report_cpu_s": round(first, 2),
        "report_peak_mib": memory >> 20, "bare_peak_mib": max(m for (_, m), _ in rounds) >> 20, "page_bytes": page,
    }  # fmt: skip
    print(json.dumps(result))
    return int(report / bare > TIMES or memory > MEMORY or page > PAGE)


if __name__ == "__main__":
    sys.exit(main())
