"""Splits, metrics and input tensors: what decides over a task's accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import DataError, HarnessError, MetricError, UsageError
from harness.records.tensor import TensorSpec
from harness.tasks.metrics.registry import METRICS
from harness.tasks.metrics.score import score
from harness.tasks.partition import Known, divide
from harness.tasks.schema import SplitRule
from harness.tasks.task import TaskData
from harness.tasks.tensors import as_tensor, quantised
from tests.support.tasks import class_folders, write_task

# splits


def known(labels: list[int] | None, count: int, groups: list[str] | None = None) -> Known:
    return Known(
        count=count,
        labels=None if labels is None else np.array(labels, dtype=np.int64),
        groups=None if groups is None else tuple(groups),
        parts=(None,) * count,
        form="csv",
    )


@given(st.lists(st.integers(0, 4), min_size=40, max_size=200), st.integers(0, 3))
def test_every_sample_is_in_one_part_and_classes_keep_their_share(labels: list[int], seed: int) -> None:
    parts = divide(known(labels, len(labels)), SplitRule(seed=seed))
    everything = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(everything) == list(range(len(labels)))
    for label in set(labels):
        members = [k for k, other in enumerate(labels) if other == label]
        tested = len(set(members) & set(parts.test.tolist()))
        assert tested <= max(1, len(members) * 0.1 + 1)
        if len(members) > 1:
            assert tested >= 1


@given(st.lists(st.integers(0, 9), min_size=30, max_size=120), st.integers(0, 3))
def test_groups_are_never_torn_apart(members: list[int], seed: int) -> None:
    groups = [f"g{member}" for member in members]
    rule = SplitRule(seed=seed, test=0.3)  # type: ignore[arg-type]
    try:
        parts = divide(known([k % 2 for k in range(len(groups))], len(groups), groups), rule)
    except DataError:
        assert len(set(groups)) < 3
        return
    assert parts.scheme == "group"
    sides = [{groups[k] for k in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, sides)) == len(set(groups))


def test_a_split_is_the_same_on_every_machine_and_another_with_another_seed() -> None:
    labels = [k % 3 for k in range(60)]
    assert divide(known(labels, 60), SplitRule()).test.tolist() == [23, 28, 32, 37, 45, 51]
    tests = {tuple(divide(known(labels, 60), SplitRule(seed=seed)).test.tolist()) for seed in range(5)}  # type: ignore[arg-type]
    assert len(tests) == 5


@pytest.mark.parametrize(
    ("by", "groups", "labels", "said"),
    [
        ("group", None, [0, 1] * 20, "the data name no groups"),
        ("group", ["a"] * 40, [0, 1] * 20, "1 groups are too few"),
        ("column", None, [0, 1] * 20, "the data name no parts in that way"),
        ("stratified", None, None, "these labels are numbers"),
    ],
)
def test_a_rule_that_the_data_cannot_follow_is_refused(
    by: str, groups: list[str] | None, labels: list[int] | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        divide(known(labels, 40, groups), SplitRule(by=by))  # type: ignore[arg-type]


# metrics


def test_top1_and_top5_count_ranks() -> None:
    outputs = [np.array([[0.1, 0.9, 0, 0, 0, 0, 0], [7, 6, 5, 4, 3, 2, 1.0], [1, 1, 1, 1, 1, 1, 1]])]
    labels = np.array([1, 4, 6])
    top1, top5 = score(METRICS["top1"], outputs, labels), score(METRICS["top5"], outputs, labels)
    assert top1.per_sample == (1.0, 0.0, 0.0)
    assert top5.per_sample == (1.0, 1.0, 0.0)
    assert (top1.value, top5.value) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert top1.higher_is_better


def test_errors_of_numbers() -> None:
    outputs, labels = [np.array([[1.0], [2.0], [3.0]])], np.array([1.0, 4.0, 0.0])
    mae, rmse = score(METRICS["mae"], outputs, labels), score(METRICS["rmse"], outputs, labels)
    assert (mae.value, mae.per_sample) == (pytest.approx(5 / 3), (0.0, 2.0, 3.0))
    assert (rmse.value, rmse.per_sample) == (pytest.approx(np.sqrt(13 / 3)), (0.0, 4.0, 9.0))
    assert not rmse.higher_is_better


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_gives_a_number_a_sample_and_refuses_what_does_not_fit(name: str) -> None:
    kind = METRICS[name]
    labels = np.array([0, 1, 2]) if kind.labels == "classes" else np.array([0.5, 1.0, 2.0])
    one = [np.random.default_rng(0).normal(size=(3, 6 if kind.labels == "classes" else 1))]
    assert len(score(kind, one, labels).per_sample) == 3
    for bad in (one * 2, [np.full_like(one[0], np.nan)], [one[0][:2]], [np.zeros((3, 2))]):
        with pytest.raises(DataError):
            score(kind, bad, labels)


def judged(tmp_path: Path, body: str) -> TaskData:
    class_folders(tmp_path / "x", {"a": 20, "b": 20})
    (tmp_path / "judge.py").write_text(f"import numpy\ndef f(outputs, labels):\n    {body}\n")
    return write_task(tmp_path, "data: {form: folders, path: x}\nmetric: 'judge:f'\n").open()


def test_a_function_of_ones_own_judges(tmp_path: Path) -> None:
    data = judged(tmp_path, "return outputs[0][:, 0] == labels")
    index = data.split.test
    metric = data.score([data.labels[index][:, None].astype(float)], index)
    assert (metric.name, metric.value, metric.per_sample) == ("judge:f", 1.0, (1.0,) * len(index))


def test_a_function_may_return_one_number_for_all(tmp_path: Path) -> None:
    data = judged(tmp_path, "return 0.25")
    metric = data.score([np.zeros((len(data.split.test), 2))], data.split.test)
    assert (metric.value, metric.per_sample) == (0.25, ())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('x')", "failed: KeyError"),
        ("raise SystemExit(0)", "failed: SystemExit"),
        ("return 'x'", "failed: ValueError"),
        ("return None", "NaN"),
        ("return numpy.zeros(3)", "returned shape"),
        ("return float('inf')", "infinity"),
    ],
)
def test_a_function_that_fails_is_named(tmp_path: Path, body: str, said: str) -> None:
    data = judged(tmp_path, body)
    with pytest.raises(MetricError, match=said):
        data.score([np.zeros((len(data.split.test), 2))], data.split.test)


def test_a_network_of_other_classes_is_not_judged(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20})
    data = write_task(tmp_path, "data: {form: folders, path: x}\n").open()
    with pytest.raises(DataError, match="gives 1000 scores, and task 'mine' has 2 classes"):
        data.score([np.zeros((len(data.split.test), 1000))], data.split.test)


def test_top5_of_few_classes_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "x", {"a": 20, "b": 20})
    with pytest.raises(DataError, match="top5 of 2 classes is always right"):
        write_task(tmp_path, "data: {form: folders, path: x}\nmetric: top5\n").open()


# tensors


def spec(dtype: str, shape: tuple[int, ...] = (1, 4), **quantisation: float) -> TensorSpec:
    return TensorSpec(shape=shape, dtype=dtype, name="in", **quantisation)  # type: ignore[arg-type]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), st.integers(-128, 127))
def test_quantised_values_are_the_nearest_code(numbers: list[float], zero: int) -> None:
    values = np.array([numbers], dtype=np.float32)
    codes = quantised(values, spec("int8", scale=0.5, zero_point=zero))
    assert codes.dtype == np.int8
    back = (codes.astype(np.float64) - zero) * 0.5
    within = np.abs(values / 0.5 + zero) < 127
    assert (np.abs(back - values)[within] <= 0.25 + 1e-6).all()


def test_pixels_become_what_the_exported_networks_take() -> None:
    pixels = np.arange(256, dtype=np.float32)[None]
    assert (quantised(pixels, spec("int8", scale=1.0, zero_point=-128)) == np.arange(-128, 128)).all()
    assert (quantised(pixels, spec("uint8", scale=1.0, zero_point=0)) == np.arange(256)).all()
    assert (quantised(pixels, spec("uint8")) == np.arange(256)).all()


def test_values_that_an_integer_input_cannot_hold_are_refused() -> None:
    with pytest.raises(UsageError, match=r"takes whole numbers \(uint8\), and the task gives 0 to 0.5"):
        quantised(np.array([[0, 0.5]], dtype=np.float32), spec("uint8"))
    with pytest.raises(UsageError, match="-1 to 300"):
        quantised(np.array([[-1, 300]], dtype=np.float32), spec("uint8"))
    assert quantised(np.array([[0, 2]], dtype=np.float32), spec("bool")).tolist() == [[False, True]]
    assert quantised(np.ones((1, 2), dtype=np.float32), spec("float16")).dtype == np.float16


def test_shapes_may_differ_in_sizes_of_one_alone() -> None:
    values = np.zeros((5, 28, 28, 1), dtype=np.float32)
    assert as_tensor(values, spec("float32", (1, 28, 28))).shape == (5, 28, 28)
    assert as_tensor(values, spec("float32", (1, 1, 28, 28))).shape == (5, 1, 28, 28)
    with pytest.raises(UsageError, match="the task gives 28x28x1 for each sample, and input 'in' takes 3x224x224"):
        as_tensor(values, spec("float32", (1, 3, 224, 224)))


def test_errors_of_a_task_are_errors_of_the_harness() -> None:
    assert issubclass(MetricError, HarnessError)
