"""Comparing, following and exporting results of any network: by any metric, or by latency alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.made.cells import in_rounds, make_cell, make_run
from harness import results
from harness.records.cell import Cell
from harness.report import compare_page, history
from harness.results import store, table_cache
from harness.results.compare import Comparison, compare, to_json
from harness.results.comparison_formats import text
from harness.results.formats import export
from tests.support.any_network import HERE, PI4, difference, judged_by, outputs, pets, unlabelled


def pair(tmp_path: Path, a: list[Cell], b: list[Cell], **options: Any) -> Comparison:
    return compare(make_run(tmp_path, a, name="a"), make_run(tmp_path, b, name="b"), **options)


def rated(factors: list[float], **changes: Any) -> Cell:
    """A cell whose error on each sample is that many times what it was."""
    cell = judged_by(dev=PI4, **changes)
    assert cell.metric is not None
    values = tuple(x * f for x, f in zip(cell.metric.per_sample, factors, strict=True))
    metric = cell.metric.model_copy(update={"per_sample": values, "value": float(np.mean(values))})
    return cell.model_copy(update={"metric": metric})


SAME, WORSE, MIXED = [1.0] * 40, [1.1] * 40, [1.1, 0.9] * 20


def test_an_error_that_grew_on_nearly_every_sample_trips_the_gate(tmp_path: Path) -> None:
    found = pair(tmp_path, [rated(SAME)], [rated(WORSE)], gate=0.5)
    accuracy = found.pairs[0].accuracy
    assert accuracy is not None
    assert (accuracy.only_a, accuracy.only_b) == (40, 0)  # lower is better, so a is better on all
    assert found.pairs[0].gates == ("mae rose from 4 to 4.4",)
    assert found.tripped
    better = pair(tmp_path / "better", [rated(WORSE)], [rated(SAME)], gate=0.5)
    assert better.pairs[0].accuracy is not None
    assert better.pairs[0].accuracy.significant
    assert not better.tripped


def test_a_metric_that_should_be_high_falls(tmp_path: Path) -> None:
    a, b = (rated(f, metric="iou", higher_is_better=True) for f in (WORSE, SAME))
    assert pair(tmp_path, [a], [b], gate=0.5).pairs[0].gates == ("iou fell from 4.4 to 4",)


def test_errors_that_changed_both_ways_trip_nothing(tmp_path: Path) -> None:
    found = pair(tmp_path, [rated(SAME)], [rated(MIXED)], gate=0.5)
    assert found.pairs[0].accuracy is not None
    assert found.pairs[0].accuracy.p_value > 0.05
    assert (found.pairs[0].accuracy.only_a, found.pairs[0].accuracy.only_b) == (20, 20)
    assert not found.tripped


def test_many_cells_need_stronger_evidence(tmp_path: Path) -> None:
    few = [1.1] * 6 + [1.0] * 34  # p = 1/32
    cells = [rated(SAME, model=f"net-{i}") for i in range(4)]
    assert pair(tmp_path / "1", cells[:1], [rated(few, model="net-0")], gate=0.5).tripped
    assert not pair(tmp_path / "4", cells, [rated(few, model="net-0"), *cells[1:]], gate=0.5).tripped


def test_a_metric_without_values_for_samples_is_said_to_be_untested(tmp_path: Path) -> None:
    def bare(value: float) -> Cell:
        cell = judged_by("mine:f1", dev=PI4, value=value)
        assert cell.metric is not None
        return cell.model_copy(update={"metric": cell.metric.model_copy(update={"per_sample": ()})})

    found = pair(tmp_path, [bare(1)], [bare(2)], gate=0.5)
    assert not found.tripped
    assert found.notes[-1:] == ("mine:f1 has no value for each sample: no test and no gate watches over it",)


def test_another_metric_is_refused(tmp_path: Path) -> None:
    found = pair(tmp_path, [judged_by("mae", dev=PI4)], [judged_by("rmse", dev=PI4)], gate=0.5)
    assert found.pairs[0].refused == ("other metric: mae and rmse",)
    assert found.tripped


def test_cells_that_nothing_judges_are_compared_by_latency(tmp_path: Path) -> None:
    a, b = (unlabelled(dev=PI4, median_ms=ms) for ms in (3.0, 3.3))
    found = pair(tmp_path, [a], [b], gate=0.05)
    [only] = found.pairs
    assert (only.verdict, only.accuracy, only.task, only.axis) == ("slower", None, None, "")
    assert "slower by 10.0%" in only.gates[0]
    assert not found.synthetic  # made-up inputs have no accuracy to warn of
    assert json.loads(json.dumps(to_json(found)))["pairs"][0]["accuracy"] is None
    assert any("slower" in line for line in text.lines(found))


def test_other_inputs_are_refused_as_such(tmp_path: Path) -> None:
    a = unlabelled(dev=PI4)
    b = a.model_copy(update={"split": a.split.model_copy(update={"sha256": "f" * 64})})
    assert pair(tmp_path, [a], [b]).pairs[0].refused[0].startswith("other inputs: ")


def test_a_mixture_of_tasks_is_compared_task_by_task(tmp_path: Path) -> None:
    cells = [make_cell(), pets(dev=PI4), rated(SAME), unlabelled(dev=PI4), make_cell("net", status="FAILED")]
    later = [make_cell(), pets(dev=PI4, wrong=12), rated(WORSE), unlabelled(dev=PI4), make_cell("net", status="FAILED")]
    found = pair(tmp_path, cells, later, gate=0.5)
    assert {gate for each in found.pairs for gate in each.gates} == {
        "accuracy fell from 83.3% to 60.0%", "mae rose from 4 to 4.4",
    }  # fmt: skip
    drawings = compare_page.changes(found)
    assert sorted(drawing.title.rpartition(", ")[2] for drawing in drawings) == [
        make_cell().split.sha256[:6], "how-old", "no labels", "pets",
    ]  # fmt: skip
    table = compare_page.table(found)
    names = [name for name, _ in table.columns]
    assert "Paired by input" in dict(table.columns).values()
    rows = {row[names.index("model")]: dict(zip(names, row, strict=True)) for row in table.rows}
    assert rows["ages"]["accuracy_a_percent"] is None
    assert (rows["ages"]["metric"], rows["ages"]["metric_a"]) == ("mae", pytest.approx(4))
    assert rows["mobilenet-v2"]["accuracy_a_percent"] is not None


def test_history_follows_them_and_mixes_no_tasks(tmp_path: Path) -> None:
    runs = []
    for number in range(3):
        cells = [
            in_rounds(cell, apart=0.002, seed=number)
            for cell in (pets(), judged_by(), unlabelled("voice"), unlabelled("eyes"), make_cell(dev=HERE))
        ]
        runs.append(make_run(tmp_path, cells, name=f"run-{number}"))
    found = history.gather(runs)
    assert [line.points[0].accuracy for line in found.lines if line.model == "voice"] == [None]
    drawings = history.figures(found)
    titles = {drawing.title for drawing in drawings}
    assert {"Over time on here, pets", "Over time on here, how-old", "Over time on here, no labels"} <= titles
    assert len(drawings) == 4
    assert sum("Median of 2 cells" in drawing.alt for drawing in drawings) == 1  # both without labels


def test_the_table_has_task_metric_and_outputs(tmp_path: Path) -> None:
    wrong = outputs(difference(times=2.0), difference("state", 0.5))
    run = make_run(tmp_path, [judged_by(outputs=wrong), pets(), unlabelled(), make_cell()])
    frame = results.load(run).set_index("model")
    assert frame.task.dropna().to_dict() == {"ages": "how-old", "mobilenet-v2": "pets"}
    ages, voice = frame.loc["ages"], frame.loc["voice"]
    assert (ages.metric, ages.metric_value, ages.higher_is_better) == ("mae", 4.0, False)
    assert ages.metric_per_sample.dtype == np.float64
    assert ages.metric_per_sample.mean() == pytest.approx(4.0)
    assert np.isnan(ages.accuracy)
    assert (ages.outputs_excess, ages.outputs_max_rel) == (2.0, 2e-3)
    assert [each["name"] for each in json.loads(ages.outputs)["tensors"]] == ["scores", "state"]
    assert pd.isna(voice.metric)
    assert voice.metric_per_sample.size == 0
    assert np.isnan(voice.metric_value)
    assert np.isnan(voice.macs)
    pet = frame[frame.task == "pets"].iloc[0]
    assert (pet.metric, pet.metric_value) == ("top1", pet.accuracy)


def test_counts_are_whole_numbers_where_all_are_known(tmp_path: Path) -> None:
    assert results.to_frame([make_cell()]).macs.dtype == np.int64
    assert results.to_frame([make_cell(), unlabelled()]).macs.dtype == np.float64


def test_exports_hold_them(tmp_path: Path) -> None:
    run = make_run(tmp_path, [judged_by(), pets(), unlabelled(outputs=outputs(difference("=evil()")))])
    frame = pd.read_csv(io.BytesIO(export(run, "csv"))).set_index("model")
    assert frame.task.fillna("").to_dict() == {"ages": "how-old", "mobilenet-v2": "pets", "voice": ""}
    assert frame.metric_value.to_dict()["ages"] == 4.0
    assert frame.outputs_excess.to_dict()["voice"] == 0.25
    assert pd.isna(frame.loc["voice", "macs"])
    parquet = pd.read_parquet(io.BytesIO(export(run, "parquet")))
    assert list(parquet.columns) == list(results.load(run).columns)
    assert sorted(map(len, parquet.metric_per_sample)) == [0, 0, 40]
    found = {each["name"].split()[0]: each for each in json.loads(export(run, "pytest-benchmark"))["benchmarks"]}
    assert (
        found["ages"]["extra_info"] | {"metric": "mae", "metric_value": 4.0, "task": "how-old"}
        == (found["ages"]["extra_info"])
    )
    assert found["voice"]["extra_info"]["accuracy"] is None
    assert found["voice"]["extra_info"]["outputs"]["tensor"] == "=evil()"
    assert "outputs" not in found["ages"]["extra_info"]


def test_the_kept_table_of_a_run_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "FEWEST", 2)
    monkeypatch.setattr(table_cache, "SETTLED_NS", -(1 << 60))
    run = make_run(tmp_path, [judged_by(), pets(), unlabelled(), make_cell(status="FAILED")])
    wanted = results.to_frame(store.read_cells(run), infer=False)
    table_cache.frame_of(run)
    monkeypatch.setattr(store, "scan_cells", lambda _: pytest.fail("read the cells again"))
    kept = table_cache.frame_of(run)[0]
    columns = [name for name in wanted.columns if name != "evidence"]
    pd.testing.assert_frame_equal(kept[columns], wanted[columns])
    for name in columns:
        assert [type(value) for value in kept[name]] == [type(value) for value in wanted[name]], name
