"""The time and memory that reports of a large lab take: of many boards, and of many runs.

    python -m benchmarks.report_scale boards [--boards 50] [--cells 2000] [--rounds 5] [--limit 60]
    python -m benchmarks.report_scale history [--runs 125,250,500] [--cells 200] [--rounds 5]

Each report is the command that people give, as a process of its own. ``boards`` makes the page twice (the first report
of a run reads every cell, the second one a table kept beside them), and then draws each figure of every board by name,
as SVG and PNG. ``history`` makes the page of all runs, of more and more of them. All cells are fabricated
(benchmarks/made/scale.py).

Memory is that of the largest process. Exits with 1 if ``boards`` takes longer than ``--limit`` for anything, or if a
cell in the longest ``history`` takes more than 1.5 times the time of one in the shortest, or memory grows faster than
the number of cells.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MOST_TIMES = 1.5


@dataclass(frozen=True)
class Cost:
    """What a command took; ``memory`` is the largest process's, in bytes."""

    seconds: float
    processor: float
    memory: int

    @property
    def texts(self) -> tuple[str, str, str]:
        return f"{self.seconds:.1f}", f"{self.processor:.1f}", f"{self.memory / 2**20:.0f}"


_TOOK = ("seconds", "of a processor", "MiB")


def timed(*words: str | Path) -> Cost:
    """What ``harness report`` with these words takes."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "harness", "report", *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"harness report ended with {process.returncode}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def boards(options: argparse.Namespace, folder: Path) -> bool:
    results, out = folder / "results", folder / "out"
    in_process(make_run, results, options)
    asked = ("--results", results, "--out", out)
    names = "from harness.report.figures import PLOTS; print(*PLOTS, sep=',')"
    child = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, encoding="utf-8", check=True)
    every = child.stdout.strip()
    time.sleep(2.5)  # a table is only kept of cells that have settled
    costs = {
        "the page, first": timed(*asked),
        "the page, again": timed(*asked),
        "every figure of every board": timed(*asked, "--plot", every),
    }
    drawn = len(list((out / "figures").glob("*.svg")))
    print(f"{options.cells} cells on {options.boards} boards, {options.rounds} rounds; {drawn} figures in all")
    table(("report", *_TOOK), [(what, *cost.texts) for what, cost in costs.items()])
    return all(cost.seconds <= options.limit for cost in costs.values())


def history(options: argparse.Namespace, folder: Path) -> bool:
    counts = [int(count) for count in options.runs.split(",")]
    rows, costs, written = [], [], 0
    for count in counts:
        in_process(write_history, folder / "results", options, range(written, count))
        written = count
        cost = timed("--history", "--results", folder / "results", "--out", folder / "out")
        cells = count * options.cells
        rows.append((count, cells, *cost.texts, f"{cost.seconds / cells * 1e3:.2f}"))
        costs.append((cells, cost))
    table(("runs", "cells", *_TOOK, "ms a cell"), rows)
    (few, short), (many, long) = costs[0], costs[-1]
    times = many / few
    return long.seconds <= _MOST_TIMES * times * short.seconds and long.memory <= times * short.memory


def make_run(results: Path, options: argparse.Namespace) -> None:
    from benchmarks.made.scale import run_on_boards

    run_on_boards(results, options.boards, options.cells, options.rounds)


def write_history(results: Path, options: argparse.Namespace, numbers: range) -> None:
    from benchmarks.made.scale import History

    History(results, options.cells, max(map(int, options.runs.split(","))), options.rounds).write(numbers)


def in_process(make: Callable[..., None], *arguments: object) -> None:
    """Call it in a process of its own, to keep this one small: a child begins with its parent's peak of memory."""
    process = multiprocessing.get_context("spawn").Process(target=make, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"the results could not be made: {process.exitcode}")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(map(str, row)) + " |")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_boards, of_runs = kinds.add_parser("boards"), kinds.add_parser("history")
    of_boards.add_argument("--boards", type=int, default=50)
    of_boards.add_argument("--cells", type=int, default=2000)
    of_boards.add_argument("--limit", type=float, default=60.0, help="seconds")
    of_runs.add_argument("--runs", default="125,250,500")
    of_runs.add_argument("--cells", type=int, default=200, help="of a run")
    for each in (of_boards, of_runs):
        each.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        good = (boards if options.kind == "boards" else history)(options, Path(name))
    print("as promised" if good else "NOT as promised")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
