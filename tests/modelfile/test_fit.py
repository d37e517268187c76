"""What runs where: releases of runtimes, operators, delegates, memory; and the tables against real runtimes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from onnx import helper

from harness.boards.family import System
from harness.boards.registry import FAMILIES
from harness.modelfile import ModelFile, Target, fits, read
from harness.modelfile.boards import Board, expected, refusal, ways
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.wheels import table
from tests.conftest import MODELS
from tests.support.modelfiles import Onnx, TensorOf, Tflite

NANO, CORAL, PI = (FAMILIES[name] for name in ("jetson-nano", "coral-dev", "raspberry-pi-4"))


def onnx_file(tmp_path: Path, **parts: Any) -> ModelFile:
    return read(Onnx(**parts).write(tmp_path / "m.onnx"))


def tflite_file(tmp_path: Path, **parts: Any) -> ModelFile:
    return read(Tflite(**parts).write(tmp_path / "m.tflite"))


@pytest.mark.parametrize(
    ("opset", "ir", "version", "words"),
    [
        (15, 8, "1.10.0", None),
        (16, 8, "1.10.0", "opset 16 is too new for ONNX Runtime 1.10.0, which takes 15 at most"),
        (15, 9, "1.10.0", "IR version 9 is too new"),
        (18, 8, "1.14.1", None),
        (19, 8, "1.14.1", "opset 19"),
        (21, 10, "1.19.2", None),
        (27, 13, "1.31.1", "opset 27"),
        (99, 99, "", None),  # the board's own, unknown
        (99, 99, "9.9", None),  # newer than the tables
        (99, 99, "1.2", None),  # older than the tables
    ],
)
def test_onnx_versions(tmp_path: Path, opset: int, ir: int, version: str, words: str | None) -> None:
    said = fits(onnx_file(tmp_path, opset=opset, ir=ir), Target("onnxruntime", version))
    assert (said is None) == (words is None)
    assert (words or "") in (said or "")


def test_onnx_operators_of_other_domains(tmp_path: Path) -> None:
    target = Target("onnxruntime", "1.31.1")
    ours = onnx_file(tmp_path, nodes=[helper.make_node("Whirl", ["x"], ["y"], domain="my")], domains={"my": 1})
    assert fits(ours, target) == "ONNX Runtime has no operator my.Whirl"
    known = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    assert fits(onnx_file(tmp_path, nodes=[known], domains={"com.microsoft": 1}), target) is None


@pytest.mark.parametrize(
    ("operator", "version", "runtime", "release", "words"),
    [
        ("FULLY_CONNECTED", 12, "tflite", "2.14.0", "older versions of operator FULLY_CONNECTED 12 (it has 10)"),
        ("FULLY_CONNECTED", 9, "tflite", "2.11.0", None),
        ("FULLY_CONNECTED", 12, "litert", "2.3.0", None),
        ("STABLEHLO_ADD", 1, "tflite", "2.14.0", "has no operator STABLEHLO_ADD"),
        ("FlexErf", 1, "litert", "2.3.0", "operator FlexErf of TensorFlow (Flex)"),
        ("Whirl", 1, "litert", "2.3.0", "no custom operator Whirl"),
        ("TFLite_Detection_PostProcess", 1, "tflite", "2.11.0", None),
        ("Convolution2DTransposeBias", 1, "tflite", "2.14.0", "no custom operator"),
        ("Convolution2DTransposeBias", 1, "litert", "2.1.0", None),
        ("edgetpu-custom-op", 1, "litert", "2.3.0", "compiled for the Edge TPU"),
        ("FULLY_CONNECTED", 12, "litert", "2.2.0", None),  # not in the table: the nearest older one's
        ("FULLY_CONNECTED", 99, "litert", "3.0.0", None),  # newer than the table
    ],
)
def test_tflite_versions(
    tmp_path: Path, operator: str, version: int, runtime: str, release: str, words: str | None
) -> None:
    file = tflite_file(tmp_path, operators=[(operator, version, (0,), (1,))])
    said = fits(file, Target(runtime, release))
    assert (said is None) == (words is None), said
    assert (words or "") in (said or "")


def test_the_converters_note_counts_where_no_table_does(tmp_path: Path) -> None:
    file = tflite_file(tmp_path, min_runtime="2.10.0")
    assert fits(file, Target("tflite", "2.11.0")) is None
    assert "needs TensorFlow Lite 2.10.0" in str(fits(file, Target("tflite", "2.5.0")))


def test_formats_delegates_and_memory(tmp_path: Path) -> None:
    tflite, onnx = tflite_file(tmp_path), onnx_file(tmp_path)
    assert fits(tflite, Target("onnxruntime", "1.31.1")) == "ONNX Runtime reads no .tflite file"
    assert fits(onnx, Target("litert", "2.3.0")) == "LiteRT reads no .onnx file"
    assert "no delegate 'cuda'" in str(fits(tflite, Target("litert", "2.3.0", "cuda")))
    assert fits(onnx, Target("onnxruntime", "", "cuda")) is None
    assert "MiB" in str(fits(onnx, Target("onnxruntime", "1.31.1", memory_bytes=10)))


def test_an_edge_tpu_takes_int8_alone(tmp_path: Path) -> None:
    target = Target("litert", "2.3.0", "edgetpu")
    assert fits(read(MODELS / "resvgg19-pruned" / "int8.tflite"), target) is None
    for name in ("fp32", "dynamic", "fp16"):
        assert "full int8" in str(fits(read(MODELS / "resvgg19-pruned" / f"{name}.tflite"), target))
    kinds = [TensorOf("x", kind="UINT8"), TensorOf("y", kind="UINT8")]
    compiled = tflite_file(tmp_path, tensors=kinds, operators=[("edgetpu-custom-op", 1, (0,), (1,))])
    assert fits(compiled, target) is None


def test_boards_get_the_release_of_their_system(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, opset=16, ir=8)
    nano = ways(file, expected(NANO))
    assert [(way.system.python, way.runtime, way.version) for way in nano] == [("3.6", "onnxruntime", "1.10.0")]
    assert "opset 16" in str(nano[0].why)
    pi = ways(file, expected(PI))
    assert [(way.version, way.why) for way in pi] == [("1.31.1", None), ("1.32.0", None)]
    assert ways(tflite_file(tmp_path), expected(CORAL))[0].runtime == "tflite"  # it stands in for litert
    assert "no litert is published" in str(ways(tflite_file(tmp_path), expected(NANO))[0].why)
    emulated = expected(NANO, emulated=True)
    assert (ways(file, emulated)[0].why, emulated.memory_bytes) == (None, NANO.memory_mib << 20)
    assert ways(file, expected(FAMILIES["generic"])) == ()
    assert ways(file, expected(FAMILIES["generic"], local=True))[0].system.title == "this machine"


def test_a_board_is_refused_where_none_of_its_systems_fits(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, opset=27, ir=8)
    assert refusal(file, expected(PI), runtime="onnxruntime", delegate="cpu") is None  # trixie's 1.32 takes it
    bookworm = Board((System("bookworm", "3.11", (2, 36)),))
    assert "opset 27" in str(refusal(file, bookworm, runtime="onnxruntime", delegate="cpu"))
    assert refusal(file, Board(()), runtime="onnxruntime", delegate="cpu") is None


def test_shipped_networks_fit_what_they_ran_on() -> None:
    for path in (MODELS / "resvgg19-pruned").glob("int8.*"):
        file = read(path)
        for bundle in table():
            runtime = RUNTIMES[bundle.runtime]
            if file.format in runtime.formats and file.variant in runtime.variants:
                assert fits(file, Target(bundle.runtime, bundle.version)) is None


@pytest.mark.train
@pytest.mark.parametrize("ahead", [0, 1])
def test_the_table_of_onnx_runtime_is_what_it_does(tmp_path: Path, ahead: int) -> None:
    from harness.modelfile import fit

    limits = fit._onnx_limits(fit._release(onnxruntime.__version__))
    if limits is None:
        pytest.skip("a release newer than the table")
    path = Onnx(opset=limits.opset + ahead, ir=3).write(tmp_path / "m.onnx")
    newer = Onnx(opset=8, ir=limits.ir + ahead).write(tmp_path / "n.onnx")
    for one in (path, newer):
        taken = True
        try:
            onnxruntime.InferenceSession(str(one), providers=["CPUExecutionProvider"])
        except Exception:  # its exceptions have no common class
            taken = False
        assert taken == (not ahead)
        assert taken == (fits(read(one), Target("onnxruntime", onnxruntime.__version__)) is None)


@pytest.mark.train
def test_the_table_of_litert_is_what_it_does(tmp_path: Path) -> None:
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter

    from harness.modelfile import fit

    known = fit._operators(Target("litert", version("ai-edge-litert")))
    if known is None:
        pytest.skip("a release newer than the table")
    for name in ("CONV_2D", "FULLY_CONNECTED", "ADD", "STABLEHLO_ADD", "MEAN"):
        for ahead in (0, 1):
            path = Tflite(operators=[(name, known[name] + ahead, (0,), (1,))]).write(tmp_path / "m.tflite")
            taken = True
            try:
                Interpreter(str(path))
            except ValueError:
                taken = False
            assert taken == (not ahead), (name, known[name])


def test_of_a_runtime_that_is_in_no_table_nothing_is_claimed(tmp_path: Path) -> None:
    """OpenVINO reads both formats, and says itself what it can't load; what no runtime has is still said."""
    new = onnx_file(tmp_path, opset=27, ir=13)
    assert fits(new, Target("onnxruntime", "1.23.2")) is not None
    assert fits(new, Target("openvino", "2026.4.1")) is None
    file = tflite_file(tmp_path)
    unknown = replace(file, custom=("Convolution2DTransposeBias",))
    assert "custom operator" in str(fits(unknown, Target("tflite", "2.14.0")))
    assert fits(unknown, Target("openvino", "2026.4.1")) is None
    assert "Flex" in str(fits(replace(file, custom=("FlexErf",)), Target("openvino", "2026.4.1")))
