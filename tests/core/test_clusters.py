"""Answers in clusters: intervals that cover, and a paired test that keeps its level and finds what is there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from harness.core import clusters
from harness.core.stats import TooFewSamplesError, wilson

#: Mean accuracy, and how alike frames of one person are (0: independent, near 1: all right or all wrong).
LAWS = {
    "0.95, alike": (0.95, 0.4),
    "0.95, independent": (0.95, 1e-6),
    "0.75, alike": (0.75, 0.4),
    "0.99, alike": (0.99, 0.3),
}
PEOPLE, TRIALS = 354, 1000


def people(chance: np.random.Generator, count: int = PEOPLE) -> list[str]:
    """A name an image. Each person has 3, 6, 9 or 12 frames, as drawn faces have."""
    frames = 3 * chance.integers(1, 5, count)
    return [f"p{person}" for person, number in enumerate(frames) for _ in range(number)]


def answers(chance: np.random.Generator, names: list[str], mean: float, alike: float) -> NDArray[np.bool_]:
    """Right or wrong; each person has an accuracy of their own (a beta-binomial law)."""
    strength = 1 / alike - 1
    own = dict(zip(dict.fromkeys(names), chance.beta(mean * strength, (1 - mean) * strength, len(names)), strict=False))
    return np.asarray(chance.random(len(names)) < np.array([own[name] for name in names]))


@pytest.mark.parametrize("law", LAWS)
def test_the_interval_by_person_holds_the_truth_as_often_as_it_says(law: str) -> None:
    chance = np.random.default_rng(17)
    mean, alike = LAWS[law]
    names = people(chance)
    found = [clusters.proportion(answers(chance, names, mean, alike), names) for _ in range(TRIALS)]
    covered = sum(each.low <= mean <= each.high for each in found) / TRIALS
    assert 0.935 <= covered <= 0.975, covered


def test_frames_taken_as_independent_would_promise_too_much() -> None:
    chance = np.random.default_rng(18)
    names = people(chance)
    drawn = [answers(chance, names, 0.95, 0.4) for _ in range(500)]
    naive = [wilson(int(right.sum()), len(right)) for right in drawn]
    assert sum(each.low <= 0.95 <= each.high for each in naive) / 500 < 0.9


def test_the_paired_interval_covers_and_the_test_keeps_its_level() -> None:
    chance = np.random.default_rng(19)
    names = people(chance, 120)
    covered = alarms = 0
    for _ in range(1000):
        a, b = (answers(chance, names, 0.9, 0.3) for _ in range(2))
        found = clusters.difference(a, b, names)
        covered += found.interval.low <= 0 <= found.interval.high
        alarms += found.p_value < 0.05
    assert 0.93 <= covered / 1000 <= 0.97
    assert 0.03 <= alarms / 1000 <= 0.065


def test_a_difference_of_some_points_is_found() -> None:
    chance = np.random.default_rng(20)
    names = people(chance)
    found = [
        clusters.difference(answers(chance, names, 0.95, 0.3), answers(chance, names, 0.9, 0.3), names)
        for _ in range(100)
    ]
    assert sum(each.p_value < 0.01 for each in found) > 80
    assert np.mean([each.interval.value for each in found]) == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("sums", [[3], [1, 2, -1], [3, 3, 3, -2], [0, 0, 5, 1], [2, -2], [1] * 6])
def test_the_exact_test_is_that_of_all_sign_flips(sums: list[int]) -> None:
    flips = [sum(sign * value for sign, value in zip(signs, sums, strict=True))
             for signs in itertools.product((1, -1), repeat=len(sums))]  # fmt: skip
    expected = np.mean([abs(flipped) >= abs(sum(sums)) for flipped in flips])
    assert clusters.sign_flip_p_value(np.array(sums)) == pytest.approx(expected)


def test_clusters_of_one_answer_are_nearly_independent_ones() -> None:
    chance = np.random.default_rng(21)
    right = chance.random(2000) < 0.9
    by_cluster = clusters.proportion(right, [str(n) for n in range(2000)])
    plain = binomtest(int(right.sum()), 2000).proportion_ci(method="exact")
    assert (by_cluster.low, by_cluster.high) == pytest.approx((plain.low, plain.high), abs=2e-4)


def test_all_right_is_as_certain_as_the_number_of_people() -> None:
    found = clusters.proportion(np.ones(30, dtype=bool), [f"p{n // 3}" for n in range(30)])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(binomtest(10, 10).proportion_ci(method="exact").low)


def test_equal_answers_differ_by_nothing() -> None:
    right = np.array([True, False, True, True])
    found = clusters.difference(right, right, ["a", "a", "b", "b"])
    assert (found.interval.low, found.interval.high, found.p_value) == (0.0, 0.0, 1.0)


def test_one_person_says_nothing_about_people() -> None:
    with pytest.raises(TooFewSamplesError, match="2 clusters"):
        clusters.proportion(np.array([True, False]), ["a", "a"])
    with pytest.raises(ValueError, match="clusters for"):
        clusters.proportion(np.array([True, False]), ["a"])
    with pytest.raises(ValueError, match="both answers"):
        clusters.difference(np.array([True, False]), np.array([True]), ["a", "b"])
