"""Random inputs: by element type and range, the same everywhere, and bounded."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import UsageError
from harness.records.tensor import DTYPES, Dtype, TensorSpec
from harness.run.inputs.seeded import SEEDED_LIMIT, seeded


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_type_has_values_in_its_range(dtype: Dtype) -> None:
    (array,) = seeded([TensorSpec(name="x", shape=(1, 500), dtype=dtype)]).arrays
    assert (array.dtype, array.shape) == (np.dtype(dtype), (8, 1, 500))
    low, high = float(array.min()), float(array.max())
    if dtype.startswith("float"):
        assert 0 <= low < 0.1
        assert 0.9 < high <= 1
    elif dtype in ("int8", "uint8"):
        limits = np.iinfo(dtype)
        assert (low, high) == (limits.min, limits.max)
    else:
        assert (low, high) == (0, 1)


def test_quantised_integers_go_through_their_whole_range() -> None:
    (array,) = seeded([TensorSpec(name="x", shape=(2000,), dtype="int16", scale=0.1, zero_point=0)]).arrays
    assert array.min() < -30_000
    assert array.max() > 30_000


def test_a_sampling_rate_is_one_that_there_is() -> None:
    (array,) = seeded([TensorSpec(name="SR", shape=(), dtype="int64")]).arrays
    assert array.tolist() == [16_000] * 8


def test_the_same_seed_gives_the_same_file_and_another_one_another() -> None:
    tensors = [TensorSpec(name="x", shape=(3,), dtype="float32"), TensorSpec(name="n", shape=(), dtype="int64")]
    assert seeded(tensors).sha256 == "b4150064969f88476ed3ea382cc944ef93db2d12bebe2b048b748d1d3f597bd1"
    assert seeded(tensors, seed=1).sha256 != seeded(tensors).sha256


def test_large_inputs_get_fewer_samples() -> None:
    samples = seeded([TensorSpec(name="x", shape=(SEEDED_LIMIT // 3,), dtype="uint8")])
    assert samples.n == samples.info.n == 3


def test_a_network_without_inputs_or_with_too_large_ones_is_refused() -> None:
    with pytest.raises(UsageError, match="no inputs"):
        seeded([])
    with pytest.raises(UsageError, match="4096 MiB"):
        seeded([TensorSpec(name="x", shape=(1 << 32,), dtype="uint8")])
