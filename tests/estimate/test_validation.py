"""The figures of the validation page."""

from __future__ import annotations

import pytest

from benchmarks.validate_estimates import quality

MEASURED = {("a", "fp32"): 10.0, ("b", "fp32"): 20.0, ("c", "fp32"): 30.0}


def test_numbers_in_proportion_have_no_error() -> None:
    found = quality(MEASURED, {key: value * 7 for key, value in MEASURED.items()})
    assert (found.pairs, found.wrong, found.apart_wrong) == (3, 0, 0)
    assert found.median_error == found.worst_error == pytest.approx(1)
    assert found.correlation == pytest.approx(1)


def test_wrong_orders_and_far_ratios_are_seen() -> None:
    found = quality(MEASURED, {("a", "fp32"): 10.0, ("b", "fp32"): 12.0, ("c", "fp32"): 9.0})
    assert found.wrong == 2  # a with c, b with c
    assert (found.apart, found.apart_wrong) == (1, 1)  # b and c differ by 1.33, a and b by 1.2
    assert found.worst_error == pytest.approx(3.0 / 0.9)
    assert found.correlation == pytest.approx(-0.5)
