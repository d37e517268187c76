"""The two loops that tell how fast the machine itself is."""

from __future__ import annotations

import numpy as np
import pytest

from harness.ondevice.runner import canary


def test_each_loop_is_timed_and_takes_a_time_that_a_clock_can_see() -> None:
    times = canary.canary(np)
    assert set(times) == {"compute", "memory"}
    assert all(isinstance(taken, int) and 10_000 < taken < 1_000_000_000 for taken in times.values())


def test_the_fastest_of_all_but_the_first_sample_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one touches new memory; a late one is an interrupt's."""
    moments = iter(range(10**6))
    spans = {"compute": iter([500, 10, 10, 90]), "memory": iter([700, 20, 20, 20])}
    clock = [0]

    def now() -> int:
        next(moments)
        return clock[0]

    def loop(name: str) -> None:
        clock[0] += next(spans[name])

    monkeypatch.setattr(canary, "SAMPLES", 3)
    monkeypatch.setattr(canary, "now_ns", now)
    monkeypatch.setattr(canary, "loops", lambda _np: {name: lambda name=name: loop(name) for name in spans})
    assert canary.canary(np) == {"compute": 10, "memory": 20}
