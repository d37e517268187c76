"""Orders for networks of any kind, with tensors as inputs, run by the shipped runner on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.files import sha256_file
from harness.records.order import InputTensor, KeptOutputs, Order
from harness.run.inputs.arrays import npz
from tests.support.runner_jobs import Interpreter, answer, interpreter, order


def python_with(runtime: str) -> Interpreter:
    found = interpreter(runtime)
    if found is None:
        pytest.skip(f"no Python here that {runtime} is published for")
    return found


def job(folder: Path, model: Path, runtime: str, arrays: dict[str, Any], **changes: Any) -> Order:
    """An order for samples of these arrays, whose first axis is that of the samples."""
    inputs = folder / "inputs.npz"
    inputs.write_bytes(npz([np.asarray(array) for array in arrays.values()]))
    tensors = tuple(
        InputTensor(name, tuple(np.asarray(array).shape[1:]), str(np.asarray(array).dtype))
        for name, array in arrays.items()
    )
    given = replace(
        order(folder, model, runtime, ()), inputs=str(inputs), inputs_sha256=sha256_file(inputs), tensors=tensors,
        outputs=KeptOutputs(str(folder / "outputs")),
    )  # fmt: skip
    return replace(given, **changes)


def run(folder: Path, given: Order) -> dict[str, Any]:
    found = python_with(given.runtime)
    return answer(folder, found.python, given, packages=found.packages)


SEVERAL = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 1, 4),
    "b": np.ones((3, 1, 4), np.float32),
    "mode": np.array([1, 0, 1]),
}
