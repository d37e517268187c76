"""Reports: the same bytes from the same results, nothing shown that was not measured, hostile boards harmless."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.made.cells import device, in_rounds, make_cell, make_manifest, make_run
from harness.core.errors import ReportError, UsageError
from harness.records.cell import Cell, Reason
from harness.report import render, render_comparison, render_history
from harness.report.gather import gather
from harness.report.summary import summarise
from harness.report.tables import build
from harness.results.compare import compare
from tests.support.reports import EVIL, Scripts, digests, few, rows


def stored(results: Path, cells: list[Cell] | None = None, **changes: object) -> Path:
    run = make_run(results, few() if cells is None else cells, **changes)  # type: ignore[arg-type]
    (run / "manifests").mkdir()
    (run / "manifests" / "resvgg19-pruned.json").write_text(make_manifest().model_dump_json())
    return run


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    skipped = (Reason(code="too-big", text="resvgg19 fp32 is left out of nano: 80 MB"),)
    render([stored(out / "results", skipped=skipped)], out / "reports")
    return out / "reports"


def test_the_same_results_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(report.parent / "results", moved)
    render([moved / "test-run"], tmp_path / "again")
    assert digests(tmp_path / "again") == digests(report)


def test_every_kind_of_file_is_there(report: Path) -> None:
    names = set(digests(report))
    assert {"index.html", "claims.html", "tables/cells.csv", "tables/cells.md", "tables/winners.csv"} <= names
    for plot in ("pareto-real-here", "latency-emulated-pi4-emulated", "distribution-real-here", "chain-resvgg19-pruned",
                 "size", "memory-real-here", "recall-1"):  # fmt: skip
        assert {f"figures/{plot}.svg", f"figures/{plot}.png"} <= names, plot


def test_nothing_dates_or_places_a_file(report: Path) -> None:
    for path in report.rglob("*.svg"):
        text = path.read_text()
        assert "<dc:date>" not in text
        assert "Matplotlib v" not in text.split("<defs>")[0]
    for path in report.rglob("*.png"):
        assert b"Software" not in path.read_bytes()[:400]
    page = (report / "index.html").read_text()
    assert str(report.parent) not in page


def test_milliseconds_and_instructions_have_columns_of_their_own(report: Path) -> None:
    for row in rows(report / "tables" / "cells.csv"):
        counted, timed = row["median_million_instructions"], row["median_ms"]
        if row["status"] != "VALID":
            assert (counted, timed, row["accuracy_percent"]) == ("", "", "")
        else:
            assert bool(counted) == (row["clock"] == "instructions") != bool(timed)
            assert row["emulated"] == ("true" if counted else "false")


def test_real_and_emulated_boards_share_no_figure(report: Path) -> None:
    for path in (report / "figures").glob("*-emulated-*.svg"):
        texts = re.findall(r"<!-- (.*?) -->", path.read_text())
        assert any("(emulated)" in text for text in texts), path.name
        assert not any(re.search(r"\bms\b", text) for text in texts), path.name
    for path in (report / "figures").glob("*-real-*.svg"):
        texts = re.findall(r"<!-- (.*?) -->", path.read_text())
        assert not any("emulated" in text or "instruction" in text for text in texts), path.name


def test_what_is_not_valid_is_listed_with_its_reasons(report: Path) -> None:
    found = {row["status"]: row for row in rows(report / "tables" / "not-valid.csv")}
    assert found.keys() == {"INVALID", "FAILED"}
    assert found["INVALID"]["reasons"] == "throttled: made up: the board throttled"
    page = (report / "index.html").read_text()
    assert "made up: the board throttled" in page
    assert "resvgg19 fp32 is left out of nano: 80 MB" in page


def test_the_page_says_what_the_numbers_are(report: Path) -> None:
    for name in ("index.html", "claims.html"):
        page = (report / name).read_text()
        assert "Synthetic data." in page
        assert "Emulated boards." in page
    index = (report / "index.html").read_text()
    assert "The random split leaks:" in index
    assert "60 test images show a person" in index
    assert "80.0 (79.0 to 81.0)" in index  # the subject-disjoint accuracy from the manifest
    assert "gave the same\n99 predictions on all of them" in index


def test_the_pick_is_the_fastest_of_the_most_accurate(report: Path) -> None:
    found = {row["device"]: row for row in rows(report / "tables" / "winners.csv")}
    assert found.keys() == {"here", "pi4"}
    assert found["here"]["pick"].startswith("resvgg19-pruned")
    assert found["here"]["pick_million_instructions"] == ""
    assert float(found["pi4"]["pick_million_instructions"]) == pytest.approx(3.9, rel=0.01)


def test_boards_that_disagree_are_named(tmp_path: Path) -> None:
    a, b = make_cell(), make_cell(dev=device("nano", "jetson-nano"))
    other = (*b.predictions[:-1], (b.predictions[-1] + 1) % 7)
    run = make_run(tmp_path, [a, b.model_copy(update={"predictions": other})])
    found = rows_of(run, "agreement")
    assert found[0][3] == 1
    assert "image 98:" in str(found[0][4])
    assert "pi4 (emulated)" in str(found[0][4])


def rows_of(run: Path, table: str) -> tuple[tuple[object, ...], ...]:
    data = gather([run])
    return build(data, summarise(data))[table].rows


def test_the_newest_of_several_results_counts(tmp_path: Path) -> None:
    old = make_run(tmp_path, [make_cell(median_ms=10)], name="old")
    new = make_run(tmp_path, [make_cell(median_ms=20, started="2026-12-01T00:00:00Z")], name="new")
    for order in ([old, new], [new, old]):
        data = gather(order)
        assert data.replaced == 1
        assert data.cells.value.round(1).tolist() == [20.0]


def test_missing_and_damaged_cells_are_listed(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()], planned=(make_cell().cell, "never-ran"))
    (run / "cells" / "broken.json").write_text("{")
    assert {(row[0], row[3]) for row in rows_of(run, "not-valid")} == {
        ("UNREADABLE", "broken.json"),
        ("MISSING", "never-ran"),
    }


def test_cells_whose_rounds_disagree_are_named_before_anything_else(tmp_path: Path) -> None:
    here = device("here", "generic", emulated=False)
    cells = [
        in_rounds(make_cell("ghostnet", dev=here), apart=0.15),
        in_rounds(make_cell("mnasnet", dev=here), apart=0.001),
    ]
    paths = render([make_run(tmp_path, cells)], tmp_path / "out", formats=["svg"])
    assert paths.index is not None
    text = paths.index.read_text()
    assert text.index("The rounds of 1 cell disagree") < text.index('class="cards"')
    assert re.search(r"<li>here, ghostnet int8: ± \d+ %</li>", text)
    assert "each cell was measured by 5 processes" in text
    assert (tmp_path / "out" / "figures" / "rounds-real-here.svg").is_file()


def test_a_run_without_a_valid_cell_still_has_a_report(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell(status="FAILED")])
    paths = render([run], tmp_path / "out", formats=["svg"])
    assert paths.index is not None
    assert "No cell is VALID" in paths.index.read_text()
    empty = make_run(tmp_path, [], name="empty")
    render([empty], tmp_path / "out2", formats=["svg"])


def test_single_plots_and_formats_can_be_asked_for(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()])
    paths = render([run], tmp_path / "out", plots=["pareto"], formats=["svg"])
    assert [p.name for p in paths.figures] == ["pareto-emulated-pi4-emulated.svg"]
    assert (paths.index, paths.tables) == (None, ())
    assert len(list((tmp_path / "out").rglob("*.*"))) == 1
    with pytest.raises(UsageError, match=r"no plot 'pie'.*pareto"):
        render([run], tmp_path, plots=["pie"])
    with pytest.raises(UsageError, match=r"no format 'pdf'"):
        render([run], tmp_path, formats=["pdf"])
    with pytest.raises(ReportError, match="no run"):
        render([], tmp_path)


def test_a_hostile_board_is_only_ever_text(tmp_path: Path) -> None:
    evil = device("pi4", EVIL, os=EVIL, cpu=EVIL, kernel=EVIL)
    cells = [
        make_cell(EVIL, "int8", evil, evidence={"before": {"/x/scaling_governor": EVIL, EVIL: EVIL}}),
        make_cell(
            "b" + EVIL, "int8", evil, status="FAILED", reasons=(Reason(code="x", text=EVIL),), evidence={"stderr": EVIL}
        ),
    ]
    classes = tuple(EVIL + str(i) for i in range(7))
    cells = [c.model_copy(update={"split": c.split.model_copy(update={"classes": classes})}) for c in cells]
    run = make_run(tmp_path, cells, skipped=(Reason(code="x", text=EVIL),))
    out = tmp_path / "out"
    render([run], out, manifests={})
    render_comparison(compare(run, run), out)
    render_history([run, run], out)
    for page in out.glob("*.html"):
        text = page.read_text()
        seen = Scripts()
        seen.feed(text)
        assert seen.scripts == (2 if page.name == "index.html" else 1), page.name
        assert not seen.handlers
        assert "<script>alert" not in text
        assert all(
            a.startswith(("#", "data:")) or a in ("claims.html", "index.html", "compare.html", "history.html")
            for a in seen.addresses
        )
    for path in out.rglob("*.*"):
        if path.suffix != ".png":
            content = path.read_text()
            assert "\x1b" not in content, path.name
            assert "\u202e" not in content, path.name
    data = re.search(r'id="d-cells">(.*?)</script>', (out / "index.html").read_text(), re.DOTALL)
    assert data
    assert "<" not in data[1]
    assert len(json.loads(data[1])["rows"]) == 2


def test_markdown_cells_stay_in_their_column(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, [make_cell("a|b*c[d](e)", status="FAILED", reasons=(Reason(code="x", text="p | q\n# r"),))]
    )
    data = gather([run])
    for table in build(data, summarise(data)).values():
        lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(widths) == 1, table.name


def test_settings_of_matplotlib_are_left_alone(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render([make_run(tmp_path, [make_cell()])], tmp_path / "out", plots=["size"])
    assert dict(matplotlib.rcParams) == before
