"""Reports of many boards and of many runs: what they cost grows with their size and no faster."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_run
from benchmarks.made.scale import History, run_on_boards
from harness.report import drawers, history, history_figures, render, render_history
from harness.results import store
from tests.support.reports import digests

#: Twice the size may take so many times as long: between what is linear (2) and what is quadratic (4).
MOST_TIMES = 3.0


def shortest(work: Callable[[], object]) -> float:
    """Seconds of processor time, the least of three."""
    found = []
    for _ in range(3):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def drawn_by(run: Path, out: Path, processes: int) -> dict[str, str]:
    render([run], out, plots=["pareto", "timeline"], processes=processes)
    return digests(out)


def test_figures_are_the_same_with_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process draws all of them: this one takes no task."""
    run = run_on_boards(tmp_path, boards=3, cells=24, rounds=2)
    alone = drawn_by(run, tmp_path / "alone", 1)
    assert len(alone) == 2 * (3 + 3)
    monkeypatch.setattr(drawers, "TASKS_A_PROCESS", 1)
    take = drawers._Share.take
    monkeypatch.setattr(drawers._Share, "take", lambda share, most=None: take(share, most) if most else None)
    assert drawn_by(run, tmp_path / "shared", 2) == alone


@pytest.mark.parametrize("program", ["raise SystemExit", "import os, sys; os.write(int(sys.argv[1]), b'nonsense')"])
def test_a_process_that_fails_costs_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    run = make_run(tmp_path, [make_cell("a"), make_cell("b")])
    alone = drawn_by(run, tmp_path / "alone", 1)
    monkeypatch.setattr(drawers, "TASKS_A_PROCESS", 1)
    monkeypatch.setattr(drawers, "_PROGRAM", program)
    assert drawn_by(run, tmp_path / "shared", 3) == alone


def test_few_figures_are_drawn_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawers, "_feed", None)
    assert drawn_by(make_run(tmp_path, [make_cell()]), tmp_path / "out", 64)


@pytest.mark.slow
def test_twice_the_boards_take_twice_the_time(tmp_path: Path) -> None:
    few, many = (run_on_boards(tmp_path / str(n), boards=n, cells=8 * n, rounds=3) for n in (6, 12))
    plots = ["latency", "rounds", "threads"]
    seconds = [
        shortest(lambda run=run: render([run], tmp_path / "out", plots=plots, formats=["svg"]))  # type: ignore[misc]
        for run in (few, many)
    ]
    assert seconds[1] < MOST_TIMES * seconds[0]


@pytest.mark.slow
@pytest.mark.parametrize("dimension", ["runs", "cells"])
def test_twice_the_history_takes_twice_the_time(tmp_path: Path, dimension: str) -> None:
    seconds = []
    for times in (1, 2):
        results = tmp_path / str(times)
        runs, cells = (40 * times, 12) if dimension == "runs" else (40, 12 * times)
        History(results, cells, runs, rounds=2).write(range(runs))
        folders = store.list_runs(results)
        seconds.append(
            shortest(lambda folders=folders: render_history(folders, tmp_path / "out", formats=["svg"]))  # type: ignore[misc]
        )
    assert seconds[1] < MOST_TIMES * seconds[0]


def test_a_long_history_is_a_small_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of points are one image in each figure, and so few bytes."""
    monkeypatch.setattr(history_figures, "_MOST_POINTS", 100)
    History(tmp_path, cells=10, runs=40, rounds=1).write(range(40))
    paths = render_history(store.list_runs(tmp_path), tmp_path / "out", formats=["svg"])
    assert paths.index is not None
    assert paths.index.stat().st_size < 300_000
    assert b"<image" in paths.figures[0].read_bytes()


def test_a_history_keeps_one_result_of_each_cell_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory doesn't grow with the samples of all runs."""
    made = History(tmp_path, cells=4, runs=6, rounds=1)
    made.write(range(6))
    alive: list[int] = []
    cells: list[weakref.ref[object]] = []
    read = store.read_cell

    def counted(path: Path) -> object:
        gc.collect()
        alive.append(sum(cell() is not None for cell in cells))
        cell = read(path)
        cells.append(weakref.ref(cell))
        return cell

    monkeypatch.setattr(store, "read_cell", counted)
    assert len(history.gather(store.list_runs(tmp_path)).lines) == 4
    assert len(alive) == 24
    assert max(alive) <= 4 + 1
