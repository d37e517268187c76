"""The cell of schema 3: networks and data of any kind, and what a VALID one must have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.cells import make_cell
from harness.records.cell import Cell, Metric
from harness.records.golden import OutputsCheck, Reference, TensorDifference
from harness.results import store

CHECK = OutputsCheck(
    reference=Reference(runtime="litert", version="2.3.0", machine="x86_64", sha256="0" * 64),
    samples=8,
    tensors=(
        TensorDifference(name="boxes", dtype="float32", max_abs=1e-4, max_rel=1e-5, tolerance=1e-3),
        TensorDifference(name="scores", dtype="int8", max_abs=3, max_rel=0.02, cosine=0.9999, tolerance=0.1),
    ),
)


def stored(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(make_cell().model_dump_json(by_alias=True))
    split = {**made["split"], **changes.pop("split", {})}
    return {**made, "split": split, **changes}


def unjudged(**changes: Any) -> dict[str, Any]:
    return stored(
        split={"labels": [], "classes": [], "scheme": "seeded", "dataset": "random values"},
        accuracy=None, predictions=[], **changes,
    )  # fmt: skip


def test_a_cell_of_either_older_schema_is_read_as_one_of_this(tmp_path: Path) -> None:
    for schema in (1, 2):
        made = stored()
        path = tmp_path / f"{made['cell']}.json"
        path.write_text(json.dumps(made | {"schema": schema}))
        assert store.read_cell(path) == Cell.model_validate(made)


def test_a_network_that_nothing_judges_is_valid_without_accuracy() -> None:
    cell = Cell.model_validate(unjudged(outputs=json.loads(CHECK.model_dump_json())))
    assert cell.outputs == CHECK
    assert cell.split.right_classes == ()
    assert Cell.model_validate_json(cell.model_dump_json(by_alias=True)) == cell


def test_what_came_later_is_not_in_the_file_of_a_cell_without_it() -> None:
    written = json.loads(make_cell().model_dump_json(by_alias=True))
    assert {"metric", "outputs", "estimate"}.isdisjoint(written)
    assert "task" not in written["split"]
    assert "source" not in written["model"]


def test_right_answers_may_be_numbers_where_there_are_no_classes() -> None:
    labels = [float(i) / 2 for i in range(99)]
    metric = {"name": "mae", "value": 0.25, "higher_is_better": False, "per_sample": [0.25] * 99}
    made = stored(split={"classes": [], "labels": labels, "task": "ages"}, accuracy=None, metric=metric, predictions=[])
    cell = Cell.model_validate(made)
    assert cell.split.labels == tuple(labels)
    assert cell.metric == Metric(name="mae", value=0.25, higher_is_better=False, per_sample=(0.25,) * 99)
    assert all(isinstance(label, float) for label in Cell.model_validate_json(json.dumps(made)).split.labels)


def test_class_indices_stay_whole_numbers() -> None:
    assert all(type(label) is int for label in Cell.model_validate_json(json.dumps(stored())).split.labels)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"accuracy": None}, "without an accuracy"),
        ({"split": {"labels": []}}, "without right answers"),
        ({"split": {"labels": [0] * 98}}, "another number of right answers"),
        ({"split": {"labels": [9] * 99}}, "none of the classes"),
        ({"split": {"labels": [1.5] * 99}}, "none of the classes"),
        ({"split": {"classes": []}}, "another number of predictions"),
        ({"split": {"classes": []}, "predictions": []}, "without a metric"),
        ({"predictions": []}, "another number of predictions"),
        (
            {"metric": {"name": "f1", "value": 1.0, "higher_is_better": True, "per_sample": [1.0]}},
            "another number of metric values",
        ),
    ],
)
def test_a_valid_cell_has_everything_that_its_labels_ask_for(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Cell.model_validate(stored(**changes))


def test_the_worst_tensor_is_the_one_furthest_beyond_its_limit() -> None:
    assert CHECK.worst.name == "scores"
    beyond = CHECK.tensors[0].model_copy(update={"max_rel": 2e-3})
    assert beyond.excess == pytest.approx(2)
    assert CHECK.model_copy(update={"tensors": (beyond, CHECK.tensors[1])}).worst.name == "boxes"


def test_a_limit_of_zero_is_exceeded_by_any_difference() -> None:
    exact = CHECK.tensors[0].model_copy(update={"tolerance": 0.0})
    assert exact.excess == float("inf")
    assert exact.model_copy(update={"max_rel": 0.0}).excess == 0.0
