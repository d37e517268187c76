"""The marks that a board sets for the emulator's plugin."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from harness.estimate import prefixes
from harness.ondevice.runner import regions
from tests.conftest import MODELS
from tests.support.arm_program import ARM, DISARM, END, START, hint


def test_marks_are_the_instructions_that_the_plugin_knows() -> None:
    numbers = (regions.ARM, regions.START, regions.END, regions.DISARM)
    assert [hint(number) for number in numbers] == [ARM, START, END, DISARM]


def test_one_inference_warms_up_and_each_region_has_one() -> None:
    calls: list[str] = []
    names = ("arm", "start", "end", "disarm")
    markers = SimpleNamespace(**{name: lambda name=name: calls.append(name) for name in names})
    regions.mark(markers, lambda: calls.append("invoke"), 2)  # type: ignore[arg-type]
    assert calls == ["arm", "invoke", "start", "invoke", "end", "start", "invoke", "end", "disarm"]


def test_a_failing_inference_leaves_nothing_armed() -> None:
    calls: list[str] = []
    names = ("arm", "start", "end", "disarm")
    markers = SimpleNamespace(**{name: lambda name=name: calls.append(name) for name in names})
    with pytest.raises(ZeroDivisionError):
        regions.mark(markers, lambda: 1 // 0, 2)  # type: ignore[arg-type]
    assert calls == ["arm", "disarm"]


def test_a_call_of_nothing_comes_before_the_prefixes() -> None:
    calls: list[str] = []
    names = ("arm", "start", "end", "disarm")
    markers = SimpleNamespace(**{name: lambda name=name: calls.append(name) for name in names})

    def load(content: bytes) -> object:
        return lambda: calls.append(content.hex())

    regions.mark_prefixes(markers, load, bytes(4), [([(0, 1)], []), ([(0, 258)], [7])], 1)  # type: ignore[arg-type]
    marks = ["arm", "start", "end", "disarm"]
    one, two = "01000000", "0201000007000000"
    assert calls[:4] == marks
    assert calls[4:11] == [one, "arm", one, "start", one, "end", "disarm"]
    assert calls[11:] == [two, "arm", two, "start", two, "end", "disarm"]


@pytest.mark.skipif(os.uname().machine == "aarch64", reason="marks can be set here")
def test_other_machines_set_no_marks() -> None:
    with pytest.raises(OSError, match="AArch64"):
        regions.Markers()


def test_a_32_bit_program_on_a_64_bit_kernel_sets_no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would jump to instructions of another kind."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="aarch64"))
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(OSError, match="this is aarch64, 32 bits"):
        regions.Markers()


def test_both_halves_cut_a_file_alike() -> None:
    content = (MODELS / "resvgg19-pruned" / "fp32.tflite").read_bytes()
    prefix = prefixes.operators(content + b"odd")[3].prefix
    there = regions.prefix_of(content + b"odd", [list(patch) for patch in prefix.patches], list(prefix.tail))
    assert there == prefixes.prefix_of(content + b"odd", prefix)
