"""Strangers instead of the test images: the same way to the board, and labels and persons stay here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.common import Quiet
from harness.cli import app as cli
from harness.config.devices import parse
from harness.core.errors import UsageError
from harness.data.spec import DataSpec
from harness.data.synthetic.strangers import SEEDS, strangers
from harness.records import manifest as manifests
from harness.report.gather import gather
from harness.results import store
from harness.run import strangers as strange
from harness.run.inventory import inventory
from harness.run.plan import CellJob, Options, make
from harness.run.scheduler import Run
from harness.run.verdict.judge import least_differing
from tests.conftest import MODELS

NET = "resvgg19-pruned"
HERE = parse(
    "devices:\n- {name: here, board: generic, local: true, runtimes: [litert], rounds: 1,\n"
    "   thresholds: {waited: 1.0, stolen: 1.0, others: 1.0, memory_stall: 1.0, drift: 9.0, dispersion: 9.0}}\n"
)


def job(**options: object) -> CellJob:
    shipped = inventory(MODELS, [NET], ["int8"])
    return make(HERE, shipped, Options(models=(NET,), split="unseen", **options)).jobs["here"][0]  # type: ignore[arg-type]


def test_the_cell_is_named_after_strangers() -> None:
    digest = strangers().sha256[:8]
    assert job().cell.endswith(f"+unseen-{digest}")
    assert job(quick=True).cell.endswith(f"+unseen-{digest}-n20")
    assert job().unseen


def test_the_test_set_has_the_persons_and_no_label_in_its_file(cache: Path) -> None:
    test = strange.prepare()
    info = test.info
    assert (info.dataset, info.scheme, info.seeds, info.n) == ("strangers", "unseen", SEEDS, 2943)
    assert info.sha256 == strangers().sha256
    assert len(set(info.persons)) == 354
    assert info.subject_overlap == 0
    assert json.dumps(list(info.labels)).encode() not in test.file.read_bytes()
    few = strange.prepare(20).info
    assert (few.n, len(few.persons)) == (20, 20)
    assert few.sha256 != info.sha256


def test_a_network_of_other_data_has_no_strangers(cache: Path) -> None:
    record = manifests.load(MODELS, NET)
    assert record.split is not None
    other = record.model_copy(update={"split": record.split.model_copy(update={"dataset_sha256": "0" * 64})})
    strange.check(record, Options())
    with pytest.raises(UsageError, match="no strangers"):
        strange.check(other, Options())
    with pytest.raises(UsageError, match="no strangers"):
        strange.check(record, Options(data=DataSpec("ckplus", "somewhere")))
    with pytest.raises(UsageError, match="no strangers"):
        strange.check(record, Options(task="ckplus"))


def test_an_unknown_split_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["run", "--split", "strangers", "--results", str(tmp_path / "results")])
    assert isinstance(done.exception, UsageError)
    assert done.exception.fix == "one of: test, unseen"
    assert not (tmp_path / "results").exists()


def test_answers_are_compared_with_those_to_strangers(cache: Path) -> None:
    labels = strangers().labels.tolist()
    here = job()
    recorded = here.shipped.artifact.unseen
    assert recorded is not None
    right = round(recorded.accuracy * recorded.n)
    as_then = [label if place < right else (label + 1) % 7 for place, label in enumerate(labels)]
    assert least_differing(here, as_then, labels) == 0
    assert least_differing(here, labels, labels) == recorded.n - right


@pytest.mark.slow
def test_a_run_on_strangers_finds_what_the_manifest_says(cache: Path, tmp_path: Path) -> None:
    shutil.copytree(MODELS / NET, tmp_path / "models" / NET)
    options = Options(models=(NET,), variants=("int8",), split="unseen")
    watcher = Quiet()
    run = Run(HERE, options, models=tmp_path / "models", results=tmp_path / "results")
    run.execute(watcher)
    (cell,) = watcher.cells
    assert cell.status == "VALID", cell.reasons
    recorded = manifests.load(MODELS, NET).artifact("int8", "tflite")
    assert recorded is not None
    assert recorded.unseen is not None
    assert cell.accuracy == recorded.unseen.accuracy == cell.model.reference_accuracy
    assert store.read_cell(run.folder / "cells" / f"{cell.cell}.json") == cell
    data = gather([run.folder], {})
    assert [str(judge) for judge in data.judges.values()] == ["2,943 images of 354 strangers"]
    (row,) = data.valid.itertuples()
    recorded_interval = (recorded.unseen.accuracy, recorded.unseen.low, recorded.unseen.high)
    assert (row.judged, row.judged_low, row.judged_high) == pytest.approx(recorded_interval)
