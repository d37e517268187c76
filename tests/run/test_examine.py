"""Files that are examined on an emulated board: what is sent there, and what is said before it is booted."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from harness.core.errors import EstimateError, UsageError
from harness.ondevice.runner import probes
from harness.run import examine
from tests.conftest import MODELS


def test_the_board_s_program_is_the_markers_and_what_marks_files() -> None:
    text = examine.program()
    names = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert names == {"Markers", "mark", "mark_prefixes", "prefix_of", "nothing", "inference_of_zeros", "mark_files"}
    assert text.rstrip().endswith("mark_files()")


def test_each_file_is_warmed_up_and_marked_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    names = ("arm", "start", "end", "disarm")
    markers = SimpleNamespace(**{name: lambda name=name: calls.append(name) for name in names})
    path = tmp_path / "files"
    path.write_bytes(b"".join(examine._framed([b"one", b"", b"three"])))
    monkeypatch.setattr(sys, "argv", ["-", str(path), "1"])
    monkeypatch.setattr(probes, "Markers", lambda: markers)
    monkeypatch.setattr(probes, "inference_of_zeros", lambda content: lambda: calls.append(content.decode()))
    probes.mark_files()
    marks = ["arm", "start", "end", "disarm"]
    assert calls[:4] == marks
    each = [["arm", name, "start", name, "end", "disarm"] for name in ("one", "", "three")]
    assert calls[4:] == [
        word for name, words in zip(("one", "", "three"), each, strict=True) for word in (name, *words)
    ]


def test_inputs_are_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    seen: list[object] = []

    class Watched(litert.Interpreter):  # type: ignore[misc, name-defined]
        def set_tensor(self, index: int, value: object) -> None:
            seen.append(value)
            super().set_tensor(index, value)

    fake = ModuleType("ai_edge_litert.interpreter")
    fake.Interpreter = Watched  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", fake)
    invoke = probes.inference_of_zeros((MODELS / "resvgg19-pruned" / "int8.tflite").read_bytes())
    invoke()
    (value,) = seen
    assert not value.any()  # type: ignore[attr-defined]


@pytest.mark.parametrize("board", ["raspberry-pi-44", "generic", ""])
def test_a_board_without_estimates_is_refused_before_anything_is_booted(board: str) -> None:
    with pytest.raises(UsageError, match="can't be estimated"):
        examine.file_cycles(board, print)


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EstimateError, match="apt-get install"):
        examine.file_cycles("raspberry-pi-4", print)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="no QEMU")
def test_a_file_costs_on_a_board_what_it_costs_there_each_time() -> None:
    content = (MODELS / "resvgg19-pruned" / "int8.tflite").read_bytes()
    call, first, again = examine.file_cycles("raspberry-pi-4", print).regions([content, content])
    assert 0 < call.cycles < first.cycles / 10
    assert again.cycles == pytest.approx(first.cycles, rel=1e-3)
