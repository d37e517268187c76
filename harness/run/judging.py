"""A task's samples as a cell's inputs, and the judgement of what comes back. Labels never leave the controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError, UsageError
from harness.core.files import sha256_bytes
from harness.records.cell import SplitInfo
from harness.records.order import OUTPUTS_LIMIT
from harness.records.samples import MAX_SAMPLES, Metric
from harness.records.tensor import TensorSpec
from harness.run.golden.outputs import Outputs
from harness.run.inputs.arrays import LIMIT, npz
from harness.run.testset import OwnInputs, TestSet, kept
from harness.tasks.task import TaskData
from harness.tasks.tensors import as_tensor

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """How good the outputs of all samples are; or what is wrong with them.

    Attributes:
        predictions: the most probable class of each sample; empty where labels are numbers.
        accuracy: the share of right classes; None where labels are numbers.
        metric: the task's own; None where that is the accuracy.
    """

    predictions: tuple[int, ...] = ()
    accuracy: float | None = None
    metric: Metric | None = None
    wrong: str | None = None


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges outputs for some samples of a task."""

    data: TaskData
    index: Index

    def judged(self, outputs: Outputs, tensors: Sequence[TensorSpec]) -> Judged:
        """What the outputs of these samples are worth.

        Args:
            outputs: as they came back, already checked against their description.
            tensors: the network's outputs, whose scales make real numbers of integers.
        """
        try:
            return self._judged(_real(outputs, tensors, len(self.index)))
        except HarnessError as error:
            return Judged(wrong=str(error))

    def _judged(self, values: list[npt.NDArray[np.float64]]) -> Judged:
        metric = self.data.score(values, self.index)
        if not self.data.classes:
            return Judged(metric=metric)
        flat = values[0].reshape(len(self.index), -1) if len(values) == 1 else np.zeros((0, 0))
        if flat.shape != (len(self.index), len(self.data.classes)):
            return Judged(
                wrong="classes are judged by one output with a score for each; else 'labels: numbers' below 'metric'"
            )
        best = flat.argmax(axis=1)
        accuracy = float((best == self.data.labels[self.index]).mean())
        return Judged(tuple(best.tolist()), accuracy, None if metric.name == "top1" else metric)


def _real(outputs: Outputs, tensors: Sequence[TensorSpec], n: int) -> list[npt.NDArray[np.float64]]:
    """One array (n, ...) for each output, as real numbers, without its batch of one.

    Raises:
        UsageError: there are fewer samples than were run, or a shape changes from sample to sample.
    """
    if outputs.about.samples != n:
        raise UsageError(f"outputs of {outputs.about.samples} of {n} samples came back, so they can't be judged",
                         fix="fewer samples: --quick, or 'samples' in devices.yaml")  # fmt: skip
    columns = list(zip(*outputs.each(), strict=True))
    if any(len({array.shape for array in column}) > 1 for column in columns):
        raise UsageError("an output's shape differs from sample to sample, so it can't be judged")
    stacked = [np.stack(column) for column in columns]
    specs = [*tensors, *(None for _ in stacked[len(tensors) :])]
    return [_dequantised(array, spec) for array, spec in zip(stacked, specs, strict=False)]


def _dequantised(array: npt.NDArray[Any], spec: TensorSpec | None) -> npt.NDArray[np.float64]:
    values = array.astype(np.float64)
    if spec is not None and spec.scale and array.dtype.kind in "iu":
        values = (values - (spec.zero_point or 0)) * spec.scale
    return values[:, 0] if values.ndim > 2 and values.shape[1] == 1 else values


def spread(index: Index, most: int | None) -> Index:
    """At most so many, spread evenly: a split has its data's order, so the first ones would all be alike."""
    if most is None or most >= len(index):
        return index
    return index[(np.arange(most) * len(index)) // most]


def split_info(data: TaskData, index: Index) -> SplitInfo:
    """The description of some test samples for a cell's file, with their labels."""
    split, whole = data.split, len(index) == len(data.split.test)
    numbers: list[int] | list[float] = data.labels[index].tolist()
    return SplitInfo(
        dataset=data.dataset_name,
        synthetic=data.synthetic,
        scheme=split.scheme,
        seed=split.seed,
        fold=split.fold,
        folds=split.folds,
        n=len(index),
        sha256=split.sha256 if whole else sha256_bytes(f"{split.sha256}:{len(index)}".encode()),
        subject_overlap=split.subject_overlap if whole else None,
        classes=data.classes,
        labels=tuple(numbers),
        task=data.task.name,
    )


def pixels(data: TaskData, samples: int | None) -> tuple[npt.NDArray[np.uint8], Index]:
    """Test images for networks that were trained here: uint8 (n, h, w, 1 or 3), and their indices.

    Raises:
        UsageError: the task has no images.
    """
    index = spread(data.split.test, samples)
    images = data.dataset().images[index]
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis]), index


def own_inputs(data: TaskData, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> OwnInputs:
    """A task's preprocessed test samples as the inputs of one network.

    Raises:
        UsageError: the network has several inputs, or another one than the task gives.
    """
    if len(inputs) != 1:
        raise UsageError(f"the network has {len(inputs)} inputs, and task '{data.task.name}' gives one")
    tensor = inputs[0]
    one = as_tensor(data.values(data.split.test[:1]), tensor)
    answers = sum(spec.elements * np.dtype(spec.dtype).itemsize for spec in outputs)
    most = min(MAX_SAMPLES, LIMIT // max(1, one.nbytes), OUTPUTS_LIMIT // max(1, answers))

    def prepare(samples: int | None) -> TestSet:
        index = spread(data.split.test, min(most, samples or most))
        values = as_tensor(data.values(index), tensor)
        path, digest = kept(npz([values.reshape(len(index), *tensor.shape)]), "npz")
        return TestSet(split_info(data, index), path, digest, tensors=(tensor,), judge=Judge(data, index))

    # networks that take another element type, shape or scale are sent another file
    form = (tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point)
    rules = sha256_bytes(f"{data.split.sha256} {data.task.document.preprocess!r} {form}".encode())
    return OwnInputs(key=f"{data.split.scheme}-{rules[:8]}", names=(tensor.name,), prepare=prepare)
