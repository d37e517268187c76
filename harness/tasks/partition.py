"""Divides a task's samples into training, validation and test: as the data say, by class, by group, or shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError
from harness.data.splits import quotas
from harness.data.stream import Stream
from harness.tasks.sample import PARTS, Part
from harness.tasks.schema import SplitRule

Index = npt.NDArray[np.int64]
#: The first number of each use's random stream. Those of :mod:`harness.data.splits` are others.
_TEST, _VALIDATION = 31, 32
#: The way to split that a form's own parts stand for.
OWN_PARTS = {"folders": "folders", "csv": "column", "npz": "arrays"}


@dataclass(frozen=True)
class Known:
    """What is known of the samples, each in their order: class indices (None where labels are numbers), groups, parts
    (None where the data don't tell), and the data's form."""

    count: int
    labels: Index | None
    groups: tuple[str, ...] | None
    parts: tuple[Part | None, ...]
    form: str


@dataclass(frozen=True)
class Parts:
    """The three parts as ascending indices, the scheme that made them, and remarks for a person."""

    scheme: str
    train: Index
    validation: Index
    test: Index
    remarks: tuple[str, ...] = ()


def divide(known: Known, rule: SplitRule) -> Parts:
    """Divide the samples by a task's rule, or by the best that the data allow: as they say, by group, by class.

    Where the data name no validation part, it is taken from the training part; where they name no test part, their
    validation part is the test part, since nothing may be tuned on it.

    Raises:
        DataError: the data don't tell what the rule needs, or a part would be empty.
    """
    own = OWN_PARTS.get(known.form, "")
    told = any(part is not None for part in known.parts)
    scheme = rule.by or (
        own if told else "group" if known.groups else "shuffled" if known.labels is None else "stratified"
    )
    if scheme in OWN_PARTS.values():
        parts = _as_told(known, rule, scheme, told=told and scheme == own)
    else:
        rest, test = _held_out(known, np.arange(known.count), scheme, (rule.test, rule.seed, _TEST))
        train, validation = _held_out(known, rest, scheme, (rule.validation, rule.seed, _VALIDATION))
        parts = Parts(scheme, train, validation, test)
    for name, index in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        if not len(index):
            raise DataError(f"the split leaves no sample for {name}", fix="more samples, or other shares below 'split'")
    return parts


def _as_told(known: Known, rule: SplitRule, scheme: str, *, told: bool) -> Parts:
    """The parts that the data name."""
    if not told:
        raise DataError(f"'by: {scheme}' below 'split', but the data name no parts in that way",
                        fix="leave it out, or write stratified, shuffled or group")  # fmt: skip
    unknown = sum(part is None for part in known.parts)
    if unknown:
        raise DataError(f"{unknown} samples of {known.count} are in no part of the split")
    train, validation, test = (_members(known.parts, part) for part in PARTS)
    remarks = []
    if not len(test) and len(validation):
        test, validation = validation, test
        remarks.append("there is no test part, so the validation part is the test part, and nothing is tuned on it")
    if not len(validation):
        by = "group" if known.groups else "shuffled" if known.labels is None else "stratified"
        train, validation = _held_out(known, train, by, (rule.validation, rule.seed, _VALIDATION))
        remarks.append(f"{len(validation)} training samples are for validation ({by})")
    return Parts(scheme=scheme, train=train, validation=validation, test=test, remarks=tuple(remarks))


def _members(parts: Sequence[Part | None], wanted: Part) -> Index:
    return np.array([k for k, part in enumerate(parts) if part == wanted], dtype=np.int64)


def _held_out(known: Known, among: Index, scheme: str, how: tuple[float, int, int]) -> tuple[Index, Index]:
    """Hold out a share of ``among``; returns the rest and what is held out, ascending.

    Args:
        how: the share, the seed, and the use of the random numbers.
    """
    share, seed, use = how
    wanted, stream = max(1, round(share * len(among))), Stream(seed, use)
    if scheme == "group":
        held = _whole_groups(known, among, wanted, stream=stream, left=2 if use == _TEST else 1)
    elif scheme == "shuffled" or known.labels is None:
        if scheme == "stratified":
            raise DataError("'by: stratified' is by class, and these labels are numbers", fix="by: shuffled")
        held = stream.shuffled([int(k) for k in among])[:wanted]
    else:
        classes = sorted({int(c) for c in known.labels[among]})
        members = [[int(k) for k in among if known.labels[k] == c] for c in classes]
        shares = quotas([len(m) for m in members], wanted)
        held = [k for group, count in zip(members, shares, strict=True) for k in stream.shuffled(group)[:count]]
    out = np.array(sorted(held), dtype=np.int64)
    return np.setdiff1d(among, out).astype(np.int64), out


def _whole_groups(known: Known, among: Index, wanted: int, *, stream: Stream, left: int) -> list[int]:
    """Members of randomly chosen groups, until there are as many as wanted; ``left`` groups stay for others."""
    if known.groups is None:
        raise DataError("'by: group' below 'split', but the data name no groups", fix="'group: ...' below 'data'")
    members: dict[str, list[int]] = {}
    for k in among:
        members.setdefault(known.groups[k], []).append(int(k))
    if len(members) <= left:
        raise DataError(f"{len(members)} groups are too few to divide by", fix="by: stratified")
    held: list[int] = []
    for name in stream.shuffled(sorted(members))[: len(members) - left]:
        if len(held) >= wanted:
            break
        held += members[name]
    return held
