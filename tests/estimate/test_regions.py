"""Reading what the plugin wrote, from stored text."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import EstimateError
from harness.estimate.regions import Block, ends_block, instructions, read_region

NOP = "d503201f"
RETURN = "d65f03c0"


def stored(folder: Path, *lines: str, levels: int = 2) -> Path:
    path = folder / "region-0"
    path.write_text("\n".join([f"levels {levels}", *lines, "end", ""]))
    return path


def test_reads_executions_code_and_who_served_the_data(tmp_path: Path) -> None:
    path = stored(tmp_path, f"block 1000 7 5 3 {NOP}{RETURN}")
    assert read_region(path) == (Block((0xD503201F, 0xD65F03C0), 7, cache_lines=5, memory_lines=3),)


def test_a_third_level_belongs_to_the_caches(tmp_path: Path) -> None:
    (block,) = read_region(stored(tmp_path, f"block 1000 7 5 4 3 {RETURN}", levels=3))
    assert (block.cache_lines, block.memory_lines) == (9, 3)


def test_joins_a_piece_with_the_one_that_goes_on_where_it_ends(tmp_path: Path) -> None:
    path = stored(
        tmp_path, f"block 1008 7 1 0 {RETURN}", f"block 1000 7 2 1 {NOP}{NOP}", f"block 2000 7 0 0 {NOP}{RETURN}"
    )
    joined, other = sorted(read_region(path), key=lambda block: -len(block.code))
    assert joined == Block((0xD503201F, 0xD503201F, 0xD65F03C0), 7, cache_lines=3, memory_lines=1)
    assert len(other.code) == 2


@pytest.mark.parametrize(
    "following",
    [f"block 1004 8 0 0 {RETURN}", f"block 1008 7 0 0 {RETURN}"],
    ids=["another number of executions", "another address"],
)
def test_pieces_that_do_not_belong_together_stay_apart(tmp_path: Path, following: str) -> None:
    assert len(read_region(stored(tmp_path, f"block 1000 7 0 0 {NOP}", following))) == 2


def test_nothing_is_joined_to_a_branch(tmp_path: Path) -> None:
    assert len(read_region(stored(tmp_path, f"block 1000 7 0 0 {RETURN}", f"block 1004 7 0 0 {NOP}"))) == 2


def test_the_same_code_at_two_addresses_is_one_block(tmp_path: Path) -> None:
    path = stored(tmp_path, f"block 1000 7 1 0 {RETURN}", f"block 2000 3 0 2 {RETURN}")
    assert read_region(path) == (Block((0xD65F03C0,), 10, cache_lines=1, memory_lines=2),)


def test_counts_instructions() -> None:
    assert instructions((Block((1, 2, 3), 10, 0, 0), Block((1,), 5, 0, 0))) == 35


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        (0x14000001, True),  # b
        (0x54FFFFE1, True),  # b.ne
        (0xB4000040, True),  # cbz
        (0x36000040, True),  # tbz
        (0xD65F03C0, True),  # ret
        (0xD4000001, True),  # svc
        (0xD503201F, False),  # nop
        (0xD5033FDF, False),  # isb
        (0xD53BD040, False),  # mrs
        (0x8B000000, False),  # add
        (0x4E20D400, False),  # fadd
        (0xF9400000, False),  # ldr
    ],
)
def test_knows_branches(word: int, ends: bool) -> None:
    assert ends_block(word) is ends


@pytest.mark.parametrize(
    "text",
    ["", "levels 2\nblock 1000 7 1 0 d65f03c0\n", "levels 2\nblock 1000 7\nend\n", "levels 2\nblock x 1 0 0 12\nend\n"],
    ids=["empty", "cut", "a short line", "no instructions"],
)
def test_refuses_what_is_no_whole_region(tmp_path: Path, text: str) -> None:
    (tmp_path / "region-0").write_text(text)
    with pytest.raises(EstimateError):
        read_region(tmp_path / "region-0")


def test_says_that_there_is_no_region(tmp_path: Path) -> None:
    with pytest.raises(EstimateError, match="left no region region-3"):
        read_region(tmp_path / "region-3")
