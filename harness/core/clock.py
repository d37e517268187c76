"""What the numbers of a board mean: units, names and resolution of each clock, in one place.

A board's clock gives whole nanoseconds, or, where an emulator counts, whole instructions. A value in ``unit`` is one
million of either, so every clock shares the factor 1e6 and none shares an axis with another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a stored cell says of its clock.
ClockName = Literal["wall", "instructions"]

#: The kernel's timer interrupts whatever runs on an emulated board every 4 million instructions, for 3,250 instructions
#: as a rule. Where about half of all inferences take one more of these than the others, chance decides which half the
#: median is in; with 1.9 million instructions an inference that is 0.17 %.
TICK = 4000


@dataclass(frozen=True)
class Clock:
    """One kind of clock on one kind of board; boards may share an axis only where this is the same.

    Attributes:
        key: stands in file names.
        unit: stands on axes and in headings; one unit is 1e6 of what is stored.
        column: ends the names of columns in tables of a report.
        frame_column: ends the names of columns in :func:`harness.results.load`, which tells emulated boards apart by a
            column of their own.
        quantity: what is measured, as a heading.
        note: what kind of number that is, in half a sentence.
        share: smaller changes of a median are called "same", whatever their significance: by so much do boots of one
            artifact differ on the instruction clock, and its runs on the wall clock of a quiet machine.
        tick: the same in nanoseconds or instructions.
        stored_note: what a stored nanosecond is, where it is none.
    """

    key: str
    unit: str
    column: str
    frame_column: str
    quantity: str
    note: str
    share: float
    tick: int = 0
    stored_note: str = ""

    @property
    def progress_unit(self) -> str:
        """The unit in a line of progress."""
        return self.unit.replace("million", "M")

    @property
    def short_unit(self) -> str:
        """The unit where there is little room."""
        return self.progress_unit.replace("instructions", "instr.")

    def resolution(self, median: float) -> float:
        """The change of a median below which it is called "same", as a share.

        Args:
            median: the smaller of the two, in nanoseconds or instructions, above 0.
        """
        return max(self.share, self.tick / median)


_WALL_SHARE, _INSTRUCTIONS_SHARE = 0.02, 0.001
_STORED_INSTRUCTIONS = "1 ns = 1 instruction"

#: ``{(emulated, name): clock}``, in the order of a report.
_CLOCKS: dict[tuple[bool, str], Clock] = {
    (False, "wall"): Clock(
        key="real",
        unit="ms",
        column="ms",
        frame_column="ms",
        quantity="Latency",
        note="wall-clock milliseconds",
        share=_WALL_SHARE,
    ),
    (True, "instructions"): Clock(
        key="emulated",
        unit="million instructions",
        column="million_instructions",
        frame_column="minstr",
        quantity="Work per inference",
        note="instructions counted by QEMU: the same every time, but not a time",
        share=_INSTRUCTIONS_SHARE,
        tick=TICK,
        stored_note=_STORED_INSTRUCTIONS,
    ),
    (True, "wall"): Clock(
        key="emulated-wall",
        unit="ms (emulated)",
        column="ms_emulated",
        frame_column="ms",
        quantity="Emulated latency",
        note="wall-clock time of an emulator: says nothing of the board it imitates",
        share=_WALL_SHARE,
    ),
    (False, "instructions"): Clock(
        key="real-instructions",
        unit="million instructions (real)",
        column="million_instructions_real",
        frame_column="minstr",
        quantity="Work per inference",
        note="instructions counted on a real board: not a time",
        share=_INSTRUCTIONS_SHARE,
        tick=TICK,
        stored_note=_STORED_INSTRUCTIONS,
    ),
}

#: Every clock, in the order of a report.
CLOCKS = tuple(_CLOCKS.values())
#: The endings of columns in :func:`harness.results.load`, in the order of the table.
FRAME_COLUMNS = tuple(dict.fromkeys(clock.frame_column for clock in CLOCKS))


def clock_of(emulated: bool, name: str) -> Clock:
    """The clock of a board.

    Args:
        emulated: whether the board ran in QEMU.
        name: what the cell says of its clock, a :data:`ClockName`.

    Raises:
        KeyError: no clock is called so.
    """
    return _CLOCKS[(emulated, name)]
