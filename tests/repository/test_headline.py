"""The headline's verdict: best against best, and nothing missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.headline import bests, judge
from benchmarks.made.cells import device, make_cell
from harness.results import to_frame
from tests.conftest import MODELS, REPOSITORY

HERE = device("here", "generic", emulated=False)


def test_the_best_variant_of_each_stands_for_it() -> None:
    cells = [make_cell("mobilenet-v2", v, HERE, median_ms=ms) for v, ms in (("fp32", 2.0), ("int8", 1.0))]
    cells.append(make_cell("mobilenet-v2", "dynamic", HERE, median_ms=0.1, status="INVALID"))
    cells.append(make_cell("mobilenet-v2", "fp16", HERE, median_ms=0.1, threads=2))
    assert bests(to_frame(cells))["here"]["mobilenet-v2"].variant == "int8"


def test_rounds_of_a_cell_count_together() -> None:
    cells = [
        make_cell("mobilenet-v2", "int8", HERE, run=f"r{k}", seed=k, started=f"2026-11-22T20:0{k}:00Z") for k in (2, 1)
    ]
    samples = bests(to_frame(cells))["here"]["mobilenet-v2"].samples
    assert samples.tolist() == [*cells[1].latency_ns, *cells[0].latency_ns]


@pytest.mark.parametrize(("ours", "against"), [(0.9, 0), (1.1, 1)])
def test_one_slower_device_is_enough_to_fail(ours: float, against: int) -> None:
    cells = [make_cell("resvgg19-pruned", "int8", d, median_ms=ms) for d, ms in ((HERE, 0.5), (device(), ours))]
    cells += [make_cell("mobilenet-v2", "int8", d, median_ms=1.0) for d in (HERE, device())]
    rows, said = judge(to_frame(cells), ["mobilenet-v2"])
    assert len(rows) == 2
    assert len(said) == against
    if against:
        assert said[0].startswith("pi4: resvgg19-pruned int8 takes 1.1")


def test_a_missing_rival_is_no_win() -> None:
    cells = [make_cell("resvgg19-pruned", "int8", HERE, median_ms=0.5)]
    _, said = judge(to_frame(cells), ["mobilenet-v2"])
    assert said == ["here: no VALID cell of mobilenet-v2"]


@pytest.mark.soak
def test_measures_here(cache: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.headline", "--models", str(MODELS), "--rounds", "1", "--boards", ""]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=900, check=False)
    assert "| here (ms) |" in done.stdout, done.stderr[-2000:]
    assert done.returncode == 0, done.stdout
