"""A report of other networks alone has no word of ours, of rivals or of a paper."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_manifest, make_run
from harness.records.cell import Cell
from harness.report import render, render_comparison, render_history
from harness.report.gather import gather
from harness.report.registry import focus_on
from harness.results.compare import compare

WORDS = re.compile(r"\b(our|ours|rivals?|claims?|paper|popular|resvgg19|CK\+)(?![\w-])", re.IGNORECASE)
NETWORKS = ("mobilenet-v2", "squeezenet", "squeezenet-pruned")


def cells(scale: float = 1.0) -> list[Cell]:
    here = device("here", "generic", emulated=False)
    measured = [
        make_cell(name, variant, dev, median_ms=scale * (number + 2) * (1.5 if variant == "fp32" else 1))
        for number, name in enumerate(NETWORKS)
        for variant in ("fp32", "int8")
        for dev in (device(), here)
    ]
    return [*measured, make_cell("mobilenet-v2", "fp16", status="FAILED")]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others")
    runs = [make_run(folder, cells(scale), name=name) for name, scale in (("before", 1.0), ("after", 1.2))]
    render(runs[:1], folder / "out", manifests={name: make_manifest(name) for name in NETWORKS})
    render_comparison(compare(*runs, 0.05), folder / "out")
    render_history(runs, folder / "out")
    return folder / "out"


@pytest.mark.parametrize("kind", ["html", "svg", "csv", "md"])
def test_no_word_of_ours(out: Path, kind: str) -> None:
    paths = sorted(out.rglob(f"*.{kind}"))
    assert paths
    for path in paths:
        assert not (found := WORDS.search(path.read_text())), f"{path.name}: {found}"


def test_what_is_there_is_whole(out: Path) -> None:
    tables = {path.stem for path in (out / "tables").glob("*.csv")}
    assert tables == {
        "accuracy", "agreement", "artifacts", "boards", "cells", "compare", "history", "networks", "not-valid",
        "ranking", "recall", "skipped", "steps", "winners", "zeroed",
    }  # fmt: skip
    assert {path.name for path in out.glob("*.html")} == {"index.html", "compare.html", "history.html"}
    with (out / "tables" / "cells.csv").open() as file:
        assert "role" not in next(csv.reader(file))
    page = (out / "index.html").read_text()
    assert "Zeroing weights instead of removing channels" in page
    assert "The images are made up, so accuracies here say nothing about real images" in page
    figures = {path.stem for path in (out / "figures").glob("*.svg")}
    assert {"pareto-real-here", "chain-squeezenet", "chain-measured-real-here"} <= figures


def test_a_pruned_form_stands_on_the_same_frontier(tmp_path: Path) -> None:
    data = gather([make_run(tmp_path, cells())], {})
    assert set(data.cells.role) == {""}
    assert data.focus is None


def test_ours_in_a_run_brings_it_all_back() -> None:
    assert focus_on(NETWORKS) is None
    assert focus_on(["vgg19"]) is None
    focus = focus_on([*NETWORKS, "resvgg19"])
    assert focus is not None
    assert focus.network == "resvgg19-pruned"


def test_pages_of_an_earlier_report_that_do_not_apply_are_removed(tmp_path: Path) -> None:
    ours = make_run(tmp_path / "results", [make_cell("resvgg19-pruned"), make_cell("squeezenet")], name="ours")
    theirs = make_run(tmp_path / "results", [make_cell("mobilenet-v2"), make_cell("squeezenet")], name="theirs")
    render([ours], tmp_path / "out", formats=("svg",))
    assert (tmp_path / "out" / "claims.html").exists()
    render([theirs], tmp_path / "out", formats=("svg",))
    assert not (tmp_path / "out" / "claims.html").exists()
