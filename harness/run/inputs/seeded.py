"""Random inputs by element type, the same on every machine and with every numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.records.cell import SplitInfo
from harness.records.tensor import TensorSpec
from harness.run.inputs.arrays import LIMIT, Array, Samples

#: Samples unless their values need too much memory; a measurement goes through them again and again.
SAMPLES = 8
#: The most bytes of all values of all samples: every board must hold them beside the network.
SEEDED_LIMIT = 64 << 20
DATASET = "random values"
#: Integers that networks take only as one of a few numbers, by the input's name in lower case.
USUAL = {"sr": 16_000, "sample_rate": 16_000, "sampling_rate": 16_000}


def seeded(tensors: Sequence[TensorSpec], seed: int = 0, n: int = SAMPLES) -> Samples:
    """``n`` random samples, or fewer where they would be over :data:`SEEDED_LIMIT` bytes.

    Floats are uniform from 0 to 1. Quantised integers, int8 and uint8 go through their whole range. Other integers are
    0 or 1, which are valid as an index, a mask, a length and a flag; but see :data:`USUAL`.

    Raises:
        UsageError: the network has no inputs, or one sample is over :data:`harness.run.inputs.arrays.LIMIT` bytes.
    """
    if not tensors:
        raise UsageError("the network has no inputs, so there is nothing to measure it with")
    size = sum(tensor.elements * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    if size > LIMIT:
        names = ", ".join(clean(tensor.name, 60) for tensor in tensors)
        raise UsageError(f"one sample of {names} has {size >> 20} MiB, over {LIMIT >> 20} MiB", fix="--shape INPUT=...")
    count = max(1, min(n, SEEDED_LIMIT // max(size, 1)))
    # the legacy generator: its streams are frozen, those of newer ones may change with numpy
    random = np.random.RandomState(seed)
    arrays = tuple(_values(random, tensor, count) for tensor in tensors)
    info = SplitInfo(
        dataset=DATASET, synthetic=True, scheme="seeded", seed=seed, n=count, sha256="", classes=(), labels=()
    )
    return Samples(tuple(tensors), arrays, info)


def _values(random: np.random.RandomState, tensor: TensorSpec, n: int) -> Array:
    shape, dtype = (n, *tensor.shape), np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return random.random_sample(shape).astype(dtype)
    if dtype.kind in "iu" and ((tensor.quantised and dtype.itemsize < 8) or dtype.itemsize == 1):
        limits = np.iinfo(dtype)
        return random.randint(limits.min, limits.max + 1, shape, dtype=np.int64).astype(dtype)
    if dtype.kind == "i" and tensor.name.lower() in USUAL:
        return np.full(shape, min(USUAL[tensor.name.lower()], np.iinfo(dtype).max), dtype)
    return random.randint(0, 2, shape, dtype=np.int64).astype(dtype)
