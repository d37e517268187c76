"""A change of one cell: told by rounds, not told by one round, and the machine's own."""

from __future__ import annotations

import pytest

from benchmarks.made.cells import device, in_rounds, make_cell
from harness.records.cell import Cell
from harness.results import change

HERE = device("here", "generic", emulated=False)


def cell(median: float = 10.0, *, rounds: int = 5, apart: float = 0.01, seed: int = 0, canary: float = 0.0) -> Cell:
    made = make_cell(dev=HERE, median_ms=median, noise=0.01)
    times = [canary * (1 + 0.001 * number) for number in range(rounds)] if canary else []
    return in_rounds(made, rounds, apart=apart, seed=seed, canary=times)


def doubt(found: change.Change, limit: float = 0.03) -> str:
    return change.doubt(found, adjusted=found.p_value, limit=limit)


def test_rounds_tell_a_slower_build() -> None:
    found = change.change(cell(seed=1), cell(11.0, seed=2))
    assert found.by_rounds
    assert found.p_value < 0.01
    assert found.ratio.low < 1.1 < found.ratio.high
    assert doubt(found) == ""


def test_the_same_build_in_quiet_rounds_is_the_same() -> None:
    found = change.change(cell(seed=1, apart=0.005), cell(seed=2, apart=0.005))
    assert found.p_value > 0.05
    assert doubt(found) == ""


def test_rounds_that_lie_far_apart_tell_nothing_and_say_how_many_would() -> None:
    found = change.change(cell(seed=1, apart=0.1), cell(10.5, seed=2, apart=0.1))
    assert doubt(found).startswith("the rounds disagree too much to tell 3%; about ")


@pytest.mark.parametrize(("rounds", "said"), [((1, 1), "measure with --rounds 5"), ((1, 5), "rounds would tell 3%")])
def test_one_round_on_the_wall_clock_tells_nothing(rounds: tuple[int, int], said: str) -> None:
    found = change.change(cell(rounds=rounds[0], seed=1), cell(20.0, rounds=rounds[1], seed=2))
    assert not found.by_rounds
    assert doubt(found).startswith("one round can't tell; ")
    assert doubt(found).endswith(said)


def test_a_cell_of_older_results_is_one_round() -> None:
    old = make_cell(dev=HERE, passes=3)
    assert old.round_sizes == (297,)
    assert change.change(old, old).by_rounds is False
    assert len(change.canaries(old, "compute")) == 0


def test_one_round_of_instructions_is_enough() -> None:
    a, b = make_cell(median_ms=10.0), make_cell(median_ms=10.5)
    found = change.change(a, b)
    assert found.exact
    assert found.p_value < 0.001
    assert doubt(found) == ""


def test_a_change_that_the_canary_shows_is_the_machines() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(13.0, seed=2, canary=1.3))
    assert found.p_value < 0.01
    assert found.machine == pytest.approx(1.3, rel=0.01)
    assert doubt(found) == "the machine itself was 30% slower, by its canary"


def test_a_build_that_is_slower_on_a_faster_machine_is_not_called_the_same() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(10.0, seed=2, canary=0.75))
    assert found.p_value > 0.05
    assert doubt(found) == "the machine itself was 25% faster, by its canary"


def test_a_machine_that_moved_less_than_the_gate_leaves_a_cell_the_same() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(10.0, seed=2, canary=1.025))
    assert doubt(found) == ""


@pytest.mark.parametrize("evidence", [{}, {"numpy": "1.26.4"}])
def test_canaries_of_two_versions_of_numpy_are_not_compared(evidence: dict[str, str]) -> None:
    old, new = cell(seed=1, canary=1.0), cell(13.0, seed=2, canary=1.3)
    found = change.change(
        old.model_copy(update={"evidence": evidence}), new.model_copy(update={"evidence": {"numpy": "2.3.5"}})
    )
    assert not found.watched
    assert found.machine is None


def test_a_build_that_is_slower_on_a_faster_machine_is_not_called_faster() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(8.0, seed=2, canary=0.7))
    assert found.ratio.value < 1
    assert found.p_machine == 1
    assert doubt(found) == "the machine itself was 30% faster, by its canary"


def test_a_canary_of_another_form_explains_nothing() -> None:
    older, newer = cell(seed=1, canary=1.0), cell(13.0, seed=2, canary=1.3)
    looks = [each.model_copy(update={"before": each.before.model_copy(update={"form": 2})}) for each in newer.rounds
             if each.before]  # fmt: skip
    found = change.change(older, newer.model_copy(update={"rounds": tuple(looks)}))
    assert found.machine is None
    assert doubt(found) == ""


def test_a_change_beyond_the_canarys_is_the_builds() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(16.0, seed=2, canary=1.3))
    assert doubt(found) == ""


def test_a_canary_that_moved_the_other_way_explains_nothing() -> None:
    found = change.change(cell(seed=1, canary=1.0), cell(11.0, seed=2, canary=0.8))
    assert found.machine is None
    assert doubt(found) == ""


def test_the_interval_of_a_cell_comes_from_its_rounds() -> None:
    one, five = change.interval(make_cell(dev=HERE, passes=5)), change.interval(cell(apart=0.05))
    assert (five.high - five.low) / five.value > 3 * (one.high - one.low) / one.value
