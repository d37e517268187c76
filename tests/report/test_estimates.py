"""The table of estimated cycles: a time in words for each artifact, and which ones can't be told apart."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.made.cells import device, make_cell, make_run
from harness.records.cell import Cell, Reason
from harness.report import render
from tests.support.estimate_factory import make_estimate


def estimated(name: str, cycles: int) -> Cell:
    return make_cell(name, "int8", device()).model_copy(update={"estimate": make_estimate(cycles)})


def test_each_artifact_has_its_cycles_its_time_in_words_and_its_doubt(tmp_path: Path) -> None:
    wrong = estimated("mnasnet", 10).model_copy(
        update={"status": "INVALID", "reasons": (Reason(code="throttled", text="hot"),)}
    )
    cells = [estimated("ghostnet", 1_650_000), estimated("squeezenet", 1_500_000), wrong]
    paths = render([make_run(tmp_path, cells)], tmp_path / "out", manifests={})
    with (tmp_path / "out" / "tables" / "estimates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["estimated_cycles"]) for row in rows] == [
        ("squeezenet", "1500000"), ("ghostnet", "1650000"),
    ]  # fmt: skip
    assert rows[0]["time"] == "about 1 ms at 1.5 GHz, an estimate within a factor of two"
    assert [row["doubt"] for row in rows] == ["yes", "can't tell from the lowest"]
    assert paths.index is not None
    page = paths.index.read_text(encoding="utf-8")
    assert "about 1.1 ms at 1.5 GHz, an estimate within a factor of two" in page


def test_a_report_without_estimates_has_no_such_table(tmp_path: Path) -> None:
    render([make_run(tmp_path, [make_cell("squeezenet", "int8", device())])], tmp_path / "out", manifests={})
    assert not (tmp_path / "out" / "tables" / "estimates.csv").exists()
