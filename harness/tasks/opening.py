"""Reads a task's data: samples of its form, decoded, with their labels understood, checked and divided."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError, UsageError
from harness.data import registry, splits
from harness.data.dataset import Dataset, Split
from harness.data.findings import DataFindings, FaultLog, in_order, printable
from harness.data.splits import overlap, split_hash
from harness.tasks import checks, labels, partition, pictures
from harness.tasks.forms import dataset as known_data
from harness.tasks.forms.registry import FORMS
from harness.tasks.sample import Sample
from harness.tasks.task import Task, TaskData


@dataclass(frozen=True)
class _Usable:
    """What is left once labels are understood and images decoded."""

    samples: list[Sample]
    array: npt.NDArray[Any]
    pixels: bool
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    classes: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...] | None:
        """The groups, where all samples have one."""
        groups = tuple(sample.group for sample in self.samples if sample.group is not None)
        return groups if groups and len(groups) == len(self.samples) else None


def open_task(task: Task) -> tuple[TaskData | None, DataFindings]:
    """The data, and the findings about them; None where a fault is fatal.

    Raises:
        UsageError: the task names what can't be.
        DataError: the data aren't there, or not of this form.
    """
    document, faults = task.document, FaultLog()
    if FORMS[document.form].module is None:
        return _known(task)
    kind = task.metric
    samples = FORMS[document.form].read(document.data, task.folder, faults)
    found = len(samples) + sum(faults.left_out.values())
    usable = _usable(task, samples, numbers=kind.labels == "numbers", faults=faults)
    data = None
    if usable is not None and not any(fault.fatal for fault in faults.all):
        data = _divided(task, usable, faults)
    counts = {} if usable is None else _counts(usable)
    return data if not any(fault.fatal for fault in faults.all) else None, DataFindings(
        path=str(task.path),
        form=FORMS[document.form].title,
        counts=counts,
        subjects=len(set(usable.groups)) if usable is not None and usable.groups else None,
        duplicates=checks.repeated(usable.array) if usable is not None else 0,
        left_out=dict(faults.left_out),
        found=found,
        faults=in_order(faults.all),
    )


def _usable(task: Task, samples: list[Sample], *, numbers: bool, faults: FaultLog) -> _Usable | None:
    """The samples with a label that is understood and content that is read; None where nothing is left."""
    document = task.document
    classes: tuple[str, ...] = ()
    if numbers:
        truth, good = labels.numbered(samples, faults)
    else:
        classes, good = labels.classified(samples, document.classes, faults)
        truth = good.astype(np.float64)
    kept = np.flatnonzero(good >= 0)
    if not len(kept) or any(fault.fatal for fault in faults.all):
        if not any(fault.fatal for fault in faults.all):
            faults.fatal("nothing-usable", ".", "no sample can be used", fix="see the other faults")
        return None
    array, pixels, read = pictures.stacked([samples[k] for k in kept], document.preprocess, faults)
    if array is None:
        return None
    kept = kept[read]
    final = truth[kept] if numbers else good[kept]
    return _Usable(samples=[samples[k] for k in kept], array=array, pixels=pixels, labels=final, classes=classes)


def _divided(task: Task, usable: _Usable, faults: FaultLog) -> TaskData | None:
    """The data with their split, checked; None where that is impossible."""
    document = task.document
    if usable.classes and len(set(usable.labels.tolist())) < 2:
        faults.fatal("one-class", ".", "all samples are of one class", fix="a task needs two or more")
        return None
    known = partition.Known(
        count=len(usable.samples),
        labels=np.asarray(usable.labels, dtype=np.int64) if usable.classes else None,
        groups=usable.groups,
        parts=tuple(sample.part for sample in usable.samples),
        form=document.form,
    )
    try:
        parts = partition.divide(known, document.split)
    except DataError as error:
        faults.fatal("no-split", ".", error.message, fix=error.fix or "")
        return None
    for remark in parts.remarks:
        faults.note("split", ".", remark)
    data = _task_data(task, usable, parts)
    checks.check(data, faults)
    return data


def _task_data(task: Task, usable: _Usable, parts: partition.Parts) -> TaskData:
    ids, name = tuple(sample.identity for sample in usable.samples), task.name
    sha256 = _hash(name, usable)
    split = Split(
        scheme=parts.scheme,
        seed=task.document.split.seed,
        fold=0,
        folds=1,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        subject_overlap=overlap(usable.groups, parts.test, np.concatenate([parts.train, parts.validation])),
        sha256=split_hash(sha256, parts.train, parts.validation, parts.test),
    )
    array = usable.array
    array.setflags(write=False)
    return TaskData(
        task=task, samples=array, pixels=usable.pixels, labels=usable.labels, ids=ids, groups=usable.groups,
        classes=usable.classes, split=split, sha256=sha256, dataset_name=name,
    )  # fmt: skip


def _hash(name: str, usable: _Usable) -> str:
    """Hash of all that determines a measurement; for images with classes that of their :class:`Dataset`."""
    if usable.pixels and usable.classes:
        return Dataset(
            name=name,
            synthetic=False,
            images=usable.array,
            labels=np.asarray(usable.labels, dtype=np.int64),
            subjects=usable.groups,
            sequences=None,
            classes=usable.classes,
        ).sha256
    digest = hashlib.sha256()
    array = usable.array
    digest.update(repr((name, array.shape, array.dtype.str, usable.classes, usable.groups)).encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(usable.labels.astype("<f8")).tobytes())
    return digest.hexdigest()


def _counts(usable: _Usable) -> dict[str, int]:
    """Usable samples by class, all under one name where labels are numbers."""
    if not usable.classes:
        return {"numbers": len(usable.samples)}
    counts = np.bincount(np.asarray(usable.labels, dtype=np.int64), minlength=len(usable.classes))
    return {printable(name): int(count) for name, count in zip(usable.classes, counts, strict=True)}


def _known(task: Task) -> tuple[TaskData | None, DataFindings]:
    """A data set of :mod:`harness.data.registry`, divided as ``harness build --split`` does it."""
    document = task.document
    if document.preprocess.size is not None or document.preprocess.colour is not None or document.classes is not None:
        raise UsageError(f"{task.path}: these data have their own size, colour and classes",
                         fix="leave 'size', 'colour' and 'classes' out")  # fmt: skip
    schemes = {None: "random", "stratified": "random", "group": "subject"}
    if document.split.by not in schemes:
        raise UsageError(f"{task.path}: 'by: {document.split.by}' can't divide these data", fix="stratified or group")
    keys = cast("known_data.Keys", document.data)
    spec = known_data.spec(keys, document.form, task.folder)
    findings = registry.check(spec)
    if findings.fatal is not None:
        return None, findings
    data, findings = registry.load_with_findings(spec)
    split = splits.split(data, schemes[document.split.by], document.split.seed)
    return TaskData(
        task=task, samples=data.images, pixels=True, labels=data.labels, ids=_ids(data.sequences, len(data.labels)),
        groups=data.subjects, classes=data.classes, split=split, sha256=data.sha256, dataset_name=data.name,
        synthetic=data.synthetic,
    ), findings  # fmt: skip


def _ids(sequences: Sequence[str] | None, count: int) -> tuple[str, ...]:
    return tuple(f"{sequences[k] if sequences else 'image'}#{k}" for k in range(count))
