"""Damaged and hostile files: an error that names the file, soon, and in little memory."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import ModelFileError
from harness.modelfile import read
from tests.conftest import MODELS
from tests.support.modelfiles import TensorOf, Tflite

REAL = [MODELS / "resvgg19-pruned" / name for name in ("int8.tflite", "fp16.tflite", "fp32.onnx", "int8.onnx")]
CONTENT = {path: path.read_bytes() for path in REAL}
#: Bytes at a file's end that say nothing of the network: ONNX's list of operator sets that nothing uses.
SPARE = {"fp32.onnx": 17, "int8.onnx": 300}
SETTINGS = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


def outcome(path: Path, data: bytes) -> bool:
    """Whether the bytes are read as a model; any error but the right one is the test's."""
    path.write_bytes(data)
    try:
        read(path)
    except ModelFileError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 1500
        return False
    return True


@pytest.mark.parametrize("real", REAL, ids=lambda path: path.name)
def test_cut_off_at_any_length(tmp_path: Path, real: Path) -> None:
    data = CONTENT[real]

    @SETTINGS
    @given(st.integers(0, len(data) - 1 - SPARE.get(real.name, 0)))
    def cut(length: int) -> None:
        assert not outcome(tmp_path / real.name, data[:length])

    cut()


@pytest.mark.parametrize("real", REAL, ids=lambda path: path.name)
def test_any_bytes_changed(tmp_path: Path, real: Path) -> None:
    data = CONTENT[real]
    places = st.integers(0, len(data) - 1) | st.integers(0, 2000)

    @SETTINGS
    @given(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=30))
    def change(changes: dict[int, int]) -> None:
        altered = bytearray(data)
        for place, value in changes.items():
            altered[place] = value
        outcome(tmp_path / real.name, bytes(altered))

    change()


@SETTINGS
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x08\x07", b"\x08\x07\x3a", b"\x1c\x00\x00\x00TFL3"]))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes) -> None:
    outcome(tmp_path_factory.getbasetemp() / "any.onnx", head + data)


def number(value: int) -> bytes:
    text = b""
    while value > 127:
        text += bytes([value & 127 | 128])
        value >>= 7
    return text + bytes([value])


def part(field: int, content: bytes) -> bytes:
    return number(field << 3 | 2) + number(len(content)) + content


def onnx_bytes(graph: bytes, more: bytes = b"") -> bytes:
    return b"\x08\x07" + part(7, graph) + part(8, b"\x10\x0d") + more


RELU = part(1, part(1, b"x") + part(2, b"y") + part(4, b"Relu"))
BOMBS = {
    "nodes": onnx_bytes(b"\x0a\x00" * 10_000_000),
    "constants": onnx_bytes(RELU + b"\x2a\x00" * 10_000_000),
    "attributes": onnx_bytes(RELU + part(1, b"\x2a\x00" * 10_000_000)),
    "functions": onnx_bytes(RELU, b"\xca\x01\x00" * 10_000_000),
    "sizes": onnx_bytes(RELU + part(5, part(1, b"\x01" * 20_000_000) + part(8, b"w") + b"\x10\x01")),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_small_parts_by_the_million(tmp_path: Path, kind: str) -> None:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert not outcome(tmp_path / "bomb.onnx", BOMBS[kind])
    assert time.process_time() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


def test_nested_for_ever(tmp_path: Path) -> None:
    graph = RELU
    for _ in range(500):
        graph = part(1, part(4, b"If") + part(5, part(6, graph)))
    assert not outcome(tmp_path / "deep.onnx", onnx_bytes(graph))


def test_text_that_is_no_text(tmp_path: Path) -> None:
    assert not outcome(tmp_path / "m.onnx", onnx_bytes(RELU + part(11, part(1, b"\xff\xfe"))))


def test_a_name_without_end(tmp_path: Path) -> None:
    path = Tflite(tensors=[TensorOf("x" * 100_000), TensorOf("y")]).write(tmp_path / "m.tflite")
    with pytest.raises(ModelFileError, match="a name of 100000"):
        read(path)
