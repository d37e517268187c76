"""ONNX files: tensors, open sizes, versions, external weights, functions; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from harness.core.errors import ModelFileError, UsageError
from harness.modelfile import ModelFile, read
from harness.modelfile.shapes import given
from tests.support.modelfiles import Onnx, constant, external, value, weights


def made(tmp_path: Path, shapes: dict[str, tuple[int, ...]] | None = None, **parts: Any) -> ModelFile:
    return read(Onnx(**parts).write(tmp_path / "m.onnx"), shapes)


def refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]] | None = None, **parts: Any) -> str:
    with pytest.raises(ModelFileError) as caught:
        made(tmp_path, shapes, **parts)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.FLOAT, "float32"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.INT8, "int8"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.INT16, "int16"),
        (TensorProto.INT32, "int32"),
        (TensorProto.INT64, "int64"),
        (TensorProto.BOOL, "bool"),
    ],
)
def test_every_element_type(tmp_path: Path, kind: int, dtype: str) -> None:
    file = made(
        tmp_path,
        nodes=[helper.make_node("Identity", ["x"], ["y"])],
        inputs=[value("x", (2, 3), kind)],
        outputs=[value("y", (2, 3), kind)],
    )
    assert [(one.name, one.shape, one.dtype, one.declared) for one in (*file.inputs, *file.outputs)] == [
        ("x", (2, 3), dtype, None),
        ("y", (2, 3), dtype, None),
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [(TensorProto.STRING, "text"), (TensorProto.UINT16, "uint16"), (TensorProto.BFLOAT16, "bfloat16"), (99, "type 99")],
)
def test_an_element_type_that_nobody_can_feed(tmp_path: Path, kind: int, words: str) -> None:
    said = refused(tmp_path, inputs=[value("words", (1,), kind)])
    assert "input 'words'" in said
    assert words in said


def test_a_list_of_tensors_as_input(tmp_path: Path) -> None:
    listed = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    assert "list of tensors" in refused(tmp_path, inputs=[listed])


def test_single_values_several_inputs_and_constants_listed_as_inputs(tmp_path: Path) -> None:
    file = made(
        tmp_path,
        nodes=[helper.make_node("MatMul", ["x", "w"], ["t"]), helper.make_node("Mul", ["t", "s"], ["y"])],
        inputs=[value("x"), value("s", ()), value("w", (4, 4))],  # before IR 4 constants had to be inputs as well
        constants=[weights("w", 4, 4)],
        ir=3,
    )
    assert [(one.name, one.shape) for one in file.inputs] == [("x", (1, 4)), ("s", ())]
    assert (file.macs, file.parameters, file.variant) == (16, 16, "fp32")


def test_open_sizes_are_asked_for_by_name_with_words_that_work(tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "inputs": [value("pixels", ("batch", 3, "height", "width")), value("state", (2, "batch", 128))],
        "nodes": [helper.make_node("Relu", ["pixels"], ["y"])],
        "outputs": [value("y", ("batch", 3, "height", "width"))],
    }
    said = refused(tmp_path, **parts)
    assert "'pixels' is batch x 3 x height x width" in said
    assert "--shape pixels=1x3x224x224 --shape state=2x1x128" in said
    example = [word for word in said.rstrip(")").split() if "=" in word]
    file = made(tmp_path, given(example), **parts)
    assert [one.shape for one in file.inputs] == [(1, 3, 224, 224), (2, 1, 128)]
    assert file.inputs[0].declared == ("batch", 3, "height", "width")
    assert file.outputs[0].shape == (1, 3, 224, 224)
    # one input's name fixes the other's
    assert made(tmp_path, {"pixels": (5, 3, 8, 8)}, **parts).inputs[1].shape == (2, 5, 128)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"y": (1, 4)}, "no input 'y'"),
        ({"x": (4,)}, "1 dimensions"),
        ({"x": (1, 5)}, "the file fixes it"),
        ({"x": (0, 4)}, "no input can have this shape"),
        ({"x": (1 << 40, 4)}, "too many for any board"),
    ],
)
def test_a_shape_that_does_not_fit(tmp_path: Path, shapes: dict[str, tuple[int, ...]], words: str) -> None:
    assert words in refused(tmp_path, shapes, inputs=[value("x", ("n", 4))])


def test_two_inputs_that_disagree_on_a_name(tmp_path: Path) -> None:
    inputs = [value("x", ("n", 4)), value("z", ("n", 2))]
    assert "'n' is 1 in another input" in refused(tmp_path, {"x": (1, 4), "z": (2, 2)}, inputs=inputs)


@pytest.mark.parametrize("shape", [(0, 4), (1, -3)])
def test_sizes_of_zero_or_less(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert "zero or less" in refused(tmp_path, inputs=[value("x", shape)])


def test_an_input_of_unknown_rank_needs_a_shape(tmp_path: Path) -> None:
    inputs = [value("x", None)]
    assert "--shape x=1x3x224x224" in refused(tmp_path, inputs=inputs)
    assert made(tmp_path, {"x": (1, 4)}, inputs=inputs).inputs[0].shape == (1, 4)


def test_names_of_sizes_that_are_none(tmp_path: Path) -> None:
    """Some exporters call every open size '?'."""
    file = made(tmp_path, {"x": (2, 3)}, inputs=[value("x", ("?", "?"))], outputs=[value("y", ("?", "?"))])
    assert file.inputs[0].declared == (-1, -1)


def test_an_output_whose_size_only_a_run_can_tell(tmp_path: Path) -> None:
    file = made(
        tmp_path,
        nodes=[helper.make_node("NonZero", ["x"], ["y"])],
        outputs=[value("y", (2, "found"), TensorProto.INT64)],
    )
    assert (file.outputs[0].shape, file.outputs[0].declared) == ((2, 0), (2, "found"))


def test_versions_and_foreign_operators(tmp_path: Path) -> None:
    node = helper.make_node("Whirl", ["x"], ["y"], domain="my.own")
    file = made(tmp_path, nodes=[node], domains={"my.own": 3, "unused": 1}, opset=17, ir=8)
    assert file.versions == {"ir": 8, "opset": 17, "my.own": 3}
    assert file.custom == ("my.own.Whirl",)
    assert file.macs is None
    assert "my.own.Whirl" in file.macs_missing


def test_an_operator_set_newer_than_the_library(tmp_path: Path) -> None:
    file = made(tmp_path, opset=99, ir=99)
    assert file.versions == {"ir": 99, "opset": 99}
    assert file.macs == 0  # Relu, whatever its version


@pytest.mark.parametrize(("opset", "ir"), [(0, 7), (13, 0)])
def test_versions_that_can_not_be(tmp_path: Path, opset: int, ir: int) -> None:
    assert "version" in refused(tmp_path, opset=opset, ir=ir)


def test_no_node_no_output(tmp_path: Path) -> None:
    assert "no node" in refused(tmp_path, nodes=[])
    assert "no output" in refused(tmp_path, outputs=[])


def test_functions_are_put_in(tmp_path: Path) -> None:
    sets = [helper.make_opsetid("", 17)]
    inner = helper.make_function("own", "Twice", ["a"], ["c"], [helper.make_node("MatMul", ["a", "a"], ["c"])], sets)
    file = made(
        tmp_path,
        nodes=[helper.make_node("Twice", ["x"], ["y"], domain="own")],
        inputs=[value("x", (8, 8))],
        outputs=[value("y", (8, 8))],
        functions=[inner],
        domains={"own": 1},
        opset=17,
        ir=8,
    )
    assert (file.operators, file.macs, file.custom) == ({"MatMul": 1}, 512, ())


def test_functions_that_double_at_each_level(tmp_path: Path) -> None:
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def level(number: int) -> Any:
        called = f"F{number - 1}"
        nodes = [
            helper.make_node(called, ["a"], ["b"], domain="own"),
            helper.make_node(called, ["b"], ["c"], domain="own"),
        ]
        if number == 0:
            nodes = [helper.make_node("Relu", ["a"], ["c"])]
        return helper.make_function("own", f"F{number}", ["a"], ["c"], nodes, sets)

    for depth, recursive in ((40, False), (3, True)):
        functions = [level(number) for number in range(1 if recursive else 0, depth)]
        if recursive:
            functions.append(
                helper.make_function(
                    "own", "F0", ["a"], ["c"], [helper.make_node("F2", ["a"], ["c"], domain="own")], sets
                )
            )
        node = helper.make_node(f"F{depth - 1}", ["x"], ["y"], domain="own")
        said = refused(tmp_path, nodes=[node], functions=functions, domains={"own": 1}, opset=17, ir=8)
        assert "calls itself" in said if recursive else "nodes" in said


def test_external_weights_become_one_file(tmp_path: Path, cache: Path) -> None:
    path = external(tmp_path / "m.onnx", "m.data", data=np.arange(16, dtype="float32").tobytes())
    file = read(path)
    assert file.embedded.is_relative_to(cache)
    assert (file.bytes, file.macs, file.parameters) == (file.embedded.stat().st_size, 16, 16)
    assert "other files" in file.notes[0]
    alone = read(file.embedded)
    assert (alone.sha256, alone.notes) == (file.sha256, ())
    assert alone.embedded == file.embedded


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("missing.data", "not there"),
        ("/etc/passwd", "not a file beside it"),
        ("../secret", "not a file beside it"),
        ("C:\\secret", "not a file beside it"),
        ("a\\..\\..\\secret", "not a file beside it"),
        ("", "not a file beside it"),
    ],
)
def test_external_weights_elsewhere(tmp_path: Path, location: str, words: str) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    (tmp_path / "in").mkdir()
    path = external(tmp_path / "in" / "m.onnx", location, data=None)
    with pytest.raises(ModelFileError, match=words):
        read(path)


def test_external_weights_behind_a_link_or_cut_off(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    (tmp_path / "in").mkdir()
    path = external(tmp_path / "in" / "m.onnx", "w.data", data=None)
    (tmp_path / "in" / "w.data").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelFileError, match="link to a file outside"):
        read(path)
    (tmp_path / "in" / "w.data").unlink()
    (tmp_path / "in" / "w.data").write_bytes(b"\0" * 10)
    with pytest.raises(ModelFileError, match="cut off: 64 bytes needed, 10 there"):
        read(path)


def test_quantised_files(tmp_path: Path) -> None:
    scale, zero = constant("s", np.float32(0.1)), constant("z", np.int8(0))
    weight = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wf"])
    multiply = helper.make_node("MatMul", ["x2", "wf"], ["y"])
    activations = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["x2"]),
    ]
    constants = [weights("w", 4, 4, kind="int8"), scale, zero]
    file = made(tmp_path, nodes=[*activations, weight, multiply], constants=constants)
    assert (file.variant, file.parameters, file.macs) == ("int8", 16, 16)
    same = helper.make_node("Identity", ["x"], ["x2"])
    assert made(tmp_path, nodes=[same, weight, multiply], constants=constants).variant == "dynamic"


def test_half_floats(tmp_path: Path) -> None:
    half = TensorProto.FLOAT16
    file = made(
        tmp_path,
        nodes=[helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs=[value("x", (1, 4), half)],
        outputs=[value("y", (1, 4), half)],
        constants=[weights("w", 4, 4, kind="float16")],
    )
    assert file.variant == "fp16"


@pytest.mark.parametrize("word", ["x", "x=", "=1x2", "x=1xa", "x=1x0", "x=-1", "x=1x2,x=1x3", "x=99999999999"])
def test_options_that_are_no_shapes(word: str) -> None:
    with pytest.raises(UsageError, match="--shape"):
        given([word])


def test_options_that_are_shapes() -> None:
    assert given(["a:0=1x3, b=2", "c=d=4"]) == {"a:0": (1, 3), "b": (2,), "c=d": (4,)}
