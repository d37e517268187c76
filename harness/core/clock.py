"""What the numbers of a board mean: units, names and resolution of each clock, in one place.

A real board's clock counts nanoseconds; an emulator may count instructions instead. One ``unit`` is one million of
either, so all clocks share the factor 1e6. Values of two clocks are never drawn on one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: The names of clocks in a stored cell.
ClockName = Literal["wall", "instructions"]

#: The cost of one timer interrupt on an emulated board, in instructions, rounded up. The kernel's timer interrupts
#: every 4 million instructions and usually takes 3,250. If about half of all inferences contain one interrupt more than
#: the other half, the median falls into either half by chance. With 1.9 million instructions an inference, one
#: interrupt is 0.17 %.
TICK = 4000


@dataclass(frozen=True)
class Clock:
    """One kind of clock on one kind of board. Two boards may share an axis only if their clocks are equal.

    Attributes:
        key: the clock's name in file names.
        unit: the unit on axes and in headings; one unit is 1e6 of what is stored.
        column: suffix of column names in a report's tables.
        frame_column: suffix of column names in :func:`harness.results.load`. That table has a separate column for
            emulated boards, so this suffix need not tell them apart.
        quantity: what is measured, as a heading.
        note: what kind of number that is, in half a sentence.
        share: a smaller change of a median is called "same" even if it is significant. One artifact differs by this
            share between boots on the instruction clock, and between runs on the wall clock of a quiet machine.
        tick: the same limit as an absolute value, in nanoseconds or instructions.
        stored_note: what a stored ``_ns`` value means if it does not count nanoseconds.
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
        """The unit, shortened for narrow columns."""
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
#: The suffixes of columns in :func:`harness.results.load`, in the order of the table.
FRAME_COLUMNS = tuple(dict.fromkeys(clock.frame_column for clock in CLOCKS))


def clock_of(emulated: bool, name: str) -> Clock:
    """The clock of a board.

    Args:
        emulated: whether the board ran in QEMU.
        name: the clock that the cell names, a :data:`ClockName`.

    Raises:
        KeyError: no clock has that name.
    """
    return _CLOCKS[(emulated, name)]
