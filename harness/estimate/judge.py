"""What may be said of estimates: which of two is faster, and about how long it takes."""

from __future__ import annotations

from typing import Literal

#: Two estimates that are closer than this are not told apart: on 33 published latencies of six chips, no pair whose
#: estimates differed by more was in the wrong order, and closer pairs were.
LEAST_RATIO = 1.3

Judgement = Literal["faster", "slower", "can't tell"]

#: How an estimate is called wherever it is shown.
QUANTITY = "Estimated cycles, 1 thread"


def judgement(cycles: float, other: float) -> Judgement:
    """Whether a network with ``cycles`` is faster than one with ``other``, on the same core."""
    if cycles * LEAST_RATIO <= other:
        return "faster"
    if other * LEAST_RATIO <= cycles:
        return "slower"
    return "can't tell"


def in_words(cycles: float, clock_hz: float) -> str:
    """About how long it takes at the core's nominal clock, as the rough estimate that it is."""
    milliseconds = cycles / clock_hz * 1e3
    return f"about {milliseconds:.2g} ms at {clock_hz / 1e9:g} GHz, an estimate within a factor of two"
