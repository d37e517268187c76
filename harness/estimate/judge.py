"""Statements that estimates allow: which of two networks is faster, and about how long one takes."""

from __future__ import annotations

from typing import Literal

from harness.records.estimate import QUANTITY as QUANTITY

#: Two estimates with a smaller ratio are not told apart. A prototype chose it, on 33 published latencies of six chips.
#: On the tables of docs/estimates-validation.md no pair with a larger ratio is in the wrong order; a closer pair is.
LEAST_RATIO = 1.3

Judgement = Literal["faster", "slower", "can't tell"]

#: The name of an estimate's form for several threads wherever it is shown.
SHARED_QUANTITY = "Estimated cycles, 4 threads sharing memory"


def judgement(cycles: float, other: float) -> Judgement:
    """Whether a network with ``cycles`` is faster than one with ``other``, on the same core."""
    if cycles * LEAST_RATIO <= other:
        return "faster"
    if other * LEAST_RATIO <= cycles:
        return "slower"
    return "can't tell"


def in_words(cycles: float, clock_hz: float) -> str:
    """The approximate time at the core's nominal clock, worded as a rough estimate."""
    milliseconds = cycles / clock_hz * 1e3
    return f"about {milliseconds:.2g} ms at {clock_hz / 1e9:g} GHz, an estimate within a factor of two"
