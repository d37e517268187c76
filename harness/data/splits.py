"""Divides a data set into training, validation and test images, equally on every machine and numpy version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError, UsageError
from harness.data.dataset import Dataset, Split
from harness.data.stream import Stream

SCHEMES = ("random", "subject")
#: One image in ten is held out, rounded up: 99 of CK+'s 981, of which the paper's 98.99 % are 98.
HELD_OUT = 10
_RANDOM, _RANDOM_VALIDATION, _SUBJECT, _SUBJECT_VALIDATION = 11, 12, 13, 14

Index = npt.NDArray[np.int64]


def split(dataset: Dataset, scheme: str = "random", seed: int = 0, fold: int = 0, folds: int = 10) -> Split:
    """Divide a data set into training, validation and test images.

    ``random`` is the paper's split: a stratified tenth for test (rounded up), and a stratified tenth of the rest for
    validation. Frames of one sequence may be on both sides; ``subject_overlap`` counts them. It has no folds, so it
    records 0 of 1. ``subject`` puts each person wholly into test, validation or training: fold ``fold`` of ``folds`` is
    the test part, and one tenth of the other people are for validation.

    Raises:
        DataError: for ``subject``, the source doesn't tell who is on the images, or it has too few people.
        UsageError: the scheme or the fold does not exist.
    """
    if scheme == "random":
        rest, test = _stratified(dataset.labels, np.arange(len(dataset.labels)), Stream(seed, _RANDOM))
        train, validation = _stratified(dataset.labels, rest, Stream(seed, _RANDOM_VALIDATION))
        fold, folds = 0, 1
    elif scheme == "subject":
        train, validation, test = _by_subject(dataset, seed, fold, folds)
    else:
        raise UsageError(f"split '{scheme}' is unknown", fix=f"one of {', '.join(SCHEMES)}")
    return Split(
        scheme=scheme,
        seed=seed,
        fold=fold,
        folds=folds,
        train=train,
        validation=validation,
        test=test,
        subject_overlap=overlap(dataset.subjects, test, np.concatenate([train, validation])),
        sha256=split_hash(dataset.sha256, train, validation, test),
    )


def quotas(counts: Sequence[int], total: int) -> list[int]:
    """Share ``total`` among classes in proportion to ``counts`` by largest remainders, at least 1 for each class.

    It uses integer arithmetic, so it is exact. Of equal remainders the smaller class comes first. A class with fewer
    than two images gets 0, because at least one must stay for training.
    """
    whole = sum(counts)
    floor = [count * total // whole for count in counts]
    result = [max(f, 1) if count > 1 else 0 for f, count in zip(floor, counts, strict=True)]
    order = sorted(range(len(counts)), key=lambda k: (-(counts[k] * total % whole), counts[k], k))
    for k in order:
        if sum(result) >= total:
            break
        if result[k] == floor[k] and result[k] < counts[k] - 1:
            result[k] += 1
    while sum(result) > total and max(result) > 1:
        result[result.index(max(result))] -= 1
    return result


def _stratified(labels: Index, among: Index, stream: Stream) -> tuple[Index, Index]:
    """Hold out a tenth of ``among`` (rounded up), class by class. Returns the rest and the held-out part, ascending."""
    classes = sorted({int(c) for c in labels[among]})
    members = [[int(i) for i in among if labels[i] == c] for c in classes]
    shares = quotas([len(m) for m in members], -(-len(among) // HELD_OUT))
    held: list[int] = []
    for group, count in zip(members, shares, strict=True):
        held += stream.shuffled(group)[:count]
    out = np.array(sorted(held), dtype=np.int64)
    return np.setdiff1d(among, out).astype(np.int64), out


def _by_subject(dataset: Dataset, seed: int, fold: int, folds: int) -> tuple[Index, Index, Index]:
    if dataset.subjects is None:
        raise DataError(
            f"{dataset.name} doesn't say who is on its images, so no subject-disjoint split is possible",
            fix="use --split random, or CK+'s own tree or the 981-image folders",
        )
    if not 0 <= fold < folds or folds < 2:
        raise UsageError(f"fold {fold} of {folds} doesn't exist", fix="folds from 2, fold counts from 0")
    people = sorted(set(dataset.subjects))
    if len(people) < folds + 1:
        raise DataError(f"{dataset.name} has {len(people)} people, too few for {folds} folds and a validation part")
    order = Stream(seed, _SUBJECT, folds).shuffled(people)
    tested = set(order[fold::folds])
    others = [p for p in order if p not in tested]
    aside = -(-len(others) // HELD_OUT)
    checked = set(Stream(seed, _SUBJECT_VALIDATION, folds, fold).shuffled(others)[:aside])
    part = [2 if s in tested else 1 if s in checked else 0 for s in dataset.subjects]
    index = np.array(part)
    train, validation, test = (np.flatnonzero(index == k).astype(np.int64) for k in range(3))
    return train, validation, test


def overlap(subjects: tuple[str, ...] | None, test: Index, rest: Index) -> int | None:
    """The number of test images of a person who is also among the rest; None where the people are unknown."""
    if subjects is None:
        return None
    known = {subjects[i] for i in rest}
    return sum(subjects[i] in known for i in test)


def split_hash(data: str, *parts: Index) -> str:
    """Hash of a split: of the hash of its data, and of the indices of its parts."""
    digest = hashlib.sha256(data.encode())
    for part in parts:
        digest.update(f"{len(part)}:".encode())
        digest.update(part.astype("<i8").tobytes())
    return digest.hexdigest()
