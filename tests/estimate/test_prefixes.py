"""Files that end after some operators: the right operators, and files that LiteRT runs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.core.errors import ArtifactError
from harness.estimate.prefixes import operators, patched

MODELS = Path(__file__).parents[2] / "models"
OURS = MODELS / "resvgg19-pruned" / "fp32.tflite"


def test_operators_come_in_the_order_of_execution_with_what_they_make() -> None:
    found = operators(OURS.read_bytes())
    assert [operator.index for operator in found] == list(range(len(found)))
    assert found[0].kind == "MUL"
    assert found[-1].kind == "SOFTMAX"
    assert "block1_1" in found[2].name
    assert {operator.kind for operator in found} == {
        "MUL", "ADD", "CONV_2D", "MAX_POOL_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX",
    }  # fmt: skip


def test_a_prefix_changes_only_three_numbers() -> None:
    content = OURS.read_bytes()
    operator = operators(content)[5]
    changed = patched(content, operator.patches)
    differing = {place // 4 for place, (a, b) in enumerate(zip(content, changed, strict=True)) if a != b}
    assert len(changed) == len(content)
    assert len(differing) <= 3
    assert len(operators(changed)) == 6


def test_the_last_prefix_is_the_whole_file() -> None:
    content = OURS.read_bytes()
    assert patched(content, operators(content)[-1].patches) == content


@pytest.mark.train
@pytest.mark.parametrize("name", ["resvgg19-pruned/int8", "mobilenet-v3-small/int8", "shufflenet-v2/int8"])
def test_litert_runs_every_prefix(name: str) -> None:
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    content = (MODELS / f"{name}.tflite").read_bytes()
    whole = operators(content)
    for operator in whole[:: max(1, len(whole) // 12)]:
        interpreter = interpreter_module.Interpreter(model_content=patched(content, operator.patches), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()
        (output,) = interpreter.get_output_details()
        assert output["name"][:40] == operator.name[:40]


@pytest.mark.parametrize(
    "content", [b"", b"not a network at all", b"\x10\0\0\0TFL3", b"\xff\xff\xff\x7fTFL3" + b"\0" * 64]
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError):
        operators(content)


def test_damage_is_refused_or_harmless() -> None:
    content = OURS.read_bytes()
    start: int = struct.unpack_from("<I", content, 0)[0]
    for place in range(start, start + 400, 4):
        try:
            found = operators(patched(content, ((place, 0x7FFFFFF0),)))
        except ArtifactError:
            continue
        for operator in found[:3]:
            patched(content, operator.patches)
