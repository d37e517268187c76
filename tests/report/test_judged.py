"""Networks for drawn faces are judged by strangers: axis, pick, cards and tables; and never on two scales at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.made.cells import make_cell, make_run
from harness.core import clusters
from harness.records.manifest import Manifest
from harness.report import render
from harness.report.accuracy import accuracy_table, for_page
from harness.report.gather import ReportData, gather
from harness.report.paper.rivals import against
from harness.report.summary import winners
from tests.support.judged import cells, manifests
from tests.support.reports import HERE, rows


def data(folder: Path, found: dict[str, Manifest] | None = None) -> ReportData:
    return gather([make_run(folder, cells())], manifests() if found is None else found)


def test_the_pick_is_the_fastest_that_strangers_cannot_tell_from_the_most_accurate(tmp_path: Path) -> None:
    for best in winners(data(tmp_path)):
        assert best.pick == "resvgg19-pruned fp32"  # not the fastest, which 99 images can't tell from it
        assert best.accuracy == 0.952
        assert best.accurate == "resvgg19 int8"
        assert best.fastest == "mobilenet-v3-small int8"
        assert best.fastest_accuracy == 0.735
        assert best.judge == "2,943 images of 354 strangers"


@pytest.mark.parametrize("lacking", [{"none": ("mobilenet-v3-small",)}, {"seeds": ("mobilenet-v3-small",)}])
def test_two_kinds_of_accuracy_never_share_an_axis(tmp_path: Path, lacking: dict[str, tuple[str, ...]]) -> None:
    found = data(tmp_path, manifests(**lacking))
    assert not found.judges
    assert (found.valid.judged == found.valid.accuracy).all()
    assert found.valid.judged_low.isna().all()
    assert {best.pick for best in winners(found)} == {"mobilenet-v3-small int8"}


def test_a_rivals_accuracy_is_that_on_strangers(tmp_path: Path) -> None:
    for each in against(data(tmp_path)):
        assert (each.ours.accuracy, each.rival.accuracy) == (0.952, 0.735)


def test_the_page_says_on_whom_networks_are_judged(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", cells())
    made = render([run], tmp_path / "out", manifests=manifests(), formats=("svg",))
    assert made.index is not None
    html = made.index.read_text(encoding="utf-8")
    assert "Networks are judged by 2,943 images of 354 strangers" in html
    drawn = [path.read_text(encoding="utf-8") for path in (tmp_path / "out/figures").glob("pareto-*.svg")]
    assert len(drawn) == 2
    assert all("on 2,943 images of 354 strangers (%)" in svg for svg in drawn)
    assert "The random split leaks" in html
    row = next(r for r in rows(tmp_path / "out/tables/cells.csv") if r["model"] == "mobilenet-v3-small")
    assert (float(row["strangers_percent"]), float(row["accuracy_percent"])) == pytest.approx((73.5, 97.98), abs=0.01)
    assert rows(tmp_path / "out/tables/winners.csv")[0]["judged_by"] == "2,943 images of 354 strangers"


def test_a_board_that_lacks_one_is_named_with_the_command(tmp_path: Path) -> None:
    more = [*cells(), make_cell("ghostnet", dev=HERE)]
    run = make_run(tmp_path / "results", more)
    made = render([run], tmp_path / "out", manifests=manifests(), formats=("svg",))
    assert made.index is not None
    html = made.index.read_text(encoding="utf-8")
    assert "On here they are judged by the images that the board ran" in html.replace("\n", " ")
    assert "harness build --unseen" in html


def test_without_strangers_nothing_is_said_of_them(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", cells())
    made = render([run], tmp_path / "out", manifests={}, formats=("svg",))
    assert made.index is not None
    assert "judged by" not in made.index.read_text(encoding="utf-8")
    assert "strangers_percent" not in (tmp_path / "out/tables/cells.csv").read_text()


def test_a_cell_that_ran_strangers_is_judged_by_its_own_answers(tmp_path: Path) -> None:
    base = make_cell("mobilenet-v2", "int8", HERE, accuracy=0.9)
    persons = tuple(n // 9 for n in range(99))
    split = base.split.model_copy(update={"scheme": "unseen", "seeds": (5,), "seed": 5, "persons": persons})
    found = gather([make_run(tmp_path, [base.model_copy(update={"split": split})])], {})
    right = np.array(base.predictions) == np.array(base.split.labels)
    inside = clusters.proportion(right, [str(person) for person in persons])
    row = found.valid.iloc[0]
    assert (row.judged, row.judged_low, row.judged_high) == (inside.value, inside.low, inside.high)
    assert [str(judge) for judge in found.judges.values()] == ["99 images of 11 strangers"]


def test_the_table_of_accuracy_has_strangers_first(tmp_path: Path) -> None:
    table = accuracy_table(data(tmp_path))
    names = [name for name, _ in table.columns]
    assert names.index("strangers_percent") < names.index("random_percent")
    row = dict(zip(names, next(each for each in table.rows if each[0] == "resvgg19-pruned"), strict=True))
    assert row["strangers_percent"] == pytest.approx(95.2)
    assert (row["strangers_images"], row["strangers_persons"], row["strangers_file"]) == (2943, 354, "fp32.tflite")
    shown = for_page(table)
    assert "Strangers" in [heading for _, heading in shown.columns]
    assert any("2943 images of 354, fp32.tflite" in str(value) for row in shown.rows for value in row)
