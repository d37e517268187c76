"""Files that end after some operators: the right operators, and files that LiteRT runs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.core.errors import ArtifactError
from harness.estimate.prefixes import Prefix, operators, prefix_of

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


def test_a_prefix_changes_two_numbers_and_adds_its_outputs() -> None:
    content = OURS.read_bytes()
    operator = operators(content)[5]
    changed = prefix_of(content, operator.prefix)
    differing = {place // 4 for place, (a, b) in enumerate(zip(content, changed, strict=False)) if a != b}
    assert len(differing) == 2
    assert len(changed) == len(content) + 4 * len(operator.prefix.tail)
    assert len(operators(changed)) == 6


def test_what_a_later_operator_needs_is_an_output() -> None:
    """A block's shortcut is made while its sum waits for the other branch."""
    found = operators(OURS.read_bytes())
    sums = [operator.index for operator in found if operator.kind == "ADD" and operator.index > 1]
    for index in sums:
        count, *outputs = found[index - 1].prefix.tail
        assert count == len(outputs) == 2
        assert found[index].prefix.tail[0] == 1


@pytest.mark.train
@pytest.mark.parametrize("name", ["resvgg19-pruned/int8", "mobilenet-v3-small/int8", "shufflenet-v2/int8"])
def test_litert_runs_every_prefix(name: str) -> None:
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    content = (MODELS / f"{name}.tflite").read_bytes()
    whole = operators(content)
    for operator in whole[:: max(1, len(whole) // 12)]:
        interpreter = interpreter_module.Interpreter(model_content=prefix_of(content, operator.prefix), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        assert len(outputs) == operator.prefix.tail[0]
        assert operator.name[:40] in [output["name"][:40] for output in outputs]


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
            found = operators(prefix_of(content, Prefix(((place, 0x7FFFFFF0),), ())))
        except ArtifactError:
            continue
        for operator in found[:3]:
            prefix_of(content, operator.prefix)
