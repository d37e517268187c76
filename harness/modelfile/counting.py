"""What counting of multiply-accumulates has in common for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core.safetext import clean

#: How many reasons a person reads.
_SHOWN = 3


class UncountableError(Exception):
    """Multiply-accumulates of an operator can't be told; the text is the reason. It doesn't leave this room."""


@dataclass
class Tally:
    """A sum of multiply-accumulates, and the reasons why it isn't whole."""

    macs: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int | None:
        """The sum; None where something could not be counted."""
        return None if self.reasons else self.macs

    @property
    def missing(self) -> str:
        """Why there is no total, in one line; "" where there is."""
        said = [clean(text, 200) for text in list(self.reasons)[:_SHOWN]]
        more = len(self.reasons) - len(said)
        return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def positive(shape: tuple[int, ...] | None, what: str) -> tuple[int, ...]:
    """A shape that is wholly known.

    Raises:
        UncountableError: it isn't.
    """
    if shape is None or any(size < 0 for size in shape):
        raise UncountableError(f"the shape of {what} is only known in a run")
    return shape


def of_bodies(name: str, bodies: Sequence[Tally]) -> int:
    """Multiply-accumulates of an operator that runs other graphs.

    Raises:
        UncountableError: it depends on values: which branch, how many turns.
    """
    for body in bodies:
        if body.reasons:
            raise UncountableError(body.missing)
    sums = sorted(body.macs for body in bodies)
    if name.upper() in ("CALL", "STABLEHLO_COMPOSITE"):
        return sum(sums)
    if name.upper() in ("IF", "STABLEHLO_CASE"):
        if len(set(sums)) == 1:
            return sums[0]
        raise UncountableError(f"{name} runs one of its branches, of {' or '.join(f'{n:,}' for n in sums)} MACs")
    if any(sums):
        raise UncountableError(f"how often {name} repeats {max(sums):,} MACs depends on values")
    return 0
