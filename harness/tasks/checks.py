"""What a split or a network would suffer from without a word: doubles across the split, classes that are too small."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes
from harness.data.findings import FaultLog, printable

if TYPE_CHECKING:
    from harness.tasks.task import TaskData


def check(data: TaskData, faults: FaultLog) -> None:
    """Report what is wrong with the data as a whole."""
    if data.classes:
        _check_classes(data, faults)
    _check_doubles(data, faults)
    kind = data.task.metric
    if kind.name == "top5" and len(data.classes) <= 5:
        text = f"top5 of {len(data.classes)} classes is always right"
        faults.fatal("top5", ".", text, fix="metric: top1")
    if data.split.subject_overlap:
        text = f"{data.split.subject_overlap} of {len(data.split.test)} test samples share a group with training"
        faults.warning("group-overlap", ".", text, fix="split: {by: group}")


def repeated(array: npt.NDArray[Any]) -> int:
    """The number of samples that repeat an earlier one."""
    return len(array) - len({_digest(sample) for sample in array})


def _digest(sample: npt.NDArray[Any]) -> str:
    return sha256_bytes(np.ascontiguousarray(sample).tobytes())


def _check_classes(data: TaskData, faults: FaultLog) -> None:
    count = len(data.classes)
    whole, train, test = (
        np.bincount(np.asarray(data.labels[index], dtype=np.int64), minlength=count)
        for index in (slice(None), data.split.train, data.split.test)
    )
    empty = [name for name, n in zip(data.classes, whole, strict=True) if n == 0]
    if empty:
        named = printable(", ".join(empty[:5])) + ("..." if len(empty) > 5 else "")
        text = f"{len(empty)} classes have no sample: {named}"
        faults.warning("empty-class", ".", text, fix="nothing can be learnt of them; a network that knows them is fine")
    for number, name in enumerate(data.classes):
        if whole[number] == 1:
            part = "training" if train[number] else "test" if test[number] else "validation"
            text = f"class '{name}' has one sample, which is for {part}"
            faults.warning("one-sample", ".", text, fix="add more, or leave the class out")
        elif whole[number] and not test[number]:
            faults.warning("untested-class", ".", f"class '{name}' has no test sample", fix="another split")
        elif whole[number] and not train[number]:
            faults.warning("untrained-class", ".", f"class '{name}' has no training sample", fix="another split")


def _check_doubles(data: TaskData, faults: FaultLog) -> None:
    """Report samples that occur more than once: on both sides of the split, or with two labels."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for k, sample in enumerate(data.samples):
        places[_digest(sample)].append(k)
    part = np.zeros(len(data.samples), dtype=np.int64)
    part[data.split.test] = 2
    part[data.split.validation] = 1
    for members in places.values():
        if len(members) < 2:
            continue
        first, second = data.ids[members[0]], data.ids[members[1]]
        if len({data.labels[k] for k in members}) > 1:
            text = f"the same as {first}, with another label; both are kept"
            faults.warning("contradicting-labels", second, text, fix="one label is wrong: remove one of them")
        tested = [k for k in members if part[k] == 2]
        others = [k for k in members if part[k] != 2]
        if tested and others:
            text = f"a test sample that is also {data.ids[others[0]]}, which is not for test"
            faults.warning("double-across-split", data.ids[tested[0]], text, fix="remove one: accuracy would flatter")
