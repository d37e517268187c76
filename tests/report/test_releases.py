"""The page of releases: what became faster, slower, or answers otherwise, and which reports have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.cells import device, in_rounds, make_cell, make_run
from harness.records.cell import Cell, Reason, cell_id
from harness.report import render
from harness.report.gather import gather
from harness.report.releases import series, several
from harness.results.compare import compare
from tests.support.reports import HERE, few, rows


def on(version: str, dev: Any = None, *, named: bool = True, **changes: Any) -> Cell:
    """A cell of one release."""
    cell = make_cell("mobilenet-v2", "int8", dev or device(), **changes)
    part = f"litert-{version}" if named else "litert"
    name = cell_id(
        device=cell.device.name, model="mobilenet-v2", variant="int8", fmt="tflite", runtime=part, delegate="cpu",
        threads=1, split="random-0123abcd",
    )  # fmt: skip
    return cell.model_copy(update={"cell": name, "runtime": cell.runtime.model_copy(update={"version": version})})


def otherwise(cell: Cell, count: int) -> Cell:
    """The cell with so many other answers."""
    answers = tuple((p + 1) % 7 if i < count else p for i, p in enumerate(cell.predictions))
    return cell.model_copy(update={"predictions": answers})


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    cells = [on("2.10.0", median_ms=8), on("2.9.0", median_ms=10), otherwise(on("2.11.0", median_ms=8), 3)]
    broken = on("2.12.0", status="INVALID").model_copy(
        update={"reasons": (Reason(code="outputs-differ", text="too far"),)}
    )
    return make_run(tmp_path, [*cells, broken])


def test_the_oldest_comes_first_and_each_is_held_against_the_one_before(counted: Path) -> None:
    (steps,) = series(gather([counted]))
    assert [step.release for step in steps] == ["2.9.0", "2.10.0", "2.11.0", "2.12.0"]
    assert [step.verdict for step in steps] == ["", "faster", "same", "INVALID: outputs-differ"]
    assert [step.answers for step in steps[1:3]] == ["same classes", "3 of 99 classes differ"]
    assert steps[2].total is not None
    assert steps[2].total.value == pytest.approx(0.8, rel=0.01)


def test_the_report_has_table_figure_and_piece_of_the_page(counted: Path, tmp_path: Path) -> None:
    render([counted], tmp_path / "out")
    table = rows(tmp_path / "out" / "tables" / "releases.csv")
    assert [row["release"] for row in table] == ["2.9.0", "2.10.0", "2.11.0", "2.12.0"]
    assert float(table[1]["change_percent"]) == pytest.approx(-20, abs=0.5)
    assert list((tmp_path / "out" / "figures").glob("releases-emulated-*.svg"))
    page = (tmp_path / "out" / "index.html").read_text()
    assert 'id="s-releases"' in page
    assert "1 faster, 0 slower, 1 the same" in page
    named = {row["runtime_version"] for row in rows(tmp_path / "out" / "tables" / "cells.csv")}
    assert named == {"2.9.0", "2.10.0", "2.11.0", "2.12.0"}


def test_one_release_has_no_such_page(tmp_path: Path) -> None:
    run = make_run(tmp_path, few())
    assert not several(gather([run]))
    render([run], tmp_path / "out")
    assert not (tmp_path / "out" / "tables" / "releases.csv").exists()
    assert "runtime_version" not in rows(tmp_path / "out" / "tables" / "cells.csv")[0]
    assert "s-releases" not in (tmp_path / "out" / "index.html").read_text()


def test_two_boards_with_a_release_each_are_no_comparison(tmp_path: Path) -> None:
    cells = [on("2.1.0", named=False), on("2.3.0", device("nano", "jetson-nano"), named=False)]
    assert not several(gather([make_run(tmp_path, cells)]))


def test_labels_tell_releases_apart(counted: Path) -> None:
    labels = list(gather([counted]).cells.label)
    assert labels == [f"mobilenet-v2 int8 litert 2.{minor}.0" for minor in (9, 10, 11, 12)]


def test_on_the_wall_clock_rounds_decide(tmp_path: Path) -> None:
    quiet = [in_rounds(on("1.0.0", HERE, median_ms=10), 5), in_rounds(on("2.0.0", HERE, median_ms=13), 5)]
    (steps,) = series(gather([make_run(tmp_path / "a", quiet)]))
    assert steps[1].verdict == "slower"
    single = [on("1.0.0", HERE, median_ms=10), on("2.0.0", HERE, median_ms=13)]
    (steps,) = series(gather([make_run(tmp_path / "b", single)]))
    assert steps[1].verdict == "can't tell"


def test_two_runs_on_the_wall_clock_are_not_compared(tmp_path: Path) -> None:
    """The machine may have changed between them, and the table of cells has no canary."""
    runs = [
        make_run(tmp_path, [in_rounds(on(version, HERE, run=name), 5)], name=name)
        for name, version in (("a", "1.0.0"), ("b", "2.0.0"))
    ]
    (steps,) = series(gather(runs))
    assert steps[1].verdict == "refused"


def test_releases_are_compared_with_releases_of_the_same_runtime(tmp_path: Path) -> None:
    """And the pairs don't depend on the order of files."""
    before = make_run(tmp_path, [on("1.0.0", run="a")], name="a")
    after = make_run(tmp_path, [on("2.0.0", run="b", median_ms=20)], name="b")
    (pair,) = compare(before, after).pairs
    assert pair.refused == ("other runtime version: 1.0.0 and 2.0.0",)
    (pair,) = compare(before, after, allow=["runtime"]).pairs
    assert pair.verdict == "slower"
