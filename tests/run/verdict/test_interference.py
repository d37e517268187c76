"""What disturbed a measurement, from states as boards give them."""

from __future__ import annotations

import pytest

from harness.boards.state import BoardState
from harness.run.verdict import interference

START = {
    "monotonic_ns": "1000000000",
    "self waited_ns": "5000000",
    "self involuntary_switches": "10",
    "self cpu_ns": "2000000000",
    "/proc/stat cpu": "cpu  1000 50 300 90000 20 0 5 40 0 0",
    "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 total=0",
}
#: 2 s later on two processors (400 ticks): the runner used 1.5 s, others 0.5 s, 0.2 s were stolen.
END = {
    "monotonic_ns": "3000000000",
    "self waited_ns": "505000000",
    "self involuntary_switches": "110",
    "self cpu_ns": "3500000000",
    "/proc/stat cpu": "cpu  1150 60 335 90180 20 0 10 60 0 0",
    "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=201000\nfull avg10=0.00 total=0",
}


def between(start: dict[str, str], end: dict[str, str], threads: int) -> interference.Interference | None:
    return interference.between(BoardState.parse(start), BoardState.parse(end), threads)


def frequency_drop(states: list[dict[str, str]]) -> tuple[float, float] | None:
    return interference.frequency_drop(BoardState.parse(state) for state in states)


def test_shares_of_the_passes() -> None:
    found = between(START, END, 1)
    assert found is not None
    assert (found.elapsed_s, found.waited, found.switches_per_s, found.memory_stall) == (2.0, 0.25, 50.0, 0.1)
    assert found.others == pytest.approx(50 / 400)
    assert found.stolen == pytest.approx(20 / 400)


def test_waiting_is_shared_by_threads() -> None:
    found = between(START, END, 2)
    assert found is not None
    assert found.waited == 0.125


@pytest.mark.parametrize("missing", sorted(START))
def test_what_a_board_does_not_tell_is_unknown(missing: str) -> None:
    start = {key: text for key, text in START.items() if key != missing}
    found = between(start, END, 1)
    if missing == "monotonic_ns":
        assert found is None
    else:
        assert found is not None
        assert None in vars(found).values()


@pytest.mark.parametrize("text", ["", "cpu", "cpu x y z a b c d e f", "cpu0 1 2 3 4 5 6 7 8 9", "cpu 1 2", "\x1b[2J"])
def test_odd_texts_are_unknown(text: str) -> None:
    odd = dict.fromkeys(START, text) | {"monotonic_ns": "1000000000"}
    found = between(odd, END, 1)
    assert found is not None
    assert (found.waited, found.others, found.stolen, found.memory_stall) == (None, None, None, None)


def test_the_fastest_core_counts() -> None:
    policy = "/sys/devices/system/cpu/cpufreq/policy%d/scaling_%s_freq"
    states = [
        {policy % (0, "cur"): "600000", policy % (4, "cur"): "1800000", policy % (4, "max"): "1800000"},
        {policy % (0, "cur"): "1200000", policy % (4, "cur"): "600000", policy % (4, "max"): "1800000"},
    ]
    assert frequency_drop(states) == (1800.0, 1200.0)
    assert frequency_drop([{policy % (0, "max"): "9" * 30, policy % (0, "cur"): "soon"}, {}]) is None


def test_a_lowered_limit_is_a_drop_too() -> None:
    path = "/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq"
    assert frequency_drop([{path: "1500000"}, {path: "1000000"}]) == (1500.0, 1000.0)
