"""Exports other tools really open."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.made.cells import device, in_rounds, make_cell, make_run
from harness import results
from harness.core.errors import UsageError
from harness.results.change import middle
from harness.results.formats import export

HERE = device("here", "generic", emulated=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    cells = [make_cell(), make_cell(dev=HERE), make_cell("ghostnet", dev=HERE), make_cell("mnasnet", status="FAILED")]
    return make_run(tmp_path, cells)


def test_csv_has_a_line_a_cell(run: Path) -> None:
    frame = pd.read_csv(io.BytesIO(export(run, "csv")))
    assert len(frame) == 4
    assert frame.latency_median_ms.notna().sum() == frame.p90_early_stopping_ms.notna().sum() == 2
    assert frame.latency_median_minstr.notna().sum() == 1
    assert "latency_ns" not in frame


def test_csv_runs_no_formulas(tmp_path: Path) -> None:
    evil = device(os='=HYPERLINK("http://x")', kernel="@SUM(1)\x1b[31m\nx", python="+1")
    text = export(make_run(tmp_path, [make_cell(dev=evil)]), "csv").decode()
    assert '"\'=HYPERLINK(""http://x"")"' in text
    assert "'@SUM(1)\N{REPLACEMENT CHARACTER}[31m x" in text
    assert ",'+1," in text
    assert "\x1b" not in text


def test_parquet_gives_the_table_back(run: Path) -> None:
    frame = pd.read_parquet(io.BytesIO(export(run, "parquet")))
    original = results.load(run)
    assert list(frame.columns) == list(original.columns)
    for got, want in zip(frame.latency_ns, original.latency_ns, strict=True):
        np.testing.assert_array_equal(got, want)
    assert json.loads(frame.evidence[0]) == original.evidence[0]
    pd.testing.assert_series_equal(frame.accuracy, original.accuracy)


@pytest.mark.parametrize("fmt", ["csv", "parquet", "pytest-benchmark"])
def test_the_same_run_gives_the_same_bytes(run: Path, fmt: str) -> None:
    assert export(run, fmt) == export(run, fmt)


def test_pytest_benchmark_compares_it(run: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("pytest-benchmark")
    found = str(program) if program.exists() else shutil.which("pytest-benchmark")
    assert found, "pytest-benchmark is in the [dev] extra"
    (tmp_path / "run.json").write_bytes(export(run, "pytest-benchmark"))
    done = subprocess.run([found, "compare", "run.json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "here (generic)" in done.stdout
    assert "pi4 (raspberry-pi-4, emulated, 1 ns = 1 instruction)" in done.stdout
    assert "ghostnet int8.tflite litert cpu 1T" in done.stdout
    assert "mnasnet" not in done.stdout


def test_its_statistics_are_pytest_benchmarks_own(run: Path) -> None:
    from pytest_benchmark.stats import Stats

    benchmark = json.loads(export(run, "pytest-benchmark"))["benchmarks"][0]
    theirs = Stats()
    for value in benchmark["stats"]["data"]:
        theirs.update(value)
    for name in ("min", "max", "mean", "stddev", "median", "rounds", "total", "ops"):
        assert benchmark["stats"][name] == pytest.approx(getattr(theirs, name)), name


def test_its_median_is_the_one_that_tables_show(tmp_path: Path) -> None:
    cell = in_rounds(make_cell(dev=device("here", "generic", emulated=False)), apart=0.2)
    benchmark = json.loads(export(make_run(tmp_path, [cell]), "pytest-benchmark"))["benchmarks"][0]
    assert benchmark["stats"]["median"] == pytest.approx(middle(cell) / 1e9)


def test_other_formats_are_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="one of: csv, parquet, pytest-benchmark"):
        export(run, "xlsx")
