"""What a run shows while it works."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.made.cells import device, in_rounds, make_cell
from harness.cli.live import LiveWatcher, PlainWatcher, Progress, eta_s, figure
from harness.config.devices import parse
from harness.core import stats
from harness.records.cell import Reason
from harness.results.change import middle
from harness.run.inventory import Shipped
from harness.run.plan import CellJob, Plan
from tests.support.manifests import ARTIFACT, MANIFEST

DEVICE = parse("devices: [{name: pi, board: generic, host: h}]").devices[0]


def job(number: int) -> CellJob:
    return CellJob(
        cell=f"c{number}",
        device=DEVICE,
        shipped=Shipped(MANIFEST, ARTIFACT, Path("x")),
        runtime="litert",
        delegate="cpu",
        threads=1,
        samples=None,
    )


def test_time_left() -> None:
    assert eta_s(10, 0, 5) == 0
    assert eta_s(10, 2, 5) == 15
    assert eta_s(10, 5, 3) == 0


def test_progress_counts_rounds() -> None:
    progress = Progress(Plan({"pi": [job(1), job(2)], "other": []}, rounds={"pi": 3, "other": 5}))
    assert (progress.done, progress.total) == (0, 6)
    for number, done in ((1, 0), (2, 1), (2, 2), (1, 3), (2, 4)):
        progress.started(job(number))
        assert progress.done == done
    progress.ended(job(2))
    progress.started(job(1))
    progress.ended(job(1))
    assert progress.done == 6
    progress.ended(job(1))  # measured again at the end
    assert progress.done == 6


def test_the_median_is_the_one_that_tables_show() -> None:
    cell = in_rounds(make_cell("net", "int8", device("pi", emulated=False)), apart=0.2)
    assert middle(cell) != pytest.approx(stats.median(cell.latency_ns), rel=1e-3)
    assert f"median {middle(cell) / 1e6:.3f} ms" in figure(cell)


def test_units_follow_the_clock() -> None:
    wall = make_cell("net", "int8", device("pi", emulated=False))
    assert " ms, accuracy" in figure(wall)
    counted = wall.model_copy(update={"device": wall.device.model_copy(update={"clock": "instructions"})})
    assert "M instructions" in figure(counted)
    assert " ms" not in figure(counted)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = PlainWatcher()
    watcher.planned(Plan({"pi": [job(1), job(2)]}, [Reason(code="left-out", text="pi: big: too slow")]))
    watcher.device("pi", "hello\x1b[2J")
    watcher.cell_ended(job(1), make_cell("net", "int8", device("pi", emulated=False)))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2 cells on 1 devices" in shown.err
    assert "left out: pi: big: too slow" in shown.err
    assert "\x1b" not in shown.err
    assert "[1/2" in shown.err


def test_the_live_table() -> None:
    watcher = LiveWatcher()
    watcher.planned(Plan({"pi": [job(1), job(2)], "other": []}))
    watcher.device("pi", "booting [bold]x[/bold]\x1b[2J")
    watcher.cell_started(job(1))
    console = Console(file=io.StringIO(), width=100)
    console.print(watcher._table())
    assert "0/2*" in console.file.getvalue()  # type: ignore[attr-defined]
    watcher.cell_ended(job(1), make_cell("net", "int8", device("pi", emulated=False)))
    watcher.cell_ended(job(2), make_cell("net", "int8", device("pi", emulated=False), status="FAILED"))
    console.print(watcher._table())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2/2 1 FAILED" in shown
    assert "2 of 2 cells" in shown
    assert "\x1b" not in shown
