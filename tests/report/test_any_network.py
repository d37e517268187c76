"""Reports of any network and any data: cells that nothing judges, other metrics, several tasks, golden outputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_manifest, make_run
from harness.records.cell import Cell, Reason
from harness.report import render, render_comparison, render_history
from harness.report.figures import PLOTS
from harness.report.figures.canvas import styled
from harness.report.gather import ReportData, gather
from harness.report.paper.findings import look
from harness.report.scale import scale_of
from harness.report.summary import agreement, winners
from harness.results.compare import compare
from tests.support.any_network import (
    HERE,
    PI4,
    difference,
    foreign_manifest,
    judged_by,
    outputs,
    pets,
    unlabelled,
)
from tests.support.drawings import check
from tests.support.reports import EVIL, Scripts, few, rows

#: Words of the task that this project began with.
OURS = re.compile(r"CK\+|\bfaces?\b|\bexpressions?\b|test images?|\bpeople\b|\bclaims?\b|\brivals?\b", re.IGNORECASE)
DIFFERS = Reason(code="outputs-differ", text="output 'scores' is 3 times what is tolerated from the golden one")


def foreign() -> list[Cell]:
    """Two networks without labels on two boards, a regression, and a task with pictures of pets."""
    wrong = outputs(difference(times=3.0), difference("state", 0.5))
    return [
        *(unlabelled(dev=dev, median_ms=ms) for dev, ms in ((HERE, 3.0), (PI4, 9.0))),
        unlabelled("eyes", PI4, fmt="tflite", status="INVALID", reasons=(DIFFERS,), outputs=wrong),
        unlabelled("ears", PI4, status="FAILED"),
        *(judged_by(model=name, value=v, median_ms=ms) for name, v, ms in (("ages", 4, 5), ("ages-small", 6, 1))),
        *(pets(name, dev, wrong=w) for name, w in (("mobilenet-v2", 3), ("squeezenet", 9)) for dev in (HERE, PI4)),
    ]


SKIPPED = (Reason(code="no-fit", text="eyes on the Nano: opset 21, ONNX Runtime 1.10 there reads up to 15"),)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    runs = [make_run(folder, foreign(), name=name, skipped=SKIPPED) for name in ("before", "after")]
    render(runs[:1], folder / "out", manifests={"voice": foreign_manifest()})
    render_comparison(compare(*runs, 0.05), folder / "out")
    render_history(runs, folder / "out")
    return folder / "out"


def data(tmp_path: Path, cells: list[Cell]) -> ReportData:
    return gather([make_run(tmp_path, cells)], {})


@pytest.mark.parametrize("kind", ["html", "svg", "csv", "md"])
def test_there_is_no_word_of_faces_where_none_are(out: Path, kind: str) -> None:
    paths = sorted(out.rglob(f"*.{kind}"))
    assert paths
    for path in paths:
        text = re.sub(r"base64,[^\"]*", "", path.read_text())
        assert not (found := OURS.search(text)), f"{path.name}: {text[found.start() - 60 : found.end() + 20]}"


def test_cells_that_nothing_judges_are_in_figures_of_latency_memory_and_size(out: Path) -> None:
    figures = {path.stem for path in (out / "figures").glob("*.svg")}
    assert {"latency-real-here-no-labels", "memory-real-here-no-labels", "size-no-labels"} <= figures
    assert {"latency-emulated-pi4-emulated-no-labels", "distribution-real-here-no-labels"} <= figures
    assert not any(name.startswith("pareto") and "no-labels" in name for name in figures)
    [cell] = [row for row in rows(out / "tables" / "cells.csv") if (row["model"], row["device"]) == ("voice", "here")]
    assert (cell["status"], cell["accuracy_percent"], cell["macs"], cell["inputs"]) == ("VALID", "", "", "8")
    assert float(cell["median_ms"]) > 0
    assert "2 of 8 valid cells ran on inputs without labels" in (out / "index.html").read_text()


def test_what_nobody_counted_is_a_dash_with_the_reason(out: Path) -> None:
    for name in ("cells", "networks"):
        markdown = (out / "tables" / f"{name}.md").read_text()
        [line] = [line for line in markdown.splitlines() if "voice" in line and "pi4" not in line]
        assert "| – |" in line
        assert "| 0 |" not in line
    [network] = rows(out / "tables" / "networks.csv")
    assert (network["macs"], network["parameters"]) == ("", "")
    assert network["macs_missing"] == "If: nobody knows which branch runs"
    [file] = [row for row in rows(out / "tables" / "artifacts.csv") if row["network"] == "voice"]
    assert (file["input"], file["source"]) == ("float32 1x512; int64 scalar", "voice.onnx")
    assert (file["accuracy_percent"], file["runtime"]) == ("", "")


def test_tasks_share_no_axis(out: Path, tmp_path: Path) -> None:
    found = data(tmp_path, foreign())
    with styled():
        for name, draw in PLOTS.items():
            for drawing in draw(found):
                assert drawing.plot == name
                check(drawing)
    labels = set(found.cells.board_label)
    assert labels == {
        "here, no labels", "here, how-old", "here, pets", "pi4 (emulated), no labels", "pi4 (emulated), pets",
    }  # fmt: skip
    for _, cells in found.valid.groupby("group"):
        assert cells.task_label.nunique() == 1
    assert {path.stem for path in (out / "figures").glob("size*.svg")} == {
        "size-no-labels",
        "size-how-old",
        "size-pets",
    }


def test_a_metric_that_should_be_low_has_its_better_end_up(tmp_path: Path) -> None:
    found = data(tmp_path, [judged_by(model=name, value=v, median_ms=ms) for name, v, ms in (
        ("best", 2, 9), ("good", 4, 5), ("worse", 6, 7), ("quick", 9, 1),
    )])  # fmt: skip
    with styled():
        [drawing] = PLOTS["pareto"](found)
    [axes] = drawing.figure.axes
    assert axes.get_ylabel() == "Mean absolute error (lower is better)"
    assert axes.yaxis_inverted()
    assert "1  quick fp32: 1" in drawing.alt
    assert "Mean absolute error 4; 3  best" in drawing.alt
    assert "worse" not in drawing.alt
    [best] = winners(found)
    assert (best.pick, best.fastest, best.accurate) == ("best fp32", "quick fp32", "best fp32")
    assert best.scale == scale_of(found.valid)


def test_a_metric_of_the_users_own_is_shown_by_its_name(tmp_path: Path) -> None:
    cells = [judged_by("mine:iou", value=v, model=name, higher_is_better=True) for name, v in (("a", 0.5), ("b", 0.7))]
    index = render([make_run(tmp_path, cells)], tmp_path / "out", formats=["svg"]).index
    assert index is not None
    assert "mine:iou 0.7" in index.read_text()
    assert "mine:iou (higher is better)" in (tmp_path / "out/figures/pareto-real-here.svg").read_text()
    assert {row["metric"] for row in rows(tmp_path / "out/tables/cells.csv")} == {"mine:iou"}
    assert {row["metric_value"] for row in rows(tmp_path / "out/tables/cells.csv")} == {"0.5", "0.7"}


def test_another_metric_on_the_same_samples_is_another_axis(tmp_path: Path) -> None:
    found = data(tmp_path, [judged_by("mae"), judged_by("rmse", model="other")])
    assert set(found.cells.board_label) == {"here, how-old mae", "here, how-old rmse"}


def test_a_cell_that_failed_is_of_the_others_axis(tmp_path: Path) -> None:
    failed = judged_by(model="other").model_copy(
        update={"status": "FAILED", "reasons": (DIFFERS,), "metric": None, "latency_ns": ()}
    )
    assert set(data(tmp_path, [judged_by(), failed]).cells.board_label) == {"here"}


def test_the_pick_without_labels_is_the_fastest_and_has_no_accuracy(out: Path, tmp_path: Path) -> None:
    found = data(tmp_path, [unlabelled("slow", median_ms=5), unlabelled("quick", median_ms=2)])
    [best] = winners(found)
    assert (best.pick, best.scale) == ("quick fp32 onnx", None)
    page = (out / "index.html").read_text()
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page).lower())
    assert "where no labels judge the answers, the fastest artifact" in page


def test_rows_say_on_which_data(out: Path) -> None:
    for name in ("compare", "history"):
        data_of = {
            row.get("model") or row["cell"].split()[0]: row["data"] for row in rows(out / "tables" / f"{name}.csv")
        }
        assert {"voice": "no labels", "ages": "how-old", "squeezenet": "pets"}.items() <= data_of.items(), name
    assert {row["cell"] for row in rows(out / "tables" / "not-valid.csv")} == {
        "eyes fp32.tflite, litert, cpu, 1 threads, no labels", "ears fp32.onnx, litert, cpu, 1 threads, no labels",
    }  # fmt: skip


def test_outputs_are_listed_worst_first_with_their_reference(out: Path) -> None:
    table = rows(out / "tables" / "outputs.csv")
    assert [row["tensor"] for row in table] == ["scores", "state", "scores", "scores"]
    assert (table[0]["status"], table[0]["model"], table[0]["device"]) == ("INVALID", "eyes", "pi4")
    assert [float(row["excess"]) for row in table] == pytest.approx([3, 0.5, 0.25, 0.25])
    assert {row["reference"] for row in table} == {"onnxruntime 1.31.1, x86_64"}
    assert float(table[0]["tolerance"]) == 0.001
    page = (out / "index.html").read_text()
    section = page[page.index('<h2 id="outputs">') : page.index('<h2 id="not-valid">')]
    assert section.count("<tr>") == 1 + 3  # one row a cell on the page
    assert "state" not in section
    assert "The outputs of 2 of 8 valid cells were compared with golden outputs. The largest difference is" in page
    boards = {row["device"]: row["outputs_excess"] for row in rows(out / "tables" / "boards.csv")}
    assert (float(boards["pi4"]), float(boards["here"])) == (3.0, 0.25)


def test_without_outputs_there_is_no_such_table(tmp_path: Path) -> None:
    render([make_run(tmp_path, few())], tmp_path / "out", formats=["svg"])
    assert not (tmp_path / "out" / "tables" / "outputs.csv").exists()
    assert 'id="outputs"' not in (tmp_path / "out" / "index.html").read_text()
    assert "outputs_excess" not in rows(tmp_path / "out" / "tables" / "boards.csv")[0]


def test_a_difference_where_none_is_tolerated_is_still_a_number(tmp_path: Path) -> None:
    exact = outputs(difference("mask", dtype="bool", tolerance=0.0, max_abs=1.0, max_rel=1.0, cosine=None))
    run = make_run(tmp_path, [unlabelled(status="INVALID", reasons=(DIFFERS,), outputs=exact)])
    render([run], tmp_path / "out", formats=["svg"])
    [row] = rows(tmp_path / "out" / "tables" / "outputs.csv")
    assert (row["excess"], row["max_abs"], row["cosine"]) == ("inf", "1.0", "")


def test_what_can_not_run_and_why_is_shown(out: Path) -> None:
    assert "opset 21, ONNX Runtime 1.10 there reads up to 15" in (out / "index.html").read_text()
    assert rows(out / "tables" / "skipped.csv")[0]["code"] == "no-fit"
    assert {row["reasons"] for row in rows(out / "tables" / "not-valid.csv")} >= {f"{DIFFERS.code}: {DIFFERS.text}"}


def test_networks_that_are_no_classifiers_are_never_said_to_agree(out: Path, tmp_path: Path) -> None:
    cells = [unlabelled(dev=dev) for dev in (HERE, PI4)]
    assert agreement(data(tmp_path, cells)) == []
    index = render([tmp_path / "test-run"], tmp_path / "out", formats=["svg"]).index
    assert index is not None
    page = index.read_text()
    assert "same answers on every board" not in page
    assert "their outputs are compared below" in page
    assert 'id="recall"' not in page
    assert 'id="accuracy"' not in page
    assert "gave the same\n30 predictions on all of them" in (out / "index.html").read_text()


def test_faces_beside_other_data_keep_their_pages(tmp_path: Path) -> None:
    """The network in focus on somebody's pets is no evidence of what the paper claims."""
    faces = [make_cell("resvgg19-pruned", dev=HERE, median_ms=3), make_cell("ghostnet", dev=HERE, median_ms=5)]
    others = [pets("resvgg19-pruned", median_ms=1), pets("ghostnet", median_ms=0.1), unlabelled()]
    manifests = {"resvgg19-pruned": make_manifest(), "voice": foreign_manifest()}
    alone = gather([make_run(tmp_path / "alone", faces)], manifests)
    both = gather([make_run(tmp_path / "both", [*faces, *others])], manifests)
    assert both.focus is not None
    assert [(v.rival.model, v.ratio) for v in look(both).rivals] == [
        (v.rival.model, v.ratio) for v in look(alone).rivals
    ]
    assert len(look(both).claims) == len(look(alone).claims)
    assert set(both.cells[~both.cells.faces].role) == {""}
    assert gather([make_run(tmp_path / "pets", others)], {}).focus is None
    index = render([tmp_path / "both" / "test-run"], tmp_path / "out", manifests=manifests, formats=["svg"]).index
    assert index is not None
    assert [row["network"] for row in rows(tmp_path / "out" / "tables" / "accuracy.csv")] == ["resvgg19-pruned"]


def test_a_thousand_classes_make_a_page_that_can_be_read(tmp_path: Path) -> None:
    classes = tuple(f"class {i}" for i in range(1000))
    render([make_run(tmp_path, [pets(classes=classes)])], tmp_path / "out", formats=["svg"])
    index = (tmp_path / "out" / "index.html").read_text()
    assert len(index) < 1_000_000
    assert "class 999" not in index
    assert "(the hardest 30 of 1000)" in (tmp_path / "out" / "figures" / "recall-1.svg").read_text()
    assert "recall_class 999_percent" in rows(tmp_path / "out" / "tables" / "recall.csv")[0]
    assert not list((tmp_path / "out" / "figures").glob("confusion*"))


def test_hostile_names_are_only_ever_text(tmp_path: Path) -> None:
    evil = outputs(difference(EVIL, dtype=EVIL))
    evil = evil.model_copy(update={"reference": evil.reference.model_copy(update={"runtime": EVIL, "machine": EVIL})})
    judged = judged_by(EVIL, outputs=evil)
    cells = [
        unlabelled("net", outputs=evil),
        judged.model_copy(update={"split": judged.split.model_copy(update={"task": EVIL, "dataset": EVIL})}),
    ]
    runs = [make_run(tmp_path, cells, name=name) for name in "ab"]
    manifest = foreign_manifest("net")
    artifact = manifest.artifacts[0].model_copy(update={"source": EVIL})
    manifest = manifest.model_copy(update={"macs_missing": EVIL, "artifacts": (artifact,), "title": EVIL})
    out = tmp_path / "out"
    render(runs[:1], out, manifests={"net": manifest})
    render_comparison(compare(*runs, 0.05), out)
    render_history(runs, out)
    for page in out.glob("*.html"):
        seen = Scripts()
        seen.feed(page.read_text())
        assert seen.scripts == (2 if page.name == "index.html" else 1), page.name
        assert not seen.handlers
    for path in out.rglob("*.*"):
        if path.suffix != ".png":
            content = path.read_text()
            assert "\x1b" not in content, path.name
            assert "\u202e" not in content, path.name
            assert "<script>alert" not in content or path.suffix in (".csv", ".md"), path.name


def test_very_many_cells_without_labels_have_latency_as_their_overview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.report.MANY_CELLS", 1)
    run = make_run(tmp_path, [unlabelled("a"), unlabelled("b")])
    made = render([run], tmp_path / "out", formats=["svg"])
    assert [path.name for path in made.figures] == ["latency-real-here.svg"]
    assert made.index is not None
    assert "only latency of here is drawn here" in made.index.read_text()


def test_a_metric_with_a_long_name_is_not_cut(tmp_path: Path) -> None:
    cells = [judged_by("a_package.with_a_long_name:and_a_metric_of_the_users_own", model=f"net-{i}") for i in range(3)]
    with styled():
        for drawing in PLOTS["pareto"](data(tmp_path, cells)):
            check(drawing)


def test_faces_beside_other_data_are_called_so(tmp_path: Path) -> None:
    found = data(tmp_path, [make_cell(dev=HERE), pets(), unlabelled()])
    assert set(found.cells.board_label) == {"here, faces", "here, pets", "here, no labels"}


def test_outputs_that_are_all_equal_are_said_to_be(tmp_path: Path) -> None:
    run = make_run(tmp_path, [unlabelled(outputs=outputs(difference(times=0.0)))])
    index = render([run], tmp_path / "out", formats=["svg"]).index
    assert index is not None
    assert "The outputs of 1 of 1 valid cells were compared with golden outputs. None differs." in index.read_text()
