"""Splits: sizes, honesty, stability."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import DataError, UsageError
from harness.data.splits import quotas, split
from harness.data.synthetic.generator import generate
from tests.support.datasets import small_dataset


def test_random_split_has_the_paper_s_99_test_images() -> None:
    data = generate()
    parts = split(data)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (793, 89, 99)
    everything = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(everything) == list(range(981))
    counts = np.bincount(data.labels[parts.test], minlength=7)
    assert counts.min() >= 1
    assert np.abs(counts - np.bincount(data.labels) * 99 / 981).max() < 1
    assert (parts.fold, parts.folds) == (0, 1)


def test_random_split_leaks_people_and_says_so() -> None:
    overlap = split(generate()).subject_overlap
    assert overlap is not None
    assert overlap > 90


def test_split_is_the_same_on_every_machine() -> None:
    assert split(generate()).sha256 == "451e5a7f90d4bd9f7534e05b5e0ed97d708912935589ba0625f2cf86b6192e48"


def test_subject_folds_share_nobody_and_cover_everybody() -> None:
    data = generate()
    assert data.subjects is not None
    tested: list[int] = []
    for fold in range(10):
        parts = split(data, "subject", fold=fold)
        people = [{data.subjects[i] for i in part} for part in (parts.train, parts.validation, parts.test)]
        assert not people[0] & people[1]
        assert not people[0] & people[2]
        assert not people[1] & people[2]
        assert parts.subject_overlap == 0
        tested += list(parts.test)
    assert sorted(tested) == list(range(981))


def test_seed_and_fold_change_the_hash() -> None:
    data = small_dataset()
    hashes = {split(data, "subject", seed=s, fold=f).sha256 for s in range(2) for f in range(2)}
    hashes |= {split(data, seed=s).sha256 for s in range(2)}
    assert len(hashes) == 6


def test_without_subjects_only_random_works() -> None:
    data = replace(small_dataset(), subjects=None)
    assert split(data).subject_overlap is None
    with pytest.raises(DataError, match="who is on"):
        split(data, "subject")


@pytest.mark.parametrize(("scheme", "fold", "folds"), [("kfold", 0, 10), ("subject", 10, 10), ("subject", 0, 1)])
def test_bad_requests(scheme: str, fold: int, folds: int) -> None:
    with pytest.raises(UsageError):
        split(small_dataset(), scheme, fold=fold, folds=folds)


def test_more_folds_than_people() -> None:
    with pytest.raises(DataError, match="too few"):
        split(small_dataset(people=5), "subject", folds=5)


@given(st.lists(st.integers(2, 300), min_size=1, max_size=9))
def test_quotas_add_up_and_leave_something(counts: list[int]) -> None:
    total = -(-sum(counts) // 10)
    shares = quotas(counts, total)
    assert all(1 <= share < count for share, count in zip(shares, counts, strict=True))
    assert sum(shares) == max(total, len(counts))
