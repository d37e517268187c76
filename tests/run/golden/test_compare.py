"""Differences of outputs: figures by element type and meaning, and what can't be the same network's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.config.thresholds import Thresholds
from harness.core.errors import RunnerError
from harness.core.files import sha256_bytes
from harness.records.answer import OutputsAnswer
from harness.records.golden import OutputsCheck
from harness.records.tensor import TensorSpec
from harness.run.golden.compare import compared, exceeding, misfit
from harness.run.golden.file import GoldenHead, GoldenOutputs
from harness.run.golden.outputs import Outputs, check
from tests.support.manifests import ARTIFACT


def outputs(*samples: Sequence[Any]) -> Outputs:
    """Outputs of samples, each a list of arrays."""
    made = [[np.asarray(array) for array in sample] for sample in samples]
    data = b"".join(array.tobytes() for sample in made for array in sample)
    tensors = [
        {"name": f"out{place}", "dtype": str(array.dtype), "shapes": [sample[place].shape for sample in made]}
        for place, array in enumerate(made[0])
    ]
    about = {"samples": len(made), "bytes": len(data), "sha256": sha256_bytes(data), "tensors": tensors}
    return Outputs(OutputsAnswer.model_validate(about), data)


def golden(given: Outputs) -> GoldenOutputs:
    head = GoldenHead(
        runtime="litert", version="2.3.0", machine="x86_64", model_sha256="0" * 64, inputs_sha256="0" * 64, stable=True,
        outputs_sha256=given.about.sha256, outputs=given.about, latency_ns=1,
    )  # fmt: skip
    return GoldenOutputs(head, given)


def difference(one: Outputs, other: Outputs, *, classifier: bool = False, **changes: Any) -> OutputsCheck:
    artifact = ARTIFACT.model_copy(update={"variant": "fp32", "outputs": (), **changes})
    return compared(golden(one), other, artifact, Thresholds(), classifier=classifier)


FLOATS = outputs([np.array([1.0, -4.0], np.float32)], [np.array([2.0, 0.0], np.float32)])


def test_equal_outputs_differ_by_nothing() -> None:
    found = difference(FLOATS, FLOATS)
    assert found.samples == 2
    (tensor,) = found.tensors
    assert (tensor.max_abs, tensor.max_rel, tensor.rms_rel, tensor.cosine) == (0, 0, 0, pytest.approx(1))
    assert not list(exceeding(found))


def test_figures_are_of_all_samples_together() -> None:
    other = outputs([np.array([1.0, -4.0], np.float32)], [np.array([2.0, 0.4], np.float32)])
    (tensor,) = difference(FLOATS, other).tensors
    assert tensor.max_abs == pytest.approx(0.4)
    assert tensor.max_rel == pytest.approx(0.1)
    assert tensor.rms_rel == pytest.approx(0.4 / np.sqrt(21))
    assert tensor.excess == pytest.approx(tensor.rms_rel / 0.001)


def test_integers_with_a_scale_are_compared_as_what_they_stand_for() -> None:
    spec = TensorSpec(shape=(1, 2), dtype="int8", scale=1 / 256, zero_point=-128)
    one, other = outputs([np.array([127, -128], np.int8)]), outputs([np.array([126, -127], np.int8)])
    (tensor,) = difference(one, other, outputs=(spec,), variant="int8").tensors
    assert tensor.max_abs == 1
    assert tensor.max_rel == pytest.approx(1 / 255)
    assert (tensor.tolerance, tensor.rms_tolerance) == (Thresholds().outputs_int8, Thresholds().outputs_int8_rms)


@pytest.mark.parametrize("dtype", ["int64", "int32", "bool", "int16"])
def test_whole_numbers_without_a_scale_differ_or_don_t(dtype: str) -> None:
    """A class number that is off by one is as wrong as one that is off by a thousand."""
    one = outputs([np.arange(200).astype(dtype)])
    other_values = np.arange(200).astype(dtype)
    other_values[3] = not other_values[3]
    (tensor,) = difference(one, outputs([other_values])).tensors
    assert tensor.max_rel == tensor.rms_rel == pytest.approx(1 / 200)
    assert (tensor.tolerance, tensor.rms_tolerance) == (Thresholds().outputs_index, None)


@pytest.mark.parametrize(
    ("variant", "dtype", "limit"),
    [
        ("fp32", "float32", "outputs_float"), ("fp16", "float32", "outputs_half"), ("fp32", "float16", "outputs_half"),
        ("int8", "float32", "outputs_int8"), ("dynamic", "float32", "outputs_int8"),
        ("fp32", "float64", "outputs_float"),
    ],
)  # fmt: skip
def test_tolerances_follow_what_is_computed_with(variant: str, dtype: str, limit: str) -> None:
    one = outputs([np.ones(2, dtype)])
    (tensor,) = difference(one, one, variant=variant).tensors
    assert tensor.tolerance == getattr(Thresholds(), limit)


def test_no_number_is_as_far_away_as_can_be() -> None:
    for value in (np.nan, np.inf):
        found = difference(FLOATS, outputs([np.array([1, value], np.float32)], [np.array([2, 0], np.float32)]))
        assert found.tensors[0].max_rel > 1e100
        assert list(exceeding(found))
        assert OutputsCheck.model_validate_json(found.model_dump_json()) == found


def test_what_is_no_number_on_both_sides_does_not_differ() -> None:
    one = outputs([np.array([np.nan, np.inf, 1], np.float32)])
    assert difference(one, one).tensors[0].max_abs == 0


def test_nothing_beside_something_differs_without_end() -> None:
    one, other = outputs([np.zeros(3, np.float32)]), outputs([np.full(3, 1e-9, np.float32)])
    assert difference(one, other).tensors[0].excess > 1e100
    assert difference(one, other).tensors[0].cosine is None


def test_a_classifier_s_best_class_is_counted() -> None:
    one = outputs([np.array([[0.1, 0.9]])], [np.array([[0.6, 0.4]])])
    other = outputs([np.array([[0.2, 0.8]])], [np.array([[0.4, 0.6]])])
    assert difference(one, other, classifier=True).same_top1 == 1
    assert difference(one, other).same_top1 is None


def test_fewer_samples_are_compared_where_fewer_came_back() -> None:
    assert difference(FLOATS, outputs([np.array([1.0, -4.0], np.float32)])).samples == 1


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (outputs([np.zeros(2, np.float32), np.zeros(2, np.float32)]), "2 outputs instead of 1"),
        (outputs([np.zeros(2)]), "output 'out0' is float64 instead of float32"),
        (
            outputs([np.zeros(2, np.float32)], [np.zeros(3, np.float32)]),
            r"of sample 1 has shape \[3\] instead of \[2\]",
        ),
        (outputs([np.zeros((1, 2), np.float32)]), r"of sample 0 has shape \[1, 2\]"),
    ],
)
def test_another_network_s_outputs_are_known_by_their_shape(other: Outputs, why: str) -> None:
    import re

    assert re.search(why, str(misfit(FLOATS.about, other.about)))
    assert misfit(FLOATS.about, FLOATS.about) is None


@pytest.mark.parametrize("change", [{"bytes": 15}, {"bytes": 17}, {"samples": 1}, {"samples": 3}])
def test_a_description_that_contradicts_itself_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(RunnerError):
        check(FLOATS.about.model_copy(update=change))


def test_an_element_type_that_nobody_knows_is_refused() -> None:
    tensors = (FLOATS.about.tensors[0].model_copy(update={"dtype": "object"}),)
    with pytest.raises(RunnerError, match="can't be compared"):
        check(FLOATS.about.model_copy(update={"tensors": tensors}))


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, 4, elements=st.floats(width=32)),
    arrays.arrays(np.float32, 4, elements=st.floats(width=32)),
)
def test_any_two_outputs_give_figures_that_can_be_stored(one: Any, other: Any) -> None:
    with np.errstate(all="ignore"):
        found = difference(outputs([one]), outputs([other]))
    assert OutputsCheck.model_validate_json(found.model_dump_json()) == found
