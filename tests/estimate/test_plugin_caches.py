"""QEMU's plugin and its caches, access by access: what replaces what, and what a store leaves behind."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.estimate.estimator import known_core
from harness.estimate.plugin import ensure_plugin
from harness.estimate.regions import Block, instructions, read_region
from tests.support.arm_program import ARM, DATA, END, NEXT, NOP, START, load, loop, machine, move, run, store

PI4 = known_core("raspberry-pi-4")  # 32 KiB of two ways: 256 sets; 1 MiB of 16 ways: 1,024 sets

#: Addresses so far apart share their sets of the first level, or of both.
FIRST, BOTH = 256 * 64, 1024 * 64

pytestmark = [pytest.mark.qemu, pytest.mark.usefixtures("plugin_programs")]


def looked_at(before: Sequence[int], region: Sequence[int], folder: Path) -> tuple[Block, ...]:
    """The region's blocks of a program that first does something else while the plugin looks on."""
    (path,) = run([ARM, NEXT, *before, START, NEXT, *region, NEXT, END, NEXT], PI4, folder)
    return read_region(path)


def served(before: Sequence[int], region: Sequence[int], folder: Path) -> tuple[int, int]:
    """The region's lines from the second level and from memory."""
    blocks = looked_at(before, region, folder)
    return sum(block.cache_lines for block in blocks), sum(block.memory_lines for block in blocks)


def test_the_line_that_was_not_used_for_longest_is_replaced(tmp_path: Path) -> None:
    one, two, three = (load(DATA + i * FIRST) for i in range(3))
    assert served([*one, *two], [*one, *three, *one], tmp_path) == (0, 1)
    assert served([*one, *two], [*one, *three, *two], tmp_path) == (1, 1)


def test_ways_hold_as_many_lines_of_a_set_and_no_more(tmp_path: Path) -> None:
    lines = [load(DATA + i * BOTH) for i in range(17)]
    sixteen = [word for line in lines[:16] for word in line]
    assert served(sixteen, lines[0], tmp_path) == (1, 0)
    assert served([*sixteen, *lines[16]], lines[0], tmp_path) == (0, 1)


@pytest.mark.parametrize(
    ("touch", "found"),
    [
        (load(DATA), (0, 1)),  # dropped by the first level without a word, it is the oldest of the second
        (store(DATA), (1, 0)),  # written back to the second level, it is young there
        ([*load(DATA), *store(DATA)], (1, 0)),  # a store to a line that is there
        ([*store(DATA), *load(DATA)], (1, 0)),
        ([*load(DATA), *load(DATA + FIRST), *store(DATA)], (1, 0)),  # not the line of the access before
    ],
)
def test_what_was_stored_is_written_back_when_it_is_replaced(
    touch: list[int], found: tuple[int, int], tmp_path: Path
) -> None:
    others = [word for i in range(1, 17) for word in load(DATA + i * BOTH)]
    assert served([*touch, *others], load(DATA), tmp_path) == found


def test_a_store_brings_its_line_as_a_load_does(tmp_path: Path) -> None:
    assert served([], [*store(DATA), *load(DATA), *store(DATA + 56)], tmp_path) == (0, 1)
    assert served(load(DATA), [*store(DATA + 8), *store(DATA + 64)], tmp_path) == (0, 1)


def test_an_access_across_two_lines_takes_both(tmp_path: Path) -> None:
    if int(ensure_plugin().qemu.partition(".")[0]) >= 9:
        pytest.skip("this QEMU lets no program without page tables access memory across lines")
    assert served([], load(DATA + 60), tmp_path) == (0, 2)


def test_misses_belong_to_the_block_that_had_them(tmp_path: Path) -> None:
    blocks = looked_at([], [*load(DATA), NOP, NEXT, *load(DATA + 64), *load(DATA + 128), NEXT], tmp_path)
    assert sorted(block.memory_lines for block in blocks if block.memory_lines) == [1, 2]
    (one,) = [block for block in blocks if block.memory_lines == 1]
    assert NOP in one.code


def test_regions_begin_at_zero_and_do_not_hold_what_is_between_them(tmp_path: Path) -> None:
    def region(address: int) -> list[int]:
        return [START, NEXT, *load(address), NEXT, END, NEXT]

    between = [word for i in range(1, 9) for word in load(DATA + 64 * i)]
    paths = run([ARM, NEXT, *region(DATA), *between, *region(DATA + 1024), *region(DATA)], PI4, tmp_path)
    found = [read_region(path) for path in paths]
    assert [sum(block.memory_lines for block in blocks) for blocks in found] == [1, 1, 0]
    assert len({instructions(blocks) for blocks in found}) == 1


def test_an_end_without_a_start_ends_nothing(tmp_path: Path) -> None:
    end = [END, NEXT]
    program = [ARM, NEXT, *end, START, NEXT, NOP, NEXT, *end, NOP, NEXT, *end]
    (region,) = run(program, PI4, tmp_path)
    assert instructions(read_region(region)) == 2 + 2


def test_the_same_code_in_two_regions_is_counted_anew(tmp_path: Path) -> None:
    next_line = 0xF8440422  # ldr x2, [x1], #64
    rounds = [*move(1, DATA), *loop([START, NEXT, next_line, NEXT, END, NEXT], 3)]
    found = [read_region(path) for path in run([ARM, NEXT, *rounds], PI4, tmp_path)]
    assert [sum(block.memory_lines for block in blocks) for blocks in found] == [1, 1, 1]
    assert [instructions(blocks) for blocks in found] == [4, 4, 4]


def test_straight_code_that_qemu_translates_in_pieces_is_one_block(tmp_path: Path) -> None:
    blocks = looked_at([], [NOP] * 3000, tmp_path)
    assert max(len(block.code) for block in blocks) >= 3000
    assert instructions(blocks) == 3000 + 1 + 2


def test_a_board_with_several_cores_is_refused(tmp_path: Path) -> None:
    argv = [*machine(PI4, tmp_path), "-smp", "2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode
    assert "only boards with one core" in done.stderr
