"""The figures of ``benchmarks.boots``: what several boots of one board differ by."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks.boots import boot_of, rows, summary, wanted
from benchmarks.made.cells import make_cell
from harness.records.estimate import NoEstimate
from tests.support.estimate_factory import make_estimate


def test_boots_differ_by_their_medians_and_by_their_estimates() -> None:
    plain = make_cell("squeezenet", "int8", latency_ns=(1000,) * 98 + (1002,))
    looked_at = [
        make_cell("squeezenet", "int8", latency_ns=(median,) * 99).model_copy(
            update={"estimate": make_estimate(cycles)}
        )
        for median, cycles in ((1001, 500_000), (1000, 500_100))
    ]
    boots = [boot_of(cell) for cell in (plain, *looked_at)]
    found = summary(boots)
    assert found == pytest.approx(
        {"medians": 0.001, "instructions that the plugin counted": 0.0, "estimated cycles": 0.0002}
    )
    assert [row[1] for row in rows(boots)] == ["no", "yes", "yes"]
    assert list(summary(boots[:1])) == ["medians"]


def test_an_estimate_that_is_missing_ends_it_with_its_reason() -> None:
    cell = make_cell("squeezenet", "int8").model_copy(update={"estimate": NoEstimate(reason="no compiler")})
    with pytest.raises(SystemExit, match="no estimate: no compiler"):
        boot_of(cell)


def test_boots_with_and_without_the_plugin_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.boots.check", lambda board: None)
    assert wanted(Namespace(boots=2, plain=None), "raspberry-pi-4") == [False, True, False, True]
    assert wanted(Namespace(boots=3, plain=1), "raspberry-pi-4") == [False, True, True, True]
    assert wanted(Namespace(boots=1, plain=2), "raspberry-pi-4") == [False, True, False]


def test_without_the_programs_for_estimates_only_counts_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert wanted(Namespace(boots=2, plain=None), "raspberry-pi-4") == [False, False]
