"""Rounds spread over a run: their order, what is stored when, what is measured again, and when it ends."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.made.cells import device, make_cell
from harness.core.errors import CellTooLargeError
from harness.records.cell import Cell, Reason
from harness.run.attempt import passing
from harness.run.round_robin import RoundRobin
from harness.run.rounds import joined, one_round

HERE = device("here", "generic", emulated=False)
BUSY = Reason(code="background-load", text="made up")
NAMES = ("one", "two", "three")


def measured(name: str, number: int = 0, *, busy: bool = False, median_ms: float = 10.0) -> Cell:
    wrong = {"status": "INVALID", "reasons": (BUSY,)} if busy else {}
    at = f"{number}"
    cell = make_cell(name, dev=HERE, median_ms=median_ms, noise=0.001, cell=name, started=at, ended=at)
    return one_round(cell.model_copy(update=wrong), None, None)


class Board:
    """Stands in for the attempts, the session, the ledger and the watcher of one device."""

    def __init__(self, rounds: int, measure: Callable[[str, int], Cell] = measured, **context: Any) -> None:
        self.taken: list[str] = []
        self.partly: list[Cell] = []
        self.ended: dict[str, Cell] = {}
        self.before: dict[str, Cell] = {}
        self.tries: list[int] = []
        self.forked: list[bool] = []
        self.first: list[bool] = []
        self.forks_ended: list[int] = []
        self.messages: list[str] = []
        self.halted: Callable[[], bool] = lambda: False
        self.room = 1000
        self.began = time.monotonic()
        self._measure = measure
        self._numbers = itertools.count()
        self.attempts: Any = SimpleNamespace(
            context=SimpleNamespace(
                rounds=rounds, device=SimpleNamespace(effective_clock="wall"),
                **{"precision": None, "budget_s": 600.0, **context},
            ),
            session=SimpleNamespace(
                say=self.messages.append, device=SimpleNamespace(local=True),
                forks=SimpleNamespace(end=lambda: self.forks_ended.append(len(self.taken))),
            ),
            most_tries=3,
            round=self._round,
        )  # fmt: skip
        board = self

        class Halt:
            @property
            def ending(self) -> bool:
                return board.halted()

        self.underway: Any = SimpleNamespace(
            halt=Halt(),
            watcher=SimpleNamespace(cell_started=lambda job: None),
            ledger=SimpleNamespace(stored=lambda job: self.before.get(job.cell), keep_partly=self._partly),
            keep=lambda job, cell: self.ended.update({job.cell: cell}),
        )

    def _partly(self, cell: Cell) -> None:
        if len(cell.rounds) > self.room:
            raise CellTooLargeError("made up")
        self.partly.append(cell)

    def _round(self, job: Any, tries: int, *, first: bool, forked: bool) -> Cell:
        self.taken.append(job.cell)
        self.forked.append(forked)
        self.first.append(first)
        self.tries.append(tries)
        return self._measure(job.cell, next(self._numbers))

    def run(self, *names: str, late_until: float | None = None) -> list[str]:
        """Measure; returns the cells that are left."""
        left: list[Any] = [
            SimpleNamespace(cell=name, shipped=SimpleNamespace(label=name), runtime="litert") for name in names or NAMES
        ]
        RoundRobin(self.underway, self.attempts, "0:here", late_until=late_until).measure(left)
        return [job.cell for job in left]


def test_every_round_takes_all_cells_once_in_an_order_of_its_own() -> None:
    board = Board(5)
    assert board.run() == []
    turns = [tuple(board.taken[at : at + 3]) for at in range(0, 15, 3)]
    assert all(sorted(turn) == sorted(NAMES) for turn in turns)
    assert len(set(turns)) > 1
    assert {name: cell.status for name, cell in board.ended.items()} == dict.fromkeys(NAMES, "VALID")
    assert [len(cell.rounds) for cell in board.ended.values()] == [5, 5, 5]


def test_later_rounds_are_forked_each_from_another_process() -> None:
    board = Board(3)
    board.run("one", "two")
    assert board.forked == [False, False, True, True, True, True]
    assert board.forks_ended == [0, 2, 4]


def test_what_only_a_first_round_does_is_done_again_where_it_is_replaced() -> None:
    again = Board(2)
    again.before["one"] = joined([measured("one", busy=True), measured("one", 1)], 2)
    again.run("one")
    assert again.first == [True]
    later = Board(2)
    later.before["one"] = joined([measured("one"), measured("one", 1, busy=True)], 2)
    later.run("one")
    assert later.first == [False]
    new = Board(3)
    new.run("one")
    assert new.first == [True, False, False]


def test_a_first_round_that_is_measured_again_is_no_fork() -> None:
    board = Board(2)
    busy, later = measured("one", 0, busy=True), measured("one", 1)
    forked = later.model_copy(update={"rounds": (later.rounds[0].model_copy(update={"peak_rss_bytes": None}),)})
    board.before["one"] = joined([busy, forked], 2)
    board.run("one")
    assert board.forked == [False]
    assert board.ended["one"].peak_rss_bytes


def test_every_round_is_stored_at_once() -> None:
    board = Board(3)
    board.run("one")
    assert [len(cell.rounds) for cell in board.partly] == [1, 2]
    assert [reason.code for reason in board.partly[0].reasons] == ["rounds-missing"]


def test_one_round_is_stored_once() -> None:
    board = Board(1)
    board.run("one")
    assert board.partly == []
    assert board.messages == []
    assert board.ended["one"].status == "VALID"


def test_an_interrupted_run_goes_on_with_the_rounds_that_are_missing() -> None:
    board = Board(5)
    board.halted = lambda: len(board.taken) == 7
    assert board.run() == list(NAMES)
    stored = {cell.cell: cell for cell in board.partly}
    again = Board(5)
    again.before = stored
    assert again.run() == []
    assert len(again.taken) == 8
    assert all(cell.status == "VALID" and len(cell.rounds) == 5 for cell in again.ended.values())


def test_only_the_disturbed_round_is_repeated() -> None:
    board = Board(3)
    rounds = [measured("one", 0), measured("one", 1, busy=True), measured("one", 2)]
    board.before = {"one": joined(rounds, 3)}
    board.run("one")
    assert board.taken == ["one"]
    cell = board.ended["one"]
    assert cell.status == "VALID"
    assert [attempt["started"] for attempt in cell.evidence["earlier"]] == ["1"]
    assert [len(each.evidence.get("earlier", ())) for each in cell.rounds] == [0, 1, 0]


def test_a_disturbed_round_stays_where_none_better_is_had() -> None:
    board = Board(2, lambda name, number: measured(name, number, busy=True))
    board.before = {"one": joined([measured("one", 0), measured("one", 1, busy=True)], 2)}
    board.run("one", late_until=float("inf"))
    assert board.ended["one"].reasons == (BUSY,)
    assert len(board.ended["one"].rounds) == 2


def test_a_cell_that_is_wrong_as_a_whole_is_measured_from_the_start() -> None:
    board = Board(2)
    rounds = [measured("one", number) for number in range(2)]
    other = rounds[1].model_copy(update={"predictions": (6,) * 99})
    board.before = {"one": joined([rounds[0], other], 2)}
    board.run("one")
    assert len(board.taken) == 2
    assert board.ended["one"].status == "VALID"


def test_a_local_machine_that_stays_busy_is_not_tried_again_at_once() -> None:
    board = Board(2, lambda name, number: measured(name, number, busy=True))
    board.run()
    assert board.tries == [2, 2, 2, 1, 1, 1]


def test_a_round_that_fails_is_the_cells_last() -> None:
    def measure(name: str, number: int) -> Cell:
        failed = make_cell(name, dev=HERE, cell=name, status="FAILED", reasons=(Reason(code="runner", text="made up"),))
        return failed if number == 1 else measured(name, number)

    board = Board(3, measure)
    board.run("one")
    assert board.taken == ["one", "one"]
    assert [reason.code for reason in board.ended["one"].reasons] == ["runner", "rounds-missing"]


def test_a_round_that_fails_because_the_run_ends_is_not_told() -> None:
    board = Board(3, lambda name, number: make_cell(name, dev=HERE, cell=name, status="FAILED"))
    board.halted = lambda: bool(board.taken)
    assert board.run("one") == ["one"]
    assert (board.partly, board.ended) == ([], {})


def test_precision_goes_on_until_the_interval_is_narrow() -> None:
    board = Board(3, lambda name, number: measured(name, number, median_ms=10 + (number % 2) * 0.5), precision=0.02)
    assert board.run("one") == []
    assert 8 < len(board.ended["one"].rounds) < 40


def test_precision_ends_with_its_time_and_says_which_cells_did_not_get_there() -> None:
    wild = Board(2, lambda name, number: measured(name, number, median_ms=10 + number), precision=0.02, budget_s=0.0)
    assert wild.run("one") == []
    assert len(wild.ended["one"].rounds) == 2
    assert wild.messages[-1].startswith("time is over, and not within ±2.0%: one litert ±")


@pytest.mark.parametrize(("rounds", "precision"), [(2, None), (10, 0.5)])
def test_nothing_is_added_where_the_interval_is_narrow_enough(rounds: int, precision: float | None) -> None:
    board = Board(rounds, precision=precision)
    board.run()
    assert len(board.taken) == 3 * rounds


def test_precision_does_not_end_where_few_rounds_agree_by_luck() -> None:
    board = Board(2, precision=0.5)
    board.run("one")
    assert len(board.ended["one"].rounds) == 10


def test_a_disturbed_round_beyond_the_planned_ones_is_left_out() -> None:
    board = Board(3, lambda name, number: measured(name, number, busy=number in (4, 5)), precision=0.5)
    board.run("one")
    cell = board.ended["one"]
    assert (cell.status, len(cell.rounds), len(board.taken)) == ("VALID", 10, 12)
    assert [attempt["started"] for attempt in cell.evidence["earlier"]] == ["4", "5"]
    assert len(cell.rounds[4].evidence["earlier"]) == 2


def test_a_fault_beyond_the_planned_rounds_counts() -> None:
    def measure(name: str, number: int) -> Cell:
        cell = measured(name, number)
        return cell.model_copy(update={"predictions": (6,) * 99}) if number == 4 else cell

    board = Board(3, measure, precision=0.5)
    board.run("one")
    assert [reason.code for reason in board.ended["one"].reasons] == ["unstable-predictions"]
    assert len(board.taken) == 5  # more rounds would not make it count


def test_precision_asks_for_nothing_more_of_a_cell_that_does_not_count() -> None:
    board = Board(3, lambda name, number: measured(name, number, busy=True), precision=0.001)
    board.run("one")
    assert len(board.taken) == 3


def test_the_late_turn_ends_in_time_also_for_precision() -> None:
    stored = joined([measured("one", 0), measured("one", 1), measured("one", 2, busy=True)], 3)
    board = Board(3, lambda name, number: measured(name, number, median_ms=10 + number), precision=0.0001)
    board.before = {"one": stored}
    board.run("one", late_until=time.monotonic() + 0.3)
    assert time.monotonic() - board.began < 3
    assert board.messages[-1].startswith("time is over, and not within ±0.010%: one litert ±")


def test_rounds_end_where_the_cells_file_is_full() -> None:
    board = Board(3, lambda name, number: measured(name, number, median_ms=10 + number), precision=0.0001)
    board.room = 6
    board.run("one")
    cell = board.ended["one"]
    assert (cell.status, len(cell.rounds), len(board.taken)) == ("VALID", 6, 7)
    assert board.messages[-1] == "no more rounds of one litert: made up"


def test_a_cell_whose_rounds_predicted_differently_is_not_healed_by_more_of_them() -> None:
    rounds = [measured("one", number) for number in range(2)]
    other = rounds[1].model_copy(update={"predictions": (6,) * 99})
    board = Board(5)
    board.before = {"one": joined([rounds[0], other], 5)}
    board.run("one")
    assert len(board.taken) == 5  # all anew


def test_a_cell_that_failed_with_samples_is_measured_from_the_start() -> None:
    fallback = Reason(code="delegate-fallback", text="made up")
    made = measured("one").model_copy(update={"status": "FAILED", "reasons": (fallback,)})
    board = Board(2)
    board.before = {"one": joined([one_round(made.model_copy(update={"rounds": ()}), None, None)] * 2, 2)}
    assert board.before["one"].status == "FAILED"
    board.run("one")
    assert (len(board.taken), board.ended["one"].status) == (2, "VALID")


def test_a_finished_cell_goes_on_where_it_is_not_precise_enough() -> None:
    board = Board(3, lambda name, number: measured(name, number, median_ms=10 + (number % 2) * 0.5), precision=0.02)
    board.before = {"one": joined([measured("one", n, median_ms=10 + (n % 2) * 0.5) for n in range(4)], 3)}
    board.run("one")
    assert len(board.ended["one"].rounds) == len(board.taken) + 4


def test_a_slowed_round_is_repeated_where_it_was_disturbed_as_well() -> None:
    slow = Reason(code="slowdown-injected", text="made up")

    def measure(name: str, number: int) -> Cell:
        made = make_cell(name, dev=HERE, cell=name, started=f"{number}", ended="", status="INVALID", reasons=(slow,))
        return one_round(made, None, None)

    first = [measure("one", number) for number in range(3)]
    spoilt = one_round(first[1].model_copy(update={"rounds": (), "reasons": (slow, BUSY)}), None, None)
    board = Board(3, measure)
    board.before = {"one": joined([first[0], spoilt, first[2]], 3)}
    board.run("one", late_until=float("inf"))
    assert board.taken == ["one"]
    assert [reason.code for reason in board.ended["one"].reasons] == ["slowdown-injected"]
    assert passing((slow, BUSY))
    assert not passing((slow,))


def test_stopping_before_the_first_round_ends_is_no_mistake() -> None:
    board = Board(1, lambda name, number: make_cell(name, dev=HERE, cell=name, status="FAILED"), precision=0.02)
    board.halted = lambda: bool(board.taken)
    assert board.run("one") == ["one"]
