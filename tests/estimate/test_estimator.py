"""Estimates of marked regions: the quietest, what goes into it, and what is said of two of them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.core.errors import EstimateError
from harness.estimate.estimator import Estimator, _sweep, check, estimator, known_core
from harness.estimate.judge import in_words, judgement
from harness.estimate.plugin import Plugin, check_programs
from harness.records.estimate import Estimate, SharedEstimate
from tests.support.estimate_factory import FOUR_OR_TWO, Known

RETURN = "d65f03c0"


@pytest.fixture
def board(tmp_path: Path) -> Estimator:
    """A Pi 4's estimates, with a cost of two cycles for any block."""
    plugin = Plugin(tmp_path / "plugin.so", 1, "7.2.22")
    return Estimator(known_core("raspberry-pi-4"), plugin, tmp_path / "regions", Known(FOUR_OR_TWO), "19.1.7")


def mark(board: Estimator, number: int, executions: int) -> None:
    board.folder.mkdir(exist_ok=True)
    text = f"levels 2\nblock 1000 {executions} 0 0 {RETURN}\nend\n"
    (board.folder / f"region-{number}").write_text(text)


def test_an_estimate_is_the_quietest_region_and_says_what_went_into_it(board: Estimator) -> None:
    for number, executions in enumerate([1004, 5000, 1002]):
        mark(board, number, executions)
    found = board.inference(3)
    assert (found.cycles, found.instructions) == (2004, 1002)
    assert [region.cycles for region in found.regions] == [2008, 10000, 2004]
    assert (found.core, found.clock_hz, found.threads) == ("Cortex-A72", 1_500_000_000, 1)
    assert (found.model, found.llvm, found.qemu) == ("cortex-a72", "19.1.7", "7.2.22")
    assert Estimate.model_validate_json(found.model_dump_json()) == found


def test_four_threads_are_estimated_too_where_the_core_executes_out_of_order(board: Estimator) -> None:
    mark(board, 0, 1000)
    found = board.inference(1)
    assert found.shared == SharedEstimate(threads=4, cycles=500)
    in_order = replace(board, core=known_core("coral-dev"))
    mark(board, 0, 1000)
    assert in_order.inference(1).shared is None
    older = found.model_dump(exclude={"shared"})
    assert Estimate.model_validate(older).shared is None


def test_regions_are_taken_in_the_order_of_their_numbers_and_removed(board: Estimator) -> None:
    for number in range(12):
        mark(board, number, 100 + number)
    assert [region.instructions for region in board.next_regions(12)] == list(range(100, 112))
    assert not list(board.folder.iterdir())
    mark(board, 12, 7)
    assert board.next_regions(1)[0].instructions == 7


def test_a_region_that_is_missing_is_said(board: Estimator) -> None:
    mark(board, 0, 1)
    with pytest.raises(EstimateError, match="left 1 regions of 5"):
        board.inference()


def test_a_full_disk_is_named_where_regions_are_missing(board: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EstimateError, match="regions can't be read: No such file"):
        board.inference()
    mark(board, 0, 1)
    with pytest.raises(EstimateError, match="the runner did not mark them"):
        board.inference()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 20))
    with pytest.raises(EstimateError, match="has only 3 MB free"):
        board.inference()


def test_regions_of_an_attempt_that_went_wrong_are_passed_over(board: Estimator) -> None:
    mark(board, 0, 1)
    mark(board, 1, 2)
    board.skip()
    mark(board, 2, 3)
    assert board.next_regions(1)[0].instructions == 3


def test_too_few_regions_do_not_confuse_the_next_attempt(board: Estimator) -> None:
    mark(board, 0, 1)
    with pytest.raises(EstimateError):
        board.next_regions(3)
    board.skip()
    for number in (8, 9, 10):
        mark(board, number, 100 + number)
    assert [region.instructions for region in board.next_regions(3)] == [108, 109, 110]


@pytest.mark.parametrize("lost", [0, 2, 4])
def test_a_region_that_got_lost_is_not_replaced_by_the_next_one(board: Estimator, lost: int) -> None:
    """The next ones may be those of prefixes, which are cheaper and would be taken for the quietest."""
    for number in range(8):
        mark(board, number, 1000 - number)
    (board.folder / f"region-{lost}").rename(board.folder / f"region-{lost}.part")
    with pytest.raises(EstimateError, match="lost regions"):
        board.inference()
    board.skip()
    assert not list(board.folder.iterdir())


def test_the_folder_of_regions_goes_with_the_board(board: Estimator) -> None:
    with board:
        mark(board, 0, 1)
    assert not board.folder.exists()


def test_folders_that_killed_controllers_left_are_removed(tmp_path: Path) -> None:
    for name, age_s in (("regions-old", 90_000), ("regions-new", 60), ("plugin-api1.so", 90_000)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    _sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"regions-new", "plugin-api1.so"}


def test_a_board_without_a_known_core_has_no_estimate() -> None:
    with pytest.raises(EstimateError, match="its core is not known"):
        estimator("generic")


@pytest.mark.parametrize(
    ("cycles", "other", "expected"),
    [
        (100, 130, "faster"),
        (100, 129, "can't tell"),
        (130, 100, "slower"),
        (129, 100, "can't tell"),
        (1, 1, "can't tell"),
    ],
)
def test_close_estimates_are_not_told_apart(cycles: int, other: int, expected: str) -> None:
    assert judgement(cycles, other) == expected


def test_time_is_said_in_words_and_as_a_rough_estimate() -> None:
    assert in_words(759_000, 1_500_000_000) == "about 0.51 ms at 1.5 GHz, an estimate within a factor of two"


UNABLE = [
    ("cc", "echo 'x.c:1: fatal error: stdio.h: No such file' >&2; exit 1", "can't compile QEMU's plugin: .*stdio.h"),
    ("qemu-system-aarch64", "echo 'QEMU emulator version 5.2.0'", "QEMU version 5.2.0 is too old for plugins"),
    (
        "qemu-system-aarch64",
        "echo 'QEMU emulator version 7.2.0'; echo '-plugin x: plugin interface not enabled in this build' >&2; exit 1",
        "is built without plugins: .*not enabled in this build",
    ),
]


@pytest.mark.parametrize(("program", "body", "said"), UNABLE)
def test_a_program_that_can_make_no_plugin_is_found_before_anything_is_made(
    program: str, body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = {
        "llvm-mc": "exit 0",
        "llvm-mca": "echo 'LLVM version 19.1.7'",
        "cc": "exit 0",
        "qemu-system-aarch64": "echo 'QEMU emulator version 7.2.0'; echo 'Could not load plugin' >&2; exit 1",
    }
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, text in able.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    check("raspberry-pi-4")
    (tmp_path / program).write_text(f"#!/bin/sh\n{body}\n")
    with pytest.raises(EstimateError, match=said):
        check("raspberry-pi-4")


@pytest.mark.qemu
@pytest.mark.usefixtures("plugin_programs")
def test_programs_that_are_here_are_fit() -> None:
    check_programs()


def test_what_is_missing_is_found_without_making_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EstimateError, match="llvm-mca 14"):
        check("raspberry-pi-4")
    with pytest.raises(EstimateError, match="core is not known"):
        check("generic")
    assert not (tmp_path / "cache").exists()
