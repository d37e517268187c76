"""Where artifacts come from: agreement with Keras, and what zeroing single weights gives."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.made.cells import make_cell, make_manifest, make_run
from harness.records.manifest import Manifest
from harness.report import render
from harness.report.gather import gather
from harness.report.paper.zeroed import TITLE, zeroed_table
from harness.report.provenance import artifacts_table


def changed(**changes: object) -> Manifest:
    return make_manifest().model_copy(update=changes)


def test_zeros_zip_well_and_cost_as_much_time(tmp_path: Path) -> None:
    data = gather([make_run(tmp_path, [make_cell()])], {"resvgg19-pruned": make_manifest(), "x": changed(zeroed=())})
    table = zeroed_table(data)
    assert [(row[0], row[2], row[5]) for row in table.rows] == [
        ("resvgg19-pruned", 0.0, 1.0), ("resvgg19-pruned", 50.0, 410 / 650), ("resvgg19-pruned", 90.0, 0.2),
    ]  # fmt: skip
    assert table.note == (
        "resvgg19-pruned with 90% zeros has 0.2 times the zipped size, 1.01 times the latency and 70.0% of the test "
        "images right: zipped size falls, latency stays, since kernels multiply by zeros like by anything else."
    )


def test_a_latency_that_changes_is_not_called_the_same(tmp_path: Path) -> None:
    rows = tuple(row.model_copy(update={"latency_ratio": 0.8}) for row in make_manifest().zeroed)
    data = gather([make_run(tmp_path, [make_cell()])], {"resvgg19-pruned": changed(zeroed=rows)})
    note = zeroed_table(data).note
    assert "0.80 times the latency" in note
    assert "latency stays" not in note


def test_without_a_row_of_no_zeros_the_artifact_is_the_measure(tmp_path: Path) -> None:
    rows = make_manifest().zeroed[1:]
    data = gather([make_run(tmp_path, [make_cell()])], {"resvgg19-pruned": changed(zeroed=rows)})
    assert zeroed_table(data).rows[0][5] == 410 / 650  # fp32.tflite has 650,000 bytes after gzip


def test_the_page_has_it_where_a_manifest_does_and_nothing_where_none_does(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", [make_cell("resvgg19-pruned")])
    for name, manifest, there in (("with", changed(), True), ("without", changed(zeroed=()), False)):
        out = tmp_path / name
        render([run], out, manifests={"resvgg19-pruned": manifest}, formats=["svg"])
        assert (TITLE in (out / "index.html").read_text()) == there
        with (out / "tables" / "zeroed.csv").open() as file:
            assert len(list(csv.DictReader(file))) == (3 if there else 0)
    # a network that ran nowhere has no path of compression drawn, but its table stays
    render([run], tmp_path / "other", manifests={"resvgg19": changed(name="resvgg19")}, formats=["svg"])
    assert TITLE in (tmp_path / "other" / "index.html").read_text()


def test_agreement_with_keras_stands_beside_the_file(tmp_path: Path) -> None:
    manifest = make_manifest()
    files = (manifest.artifacts[0], manifest.artifacts[1].model_copy(update={"agreement": None}))
    data = gather([make_run(tmp_path, [make_cell("resvgg19-pruned")])], {manifest.name: changed(artifacts=files)})
    table = artifacts_table(data)
    names = [name for name, _ in table.columns]
    at = names.index("keras_same_top1")
    assert names[at : at + 3] == ["keras_same_top1", "keras_images", "keras_max_difference"]
    assert [row[at : at + 3] for row in table.rows[:2]] == [(98, 99, 0.031), (None, None, None)]
    assert {len(row) for row in table.rows} == {len(names)}  # files no manifest names included
