"""Cycles from blocks whose costs are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.boards.registry import FAMILIES
from harness.core.errors import EstimateError
from harness.estimate.costs import Code, Cost
from harness.estimate.estimator import known_core
from harness.estimate.model import CACHE_LINE_CYCLES, MEMORY_LINE_CYCLES, estimate, loops_on_itself
from harness.estimate.regions import Block
from tests.conftest import REPOSITORY
from tests.support.estimate_factory import FOUR_OR_TWO, Known

PI4, CORAL = known_core("raspberry-pi-4"), known_core("coral-dev")
NOP, RETURN = 0xD503201F, 0xD65F03C0
STRAIGHT = (NOP, RETURN)
LOOP = (NOP, 0x54FFFFE1)  # b.ne to the nop


def test_straight_code_costs_its_throughput_and_a_loop_its_latency() -> None:
    assert estimate((Block(STRAIGHT, 1000, 0, 0),), PI4, Known(FOUR_OR_TWO)).cycles == 2000
    assert estimate((Block(LOOP, 1000, 0, 0),), PI4, Known(FOUR_OR_TWO)).cycles == 4000


def test_memory_counts_where_it_takes_longer_than_the_units() -> None:
    few, many = Block(STRAIGHT, 1000, 10, 1), Block(STRAIGHT, 1000, 500, 100)
    assert estimate((few,), PI4, Known(FOUR_OR_TWO)).cycles == 2000
    lines = 500 * CACHE_LINE_CYCLES + 100 * MEMORY_LINE_CYCLES
    assert estimate((many,), PI4, Known(FOUR_OR_TWO)).cycles == lines


def test_an_in_order_core_waits_for_memory() -> None:
    block = Block(STRAIGHT, 1000, 10, 1)
    expected = 2000 + 10 * CACHE_LINE_CYCLES + MEMORY_LINE_CYCLES
    assert estimate((block,), CORAL, Known(FOUR_OR_TWO)).cycles == expected


def test_each_block_weighs_units_against_memory_for_itself() -> None:
    computing, waiting = Block(STRAIGHT, 1000, 0, 0), Block((NOP, NOP, RETURN), 100, 0, 100)
    assert estimate((computing, waiting), PI4, Known(FOUR_OR_TWO)).cycles == 2000 + 100 * MEMORY_LINE_CYCLES


def test_threads_divide_units_and_caches_and_share_memory() -> None:
    computing, waiting = Block(STRAIGHT, 1000, 0, 10), Block((NOP, NOP, RETURN), 100, 400, 100)
    found = estimate((computing, waiting), PI4, Known(FOUR_OR_TWO), threads=4)
    assert found.cycles == 500 + 400 * CACHE_LINE_CYCLES / 4 + 100 * MEMORY_LINE_CYCLES


def test_rare_blocks_are_not_asked_for_and_taken_to_be_like_the_others() -> None:
    common, rare = Block(STRAIGHT, 100_000, 0, 0), Block((NOP, NOP, RETURN), 10, 0, 0)
    known = Known(FOUR_OR_TWO)
    found = estimate((rare, common), PI4, known)
    assert known.asked == [STRAIGHT]
    assert found.blocks == 1
    assert found.instructions == 200_030
    assert found.cycles == pytest.approx(200_000 * 200_030 / 200_000)


class Accepting(Known):
    """Costs of an analyser that accepts one block only."""

    def of(self, codes: Sequence[Code]) -> list[Cost | None]:
        return [FOUR_OR_TWO if code == STRAIGHT else None for code in codes]


def test_code_without_a_cost_is_taken_to_be_ordinary() -> None:
    common, odd = Block(STRAIGHT, 100_000, 0, 0), Block((NOP, NOP, NOP, RETURN), 500, 0, 0)
    assert estimate((common, odd), PI4, Accepting(None)).cycles == pytest.approx(200_000 + 0.8 * 2000)


def test_much_code_without_a_cost_has_no_estimate() -> None:
    common, odd = Block(STRAIGHT, 100_000, 0, 0), Block((NOP, NOP, NOP, RETURN), 550, 0, 0)
    with pytest.raises(EstimateError, match=r"accepts no blocks that hold 1\.1% of the instructions"):
        estimate((common, odd), PI4, Accepting(None))
    with pytest.raises(EstimateError, match=r"100\.0% of the instructions"):
        estimate((Block(STRAIGHT, 1000, 0, 0),), PI4, Known(None))


def test_an_empty_region_has_no_estimate() -> None:
    with pytest.raises(EstimateError):
        estimate((), PI4, Known(FOUR_OR_TWO))


@pytest.mark.parametrize(
    ("code", "loops"),
    [
        ((NOP, 0x54FFFFE1), True),  # b.ne, one back
        ((NOP, NOP, 0x54FFFFE1), False),  # b.ne, one back of two
        ((0x14000000,), True),  # b to itself
        ((NOP, 0x17FFFFFF), True),  # b, one back
        ((NOP, 0xB5FFFFE0), True),  # cbnz
        ((NOP, 0x3707FFE0), True),  # tbnz
        ((NOP, 0x54000041), False),  # b.ne forward
        ((NOP, RETURN), False),
    ],
)
def test_knows_a_loop(code: Code, loops: bool) -> None:
    assert loops_on_itself(code) is loops


def test_every_board_with_a_64_bit_system_that_is_emulated_has_a_core() -> None:
    emulated = {
        family.name: family.cpu
        for family in FAMILIES.values()
        if family.qemu_cpu and "aarch64" in {system.machine for system in family.systems}
    }
    assert len(emulated) >= 5
    assert {name: known_core(name).name for name in emulated} == emulated


def test_the_page_has_each_core_as_it_is_described() -> None:
    text = (REPOSITORY / "docs" / "estimates.md").read_text(encoding="utf-8")
    for family in FAMILIES.values():
        if family.core is not None:
            core = family.core
            sizes = ", ".join(f"{c.kib} KiB" if c.kib < 1024 else f"{c.kib // 1024} MiB" for c in core.caches)
            row = f"| `{family.name}` | {core.name} | `{core.model}` | {sizes} | {core.clock_hz / 1e9:g} GHz |"
            assert row in text
