"""Estimates in a run: who gets one, what is said instead, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks.made.cells import make_cell, make_run
from harness.config.devices import parse
from harness.core.errors import EstimateError, UsageError
from harness.estimate.estimator import Estimator, known_core
from harness.estimate.plugin import Plugin
from harness.estimate.prefixes import operators
from harness.records.estimate import Estimate, NoEstimate, OperatorCosts
from harness.results import store
from harness.run import estimates
from harness.run.estimates import Marking, estimate_notes, estimated, estimating, marking
from harness.run.plan import Options
from tests.support.estimate_factory import FOUR_OR_TWO, Known
from tests.support.jobs import job, one_device


@pytest.fixture
def board(tmp_path: Path) -> Estimator:
    (tmp_path / "regions").mkdir()
    plugin = Plugin(tmp_path / "plugin.so", 1, "7.2.22")
    return Estimator(known_core("raspberry-pi-4"), plugin, tmp_path / "regions", Known(FOUR_OR_TWO), "19.1.7")


def mark(board: Estimator, first: int, *executions: int) -> None:
    for number, count in enumerate(executions, start=first):
        text = f"levels 2\nblock 1000 {count} 0 0 d65f03c0\nend\n"
        (board.folder / f"region-{number}").write_text(text)


def test_nobody_asked_or_a_real_board() -> None:
    with estimating(one_device(), wanted=False) as found:
        assert found is None
    real = parse(yaml.safe_dump({"devices": [{"name": "here", "board": "generic", "local": True}]})).devices[0]
    with estimating(real, wanted=True) as found:
        assert found is None


def test_the_wall_clock_and_missing_programs_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    with estimating(one_device(clock="wall"), wanted=True) as found:
        assert isinstance(found, NoEstimate)
        assert "wall clock" in found.reason

    def missing(_: str) -> Estimator:
        raise EstimateError("estimated cycles need cc", fix="sudo apt-get install gcc")

    monkeypatch.setattr(estimates, "estimator", missing)
    with estimating(one_device(), wanted=True) as found:
        assert found == NoEstimate(reason="estimated cycles need cc (sudo apt-get install gcc)")


@pytest.mark.parametrize("keys", [{"board": "raspberry-pi-2"}, {"os": "armhf"}])
def test_32_bit_programs_have_no_estimate(keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their instructions are not those that the marks and costs are of."""
    monkeypatch.setattr(estimates, "estimator", lambda _: pytest.fail("made"))
    with estimating(one_device(**keys), wanted=True) as found:
        assert isinstance(found, NoEstimate)
        assert "armv7l programs can't be estimated" in found.reason


def test_estimates_without_an_emulated_board_are_said_to_have_no_effect() -> None:
    real = parse(yaml.safe_dump({"devices": [{"name": "here", "board": "generic", "local": True}]})).devices
    (note,) = estimate_notes(real, Options(estimate=True))
    assert "none is chosen" in note
    assert estimate_notes(real, Options(profile_ops=True, estimate=False)) == []
    assert estimate_notes((*real, one_device()), Options(estimate=True)) == []
    assert estimate_notes(real, Options()) == []


def test_operators_of_an_emulated_board_need_estimates() -> None:
    assert estimate_notes((one_device(),), Options(profile_ops=True)) == []
    with pytest.raises(UsageError, match=r"--no-estimate, but on an emulated board \(.*\) --profile-ops estimates"):
        estimate_notes((one_device(),), Options(profile_ops=True, estimate=False))


def test_several_threads_and_accelerators_have_no_estimate(board: Estimator) -> None:
    assert "one thread, and this cell has 4" in str(marking(board, job(threads=4), profile=False))
    assert "runs on edgetpu" in str(marking(board, job(delegate="edgetpu"), profile=False))
    reason = NoEstimate(reason="no compiler")
    assert marking(reason, job(), profile=False) is reason
    assert marking(None, job(), profile=True) is None


def test_operators_are_marked_only_where_they_are_asked_for(board: Estimator) -> None:
    plain, profiled = marking(board, job(), profile=False), marking(board, job(), profile=True)
    assert isinstance(plain, Marking)
    assert isinstance(profiled, Marking)
    assert plain.marks.prefixes == ()
    assert len(profiled.marks.prefixes) == len(operators(job().shipped.path.read_bytes()))
    assert profiled.extra_s > plain.extra_s == 0
    assert plain.marks.call is None
    assert profiled.marks.call is not None


def test_a_cell_gets_its_estimate_or_the_reason(board: Estimator) -> None:
    cell = make_cell("resvgg19-pruned", "fp32")
    assert estimated(cell, None) is cell
    assert estimated(cell, NoEstimate(reason="no compiler")).estimate == NoEstimate(reason="no compiler")
    mark(board, 0, 1010, 1000, 3000, 1010, 1010)
    found = estimated(cell, Marking(board)).estimate
    assert isinstance(found, Estimate)
    assert (found.cycles, found.instructions) == (2000, 1000)
    gone = estimated(cell, Marking(board)).estimate
    assert isinstance(gone, NoEstimate)
    assert "left 0 regions of 5" in gone.reason


def test_the_runner_s_own_words_are_in_the_reason(board: Estimator) -> None:
    cell = make_cell("resvgg19-pruned", "fp32")
    said = {"stderr": "INFO: delegate\nnot marked: OSError: markers are AArch64 instructions, this is armv7l\nbye"}
    found = estimated(cell.model_copy(update={"evidence": {**cell.evidence, **said}}), Marking(board)).estimate
    assert isinstance(found, NoEstimate)
    assert found.reason.endswith("; it said: not marked: OSError: markers are AArch64 instructions, this is armv7l")


def test_what_an_attempt_left_is_not_the_next_ones(board: Estimator) -> None:
    mark(board, 0, 1, 2, 3)
    marking = Marking(board)
    marking.begin()
    mark(board, 3, 7, 7, 7, 7, 7)
    found = marking.added(make_cell("resvgg19-pruned", "fp32")).estimate
    assert isinstance(found, Estimate)
    assert found.instructions == 7


def test_operators_cost_what_their_prefixes_differ_by(board: Estimator) -> None:
    two = operators(job().shipped.path.read_bytes())[:2]
    mark(board, 0, *[1000] * 5, *[10] * 3, *[400] * 3, *[990] * 3)
    cell = Marking(board, two).added(make_cell("resvgg19-pruned", "fp32"))
    assert isinstance(cell.operators, OperatorCosts)
    assert [each.instructions for each in cell.operators.operators] == [390, 590]
    assert cell.operators.remainder_cycles == 2 * (1000 - 980)
    again = Marking(board, two).added(cell)
    assert isinstance(again.estimate, NoEstimate)


def test_a_stored_cell_keeps_it_and_others_are_as_before(board: Estimator, tmp_path: Path) -> None:
    plain = make_cell("squeezenet", "int8")
    mark(board, 0, *[1000] * 5)
    estimate = Marking(board).added(make_cell("resvgg19-pruned", "fp32"))
    run = make_run(tmp_path / "results", [plain, estimate])
    stored = {cell.cell: cell for cell in store.read_cells(run)}
    assert stored == {plain.cell: plain, estimate.cell: estimate}
    texts = {path.stem: path.read_text() for path in (run / "cells").iterdir()}
    assert '"estimate"' not in texts[plain.cell]
    assert '"estimate"' in texts[estimate.cell]


def test_a_file_that_can_not_be_taken_apart_says_why_and_costs_no_estimate(board: Estimator, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"\x10\0\0\0TFL3")
    damaged = marking(board, job(shipped=replace(job().shipped, path=tmp_path / "x.tflite")), profile=True)
    assert isinstance(damaged, Marking)
    mark(board, 0, *[1000] * 5)
    cell = damaged.added(make_cell("resvgg19-pruned", "fp32"))
    assert isinstance(cell.estimate, Estimate)
    assert isinstance(cell.operators, NoEstimate)
    assert "damaged" in cell.operators.reason
