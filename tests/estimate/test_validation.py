"""The figures of the validation page."""

from __future__ import annotations

import pytest

from benchmarks.published import TABLES
from benchmarks.validate_estimates import Figures, page, quality

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


def test_equal_latencies_have_no_wrong_order() -> None:
    found = quality({**MEASURED, ("c", "int8"): 30.0}, {**MEASURED, ("c", "int8"): 60.0})
    assert (found.pairs, found.wrong, found.apart, found.apart_wrong) == (6, 0, 6, 0)
    assert found.worst_error == pytest.approx(2)


def test_every_published_table_says_where_it_is_from() -> None:
    assert len({table.title for table in TABLES}) == len(TABLES)
    for table in TABLES:
        assert table.source.startswith("https://")
        assert table.date
        assert len(table.milliseconds) >= 2
        assert min(table.milliseconds.values()) > 0
        assert table.threads >= 1


def test_the_page_has_all_tables_and_the_quality_of_each_kind_of_number() -> None:
    found = {
        table.title: {
            key: Figures(int(1e6 * value), 8e5 * value, 4e5 * value) for key, value in table.milliseconds.items()
        }
        for table in TABLES
    }
    text = page(found, "QEMU 1, LLVM 2.")
    for table in TABLES:
        assert f"## {table.title}: {table.core.name}" in text
    assert text.count("| counted instructions | 0 of") == len(TABLES)
    assert "100.00x" not in text
    several = [table for table in TABLES if table.threads > 1]
    assert text.count("of the worst error with counts (1.00x), the estimate leaves 1.00") == len(several)
