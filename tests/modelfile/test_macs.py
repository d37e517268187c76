"""Multiply-accumulates, counted by hand for each operator, and those of this project's own networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from harness.modelfile import ModelFile, onnx_macs, read, tflite_macs
from harness.records import manifest as manifests
from tests.conftest import MODELS
from tests.support.modelfiles import Onnx, TensorOf, Tflite, constant, value, weights

SHIPPED = sorted([*MODELS.glob("*/*.tflite"), *MODELS.glob("*/*.onnx")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_networks_have_what_their_manifests_say(path: Path) -> None:
    file, record = read(path), manifests.load(MODELS, path.parent.name)
    artifact = record.artifact(path.stem, file.format)
    assert artifact is not None
    assert (file.macs, file.sha256, file.bytes) == (record.macs, artifact.sha256, artifact.bytes)
    assert (file.variant, file.custom, file.notes) == (artifact.variant, (), ())
    # a file has batch normalisation within its weights, so fewer parameters than the network that it was made of
    assert file.parameters is not None
    assert 0.85 * (record.parameters or 0) < file.parameters <= (record.parameters or 0)
    for ours, theirs in ((file.inputs[0], artifact.inputs[0]), (file.outputs[0], artifact.outputs[0])):
        assert (ours.shape, ours.dtype, ours.zero_point) == (theirs.shape, theirs.dtype, theirs.zero_point)
        assert ours.scale == (pytest.approx(theirs.scale) if theirs.scale is not None else None)


def onnx_file(tmp_path: Path, node: Any, x: tuple[int, ...], *others: Any, y: Any = None, **parts: Any) -> ModelFile:
    outputs = [value("y", y)]
    return read(
        Onnx(nodes=[node], inputs=[value("x", x)], outputs=outputs, constants=others, **parts).write(
            tmp_path / "m.onnx"
        )
    )


def node(kind: str, *inputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, ["x", *inputs], ["y"], **attributes)


@pytest.mark.parametrize(
    ("one", "x", "weight", "macs"),
    [
        (node("Conv", "w", pads=[1, 1, 1, 1]), (1, 3, 8, 8), (16, 3, 3, 3), 16 * 64 * 27),
        (node("Conv", "w", strides=[2, 2]), (2, 3, 9, 9), (16, 3, 3, 3), 2 * 16 * 16 * 27),
        (node("Conv", "w", group=4), (1, 8, 5, 5), (8, 2, 1, 1), 8 * 25 * 2),
        (node("Conv", "w", group=8), (1, 8, 5, 5), (8, 1, 3, 3), 8 * 9 * 9),
        (node("Conv", "w"), (1, 4, 10), (6, 4, 3), 6 * 8 * 12),
        (node("Conv", "w"), (1, 2, 4, 4, 4), (3, 2, 2, 2, 2), 3 * 27 * 16),
        (node("ConvTranspose", "w", strides=[2, 2]), (1, 3, 4, 4), (3, 5, 2, 2), 3 * 16 * 5 * 4),
        (node("MatMul", "w"), (1, 4), (4, 6), 24),
        (node("MatMul", "w"), (2, 3, 7, 4), (4, 6), 2 * 3 * 7 * 4 * 6),
        (node("MatMul", "w"), (4,), (4, 6), 24),
        (node("Gemm", "w"), (5, 4), (4, 6), 120),
        (node("Gemm", "w", transA=1, transB=1), (4, 5), (6, 4), 120),
        (node("Einsum", "w", equation="bij,jk->bik"), (2, 3, 4), (4, 5), 2 * 3 * 4 * 5),
        (node("Mul", "w"), (1, 4), (1, 4), 0),
    ],
)
def test_onnx_operators(tmp_path: Path, one: Any, x: tuple[int, ...], weight: tuple[int, ...], macs: int) -> None:
    assert onnx_file(tmp_path, one, x, weights("w", *weight)).macs == macs


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_onnx_recurrent_layers(tmp_path: Path, kind: str, gates: int) -> None:
    one = node(kind, "w", "r", hidden_size=8)
    file = onnx_file(tmp_path, one, (10, 2, 5), weights("w", 1, gates * 8, 5), weights("r", 1, gates * 8, 8))
    assert file.macs == 10 * 2 * gates * 8 * (5 + 8)


def test_shapes_that_are_computed_in_the_file(tmp_path: Path) -> None:
    """What PyTorch makes of ``x.view(x.size(0), -1)``."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    constants = [
        constant("zero", np.int64(0)),
        constant("axes", np.array([0], "int64")),
        constant("rest", np.array([-1], "int64")),
        weights("w", 48, 7),
    ]
    made = Onnx(nodes=nodes, inputs=[value("x", ("n", 3, 4, 4))], outputs=[value("y", ("n", 7))], constants=constants)
    assert read(made.write(tmp_path / "m.onnx"), {"x": (2, 3, 4, 4)}).macs == 2 * 48 * 7


def branch(name: str, rows: int) -> Any:
    nodes = [helper.make_node("MatMul", ["x", f"w{rows}"], [name])]
    return helper.make_graph(nodes, name, [], [value(name, (1, rows))])


@pytest.mark.parametrize(("rows", "macs"), [(4, 16), (6, None)])
def test_branches(tmp_path: Path, rows: int, macs: int | None) -> None:
    one = helper.make_node("If", ["c"], ["y"], then_branch=branch("a", 4), else_branch=branch("b", rows))
    file = read(
        Onnx(
            nodes=[one],
            inputs=[value("x"), value("c", (), TensorProto.BOOL)],
            outputs=[value("y", (1, "n"))],
            constants=[weights("w4", 4, 4), weights("w6", 4, 6)],
        ).write(tmp_path / "m.onnx")
    )
    assert (file.macs, file.operators["MatMul"]) == (macs, 2)
    assert ("16 or 24 MACs" in file.macs_missing) == (macs is None)


def test_loops_depend_on_values(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c_in"], ["c_out"]), helper.make_node("MatMul", ["v", "w"], ["v_out"])],
        "body",
        [value("i", (), TensorProto.INT64), value("c_in", (), TensorProto.BOOL), value("v")],
        [value("c_out", (), TensorProto.BOOL), value("v_out")],
    )
    file = read(
        Onnx(
            nodes=[helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
            inputs=[value("x"), value("n", (), TensorProto.INT64)],
            constants=[weights("w", 4, 4)],
        ).write(tmp_path / "m.onnx")
    )
    assert file.macs is None
    assert "how often Loop repeats 16 MACs" in file.macs_missing


def test_an_operator_that_is_not_known(tmp_path: Path) -> None:
    file = onnx_file(tmp_path, node("DFT"), (1, 8, 1), opset=17, ir=8)
    assert (file.macs, file.macs_missing) == (None, "what operator DFT computes isn't known")


@pytest.mark.parametrize(
    ("kind", "x", "weight", "y", "macs"),
    [
        ("CONV_2D", (1, 8, 8, 3), (16, 3, 3, 3), (1, 8, 8, 16), 16 * 64 * 27),
        ("CONV_2D", (1, 5, 5, 8), (8, 1, 1, 2), (1, 5, 5, 8), 8 * 25 * 2),
        ("DEPTHWISE_CONV_2D", (1, 5, 5, 8), (1, 3, 3, 16), (1, 3, 3, 16), 9 * 16 * 9),
        ("FULLY_CONNECTED", (2, 3, 4), (6, 4), (2, 3, 6), 2 * 3 * 24),
        ("FULLY_CONNECTED", (1, 2, 2, 3), (6, 12), (1, 6), 72),
        ("CONV_3D", (1, 4, 4, 4, 2), (2, 2, 2, 2, 3), (1, 3, 3, 3, 3), 27 * 3 * 16),
        ("BATCH_MATMUL", (2, 3, 4), (2, 4, 5), (2, 3, 5), 2 * 3 * 4 * 5),
        ("Convolution2DTransposeBias", (1, 4, 4, 3), (5, 2, 2, 3), (1, 8, 8, 5), 16 * 3 * 20),
        ("RNN", (2, 5), (8, 5), (2, 8), 2 * 8 * 5),
        ("MUL", (1, 4), (1, 4), (1, 4), 0),
    ],
)
def test_tflite_operators(
    tmp_path: Path, kind: str, x: tuple[int, ...], weight: tuple[int, ...], y: tuple[int, ...], macs: int
) -> None:
    data = bytes(4 * int(np.prod(weight)))
    tensors = [TensorOf("x", x), TensorOf("w", weight, data=data), TensorOf("y", y)]
    made = Tflite(tensors=tensors, outputs=(2,), operators=[(kind, 1, (0, 1), (2,))])
    assert read(made.write(tmp_path / "m.tflite")).macs == macs


def test_tflite_transposed_convolution(tmp_path: Path) -> None:
    tensors = [
        TensorOf("x", (1, 4, 4, 3)),
        TensorOf("w", (5, 2, 2, 3), data=bytes(240)),
        TensorOf("size", (4,), "INT32", data=bytes(16)),
        TensorOf("y", (1, 8, 8, 5)),
    ]
    made = Tflite(tensors=tensors, outputs=(3,), operators=[("TRANSPOSE_CONV", 1, (2, 1, 0), (3,))])
    assert read(made.write(tmp_path / "m.tflite")).macs == 16 * 3 * 20


@pytest.mark.parametrize("weight", [(6,), (6, 5)])
def test_weights_that_fit_nothing(tmp_path: Path, weight: tuple[int, ...]) -> None:
    tensors = [TensorOf("x"), TensorOf("w", weight, data=b"\0" * 96), TensorOf("y")]
    made = Tflite(tensors=tensors, outputs=(2,), operators=[("FULLY_CONNECTED", 1, (0, 1), (2,))])
    file = read(made.write(tmp_path / "m.tflite"))
    assert (file.macs, "FULLY_CONNECTED" in file.macs_missing) == (None, True)


def test_every_standard_operator_is_either_counted_or_known_to_be_none() -> None:
    """Or named here: what such an operator computes depends on more than shapes, or nobody runs it on a board."""
    import onnx
    import tflite

    standard = {one.name for one in onnx.defs.get_all_schemas_with_history() if one.domain == ""}
    counted = {*onnx_macs._NONE, *onnx_macs._COUNTS, *onnx_macs._CONTROL}
    assert standard - counted <= {
        "Attention", "CausalConvWithState", "DFT", "Det", "FlexAttention", "ImageDecoder", "LinearAttention",
        "NegativeLogLikelihoodLoss", "RegexFullMatch", "STFT", "SoftmaxCrossEntropyLoss", "StringConcat",
        "StringNormalizer", "StringSplit", "SwiGLU", "TfIdfVectorizer",
    }  # fmt: skip
    builtin = {name for name in vars(tflite.BuiltinOperator) if not name.startswith("_")}
    assert builtin - {*tflite_macs._NONE, *tflite_macs._COUNTS} <= {
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CALL", "CONCAT_EMBEDDINGS", "CUSTOM", "IF",
        "LSH_PROJECTION", "PLACEHOLDER_FOR_GREATER_OP_CODES", "RFFT2D", "STABLEHLO_COMPOSITE", "STABLEHLO_CONVOLUTION",
        "STABLEHLO_CUSTOM_CALL", "STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE", "STABLEHLO_REDUCE_WINDOW",
        "STABLEHLO_SCATTER", "STABLEHLO_WHILE", "WHILE",
    }  # fmt: skip
