"""A comparison as Markdown for GitHub, as Bencher's JSON, and as a badge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.made.cells import device, in_rounds, make_cell, make_run, matrix
from harness.cli.app import app
from harness.records.cell import Cell
from harness.results.compare import Comparison, compare
from harness.results.comparison_formats import badge, bmf, github
from harness.results.comparison_formats.registry import FORMATS

HERE = device("here", "generic", emulated=False)


def slower(cell: Cell, factor: float) -> Cell:
    return cell.model_copy(update={"latency_ns": tuple(round(x * factor) for x in cell.latency_ns)})


def pair(tmp_path: Path, a: list[Cell], b: list[Cell], **options: Any) -> Comparison:
    return compare(make_run(tmp_path, a, name="a"), make_run(tmp_path, b, name="b"), **options)


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    fields = [[field.strip() for field in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in fields if row[1] != "cell"]


def test_what_got_slower_is_the_first_row_and_has_its_intervals(tmp_path: Path) -> None:
    cells = matrix(2, 2)
    found = pair(tmp_path, cells, [*cells[:-1], slower(cells[-1], 1.1)], gate=0.05)
    first = rows(github.rendered(found))[0]
    assert first[0] == "**slower**"
    assert first[1].replace("\\", "") == cells[-1].cell
    assert re.fullmatch(r"\+10\.0% \[\+(9|10)\.\d%, \+10\.\d%\]", first[4])
    assert re.fullmatch(r"[\d.]+ \[[\d.]+, [\d.]+\] M instr\.", first[2])


def test_twenty_rows_are_shown_and_the_others_folded(tmp_path: Path) -> None:
    cells = matrix(6, 5)
    markdown = github.rendered(pair(tmp_path, cells, cells))
    shown, folded = markdown.split("<details>", 1)
    assert len(rows(shown)) == 20
    assert f"<summary>{len(cells) - 20} more cells</summary>" in folded
    assert len(rows(folded)) == len(cells) - 20


def test_a_comment_is_never_longer_than_github_takes(tmp_path: Path) -> None:
    cells = [make_cell(model=f"net-{number}-{'x' * 60}") for number in range(400)]
    found = pair(tmp_path, cells, [slower(cell, 1.2) for cell in cells], gate=0.05)
    markdown = github.rendered(found)
    assert len(markdown) < 65_536
    assert "further cells are not shown" in markdown
    assert "and 380 more" in markdown


def test_names_hold_no_markup_and_notify_nobody(tmp_path: Path) -> None:
    cells = [make_cell()]
    found = pair(tmp_path, cells, cells)
    hostile = Comparison(**{**found.__dict__, "b": "x|y<img src=x>@octocat `a`\n# big"})
    markdown = github.rendered(hostile)
    line = markdown.splitlines()[2]
    assert "@octocat" not in line
    assert re.search(r"(?<![\\&])[<>|`#]", line) is None
    assert "\n# big" not in markdown


def test_bencher_gets_latency_in_nanoseconds_and_counts_as_another_measure(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), in_rounds(make_cell("ghostnet", dev=HERE), apart=0.002)]
    document = json.loads(bmf.rendered(pair(tmp_path, cells, cells)))
    counted, timed = (document[cell.cell] for cell in cells)
    assert set(counted) == {"instructions", "accuracy"}
    assert set(timed) == {"latency", "accuracy"}
    latency = timed["latency"]
    assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]
    assert latency["value"] == pytest.approx(sorted(cells[1].latency_ns)[len(cells[1].latency_ns) // 2], rel=0.01)
    assert 0 <= timed["accuracy"]["value"] <= 1


def test_what_was_refused_is_no_metric(tmp_path: Path) -> None:
    cells = [make_cell(status="FAILED")]
    assert json.loads(bmf.rendered(pair(tmp_path, cells, cells))) == {}


@pytest.mark.parametrize(
    ("factor", "gate", "message", "color"),
    [
        (1.0, 0.05, "1 unchanged", "brightgreen"),
        (1.2, 0.05, "1 regression", "red"),
        (1.2, None, "1 of 1 slower", "orange"),
        (0.8, None, "1 of 1 faster", "brightgreen"),
    ],
)
def test_a_badge_says_the_worst(tmp_path: Path, factor: float, gate: float | None, message: str, color: str) -> None:
    cell = make_cell()
    document = json.loads(badge.rendered(pair(tmp_path, [cell], [slower(cell, factor)], gate=gate)))
    assert document == {"schemaVersion": 1, "label": "benchmark", "message": message, "color": color}


@pytest.mark.parametrize("form", FORMATS)
def test_each_form_is_printed_by_the_command(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    cells = matrix(2, 2)
    for name in ("a", "b"):
        make_run(tmp_path, cells, name=name)
    done = CliRunner().invoke(app, ["compare", "a", "b", "--results", str(tmp_path), "--format", form])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()
    if form == "github":
        assert (tmp_path / "summary.md").read_text(encoding="utf-8").strip() == done.stdout.strip()
    else:
        assert not (tmp_path / "summary.md").exists()
