"""Timing files that end after each operator: in which order, how often, and what an error leaves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.ondevice.runner import prefixes
from harness.records.answer import PrefixTimes

PLAN = {"rounds": 3, "least_rounds": 2, "samples": 4, "max_ns": 10**12}


class Clock:
    """A clock that only moves when something is run."""

    def __init__(self) -> None:
        self.ns = 0
        self.loads: list[int] = []

    def load(self, place: int) -> Any:
        self.loads.append(place)
        return lambda: self.run(1000 * place)

    def run(self, ns: int) -> None:
        self.ns += ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(prefixes, "now_ns", lambda: made.ns)
    return made


def test_every_other_round_goes_backwards_and_loads_anew(clock: Clock) -> None:
    found = prefixes.interleaved(clock.load, 3, PLAN)
    assert clock.loads == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert found["rounds"] == 3
    assert found["samples"] == [[0] * 12, [1000] * 12, [2000] * 12]
    assert PrefixTimes.model_validate(found).rounds == 3


def test_what_takes_long_has_fewer_samples_and_rounds(clock: Clock) -> None:
    slow = {**PLAN, "max_ns": 1}
    found = prefixes.interleaved(lambda _: lambda: clock.run(10**9), 2, slow)
    assert found["rounds"] == 2
    assert [len(each) for each in found["samples"]] == [6, 6]


def test_a_file_is_warm_before_it_is_timed(clock: Clock) -> None:
    runs: list[int] = []

    def invoke() -> None:
        runs.append(1)
        clock.run(10**6 if len(runs) == 1 else 1000)

    assert prefixes.warmed(invoke) == 1000
    assert len(runs) == prefixes.WARM_MOST
    runs.clear()
    assert prefixes.warmed(lambda: runs.append(1) or clock.run(10**9)) == 10**9  # type: ignore[func-returns-value]
    assert len(runs) == prefixes.WARM_LEAST


def test_the_whole_comes_after_its_prefixes(tmp_path: Path) -> None:
    seen: list[tuple[str, str, int]] = []

    def loaded(content: bytes, value: str, threads: int) -> Any:
        seen.append((content.hex(), value, threads))
        return lambda: None

    (tmp_path / "model").write_bytes(bytes(4))
    plan = {**PLAN, "rounds": 1, "prefixes": [([(0, 1)], []), ([(0, 258)], [7])]}
    job = {"model": str(tmp_path / "model"), "threads": 4, "prefixes": plan}
    found = prefixes.timed_prefixes(SimpleNamespace(loaded=loaded), "value", job)  # type: ignore[arg-type]
    assert seen == [("01000000", "value", 4), ("0201000007000000", "value", 4), ("00000000", "value", 4)]
    assert len(found["samples"]) == 3


def test_an_error_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    job = {"model": str(tmp_path / "gone"), "threads": 1, "prefixes": {**PLAN, "prefixes": []}}
    found = PrefixTimes.model_validate(prefixes.timed_prefixes(SimpleNamespace(), None, job))  # type: ignore[arg-type]
    assert found.why.startswith("FileNotFoundError")
    assert not found.samples
