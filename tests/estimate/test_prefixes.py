"""Files that end after some operators: the right operators, and files that LiteRT runs."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell
from harness.core.errors import ArtifactError
from harness.estimate import prefixes
from harness.estimate.prefixes import MOST_BYTES, Prefix, call_alone, content_of, operators, prefix_of
from harness.records.estimate import OperatorCost, OperatorCosts
from harness.records.operators import MAX_OPERATORS
from harness.results.trace import chrome_trace
from tests.support.modelfiles import TensorOf, Tflite
from tests.support.perfetto import imported

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


def test_a_file_without_operators_gives_its_inputs_back() -> None:
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    content = OURS.read_bytes()
    empty = prefix_of(content, call_alone(content))
    interpreter = interpreter_module.Interpreter(model_content=empty, num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.invoke()
    assert [output["index"] for output in interpreter.get_output_details()] == [given["index"]]


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


HOSTILE = (
    b'"quoted" and a quote at the end"',
    b"a backslash at the end\\",
    b"control \x00\x07\x1b[31m\x7f\r\n",
    b"\xff\xfe\x80 is not UTF-8 \xed\xa0\x80",
    b"x" * 65_536,
    "\u00e9\U0001f600".encode() * 10_000,
    b"=cmd|' /C calc'!A0",
    b"../../etc/passwd",
    b" " * 16,
)


def named(folder: Path, kind: bytes, name: bytes) -> bytes:
    """A file of two operators, one of which somebody made up, with such names."""
    tensors = [TensorOf("x"), TensorOf("N" * len(name)), TensorOf("end")]
    chain = [("K" * len(kind), 1, (0,), (1,)), ("RELU", 1, (1,), (2,))]
    content = Tflite(tensors=tensors, outputs=(2,), operators=chain).write(folder / "x.tflite").read_bytes()
    return content.replace(b"N" * len(name), name).replace(b"K" * len(kind), kind)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_foreign_files_are_cut_and_reach_perfetto(tmp_path: Path, kind: bytes, name: bytes) -> None:
    found = operators(named(tmp_path, kind, name))
    assert [operator.index for operator in found] == [0, 1]
    assert found[1].kind == "RELU"
    assert all(len(text) <= 400 and text.isprintable() for each in found for text in (each.kind, each.name))
    costs = tuple(OperatorCost(kind=each.kind, name=each.name, instructions=3, cycles=5) for each in found)
    known = OperatorCosts(operators=costs, call_instructions=1, call_cycles=1, instructions=6, cycles=10)
    slices = imported(chrome_trace([make_cell("squeezenet", "int8", device()).model_copy(update={"operators": known})]))
    assert [(each.start_ns, each.length_ns) for each in slices] == [(0, 5), (5, 5)]


def test_more_operators_than_anybody_looks_through_are_refused_and_none_too(tmp_path: Path) -> None:
    tensors = [TensorOf(f"t{place}") for place in range(MAX_OPERATORS + 2)]
    chain = [("RELU", 1, (place,), (place + 1,)) for place in range(MAX_OPERATORS + 1)]
    most = Tflite(tensors=tensors[:-1], outputs=(MAX_OPERATORS,), operators=chain[:-1]).write(tmp_path / "most.tflite")
    assert len(operators(most.read_bytes())) == MAX_OPERATORS
    more = Tflite(tensors=tensors, outputs=(MAX_OPERATORS + 1,), operators=chain).write(tmp_path / "more.tflite")
    with pytest.raises(ArtifactError, match="has 2001 operators"):
        operators(more.read_bytes())
    none = Tflite(outputs=(0,), operators=()).write(tmp_path / "none.tflite")
    with pytest.raises(ArtifactError, match="has 0 operators"):
        operators(none.read_bytes())


def test_many_inputs_cost_little_memory_and_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, each = 300, 220
    tensors = [TensorOf("t")] * (count * each)
    chain = [("ADD_N", 1, range(at * each, (at + 1) * each), (at,)) for at in range(count)]
    content = Tflite(tensors=tensors, outputs=(0,), operators=chain).write(tmp_path / "wide.tflite").read_bytes()
    tracemalloc.start()
    try:
        assert len(operators(content)) == count
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(prefixes, "_MOST_ENTRIES", count * each)
    with pytest.raises(ArtifactError, match="tensors between operators"):
        operators(content)


def test_a_large_file_is_not_taken_apart(tmp_path: Path) -> None:
    with (tmp_path / "x.tflite").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ArtifactError, match="over 128 MB is not taken apart"):
        content_of(tmp_path / "x.tflite")


def test_operators_have_their_names(tmp_path: Path) -> None:
    chain = [("WHILE", 1, (0,), (1,)), ("CUMSUM", 1, (1,), (1,))]
    content = Tflite(operators=chain).write(tmp_path / "x.tflite").read_bytes()
    assert [operator.kind for operator in operators(content)] == ["WHILE", "CUMSUM"]


def test_an_operator_that_makes_nothing_has_no_name(tmp_path: Path) -> None:
    chain = [("RELU", 1, (0,), (1,)), ("ASSIGN_VARIABLE", 1, (0, 1), ())]
    content = Tflite(operators=chain).write(tmp_path / "x.tflite").read_bytes()
    assert [operator.name for operator in operators(content)] == ["y", ""]
