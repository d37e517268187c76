"""TFLite files: tensors, open sizes, versions, custom operators; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ModelFileError
from harness.modelfile import ModelFile, read
from tests.support.modelfiles import TensorOf, Tflite


def made(tmp_path: Path, shapes: dict[str, tuple[int, ...]] | None = None, **parts: Any) -> ModelFile:
    return read(Tflite(**parts).write(tmp_path / "m.tflite"), shapes)


@pytest.mark.parametrize("kind", ["FLOAT16", "FLOAT32", "FLOAT64", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"])
def test_every_element_type(tmp_path: Path, kind: str) -> None:
    file = made(tmp_path, tensors=[TensorOf("x", kind=kind), TensorOf("y", (2, 2), kind)])
    assert [(one.name, one.shape, one.dtype) for one in (*file.inputs, *file.outputs)] == [
        ("x", (1, 4), kind.lower()),
        ("y", (2, 2), kind.lower()),
    ]


@pytest.mark.parametrize("kind", ["STRING", "RESOURCE", "COMPLEX64", "UINT32", "UINT16", "INT4"])
def test_an_element_type_that_nobody_can_feed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelFileError, match="input 'words'"):
        made(tmp_path, tensors=[TensorOf("words", kind=kind), TensorOf("y")])


def test_quantisation_versions_and_names(tmp_path: Path) -> None:
    quantised = TensorOf("", (1, 4), "INT8", scale=0.5, zero_point=-3)
    file = made(tmp_path, tensors=[quantised, TensorOf("", kind="INT8")], min_runtime="2.3.0")
    assert (file.inputs[0].name, file.inputs[0].scale, file.inputs[0].zero_point) == ("input_0", 0.5, -3)
    assert file.outputs[0].name == "output_0"
    assert (file.versions, file.operator_versions, file.min_runtime) == ({"schema": 3}, {"RELU": 1}, "2.3.0")


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_scale_that_can_not_be_is_none(tmp_path: Path, scale: float) -> None:
    file = made(tmp_path, tensors=[TensorOf("x", kind="INT8", scale=scale), TensorOf("y")])
    assert (file.inputs[0].scale, file.inputs[0].zero_point) == (None, None)


def test_an_open_batch_is_the_one_in_the_file(tmp_path: Path) -> None:
    tensors = [TensorOf("x", (1, 8, 8, 3), signature=(-1, 8, 8, 3)), TensorOf("y")]
    assert made(tmp_path, tensors=tensors).inputs[0].shape == (1, 8, 8, 3)


def test_other_open_sizes_are_asked_for(tmp_path: Path) -> None:
    tensors = [
        TensorOf("x", (1, 1, 1, 3), signature=(1, -1, -1, 3)),
        TensorOf("w", (2, 1, 1, 3), data=b"\0" * 24),
        TensorOf("y", (1, 1, 1, 2), signature=(1, -1, -1, 2)),
    ]
    parts: dict[str, Any] = {
        "tensors": tensors,
        "outputs": (2,),
        "operators": [("CONV_2D", 1, (0, 1), (2,))],
    }
    with pytest.raises(ModelFileError, match="--shape x=1x224x224x3"):
        made(tmp_path, **parts)
    file = made(tmp_path, {"x": (1, 5, 5, 3)}, **parts)
    assert (file.inputs[0].shape, file.inputs[0].declared) == ((1, 5, 5, 3), (1, -1, -1, 3))
    assert file.outputs[0].shape == (0, 0, 0, 0)
    assert file.macs is None
    assert "1 x 1 x 1 x 3" in file.macs_missing


@pytest.mark.parametrize("shape", [(0, 4), (1, -3)])
def test_sizes_of_zero_or_less(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelFileError, match="zero or less"):
        made(tmp_path, tensors=[TensorOf("x", shape), TensorOf("y")])


def test_the_output_of_a_custom_operator_has_any_shape(tmp_path: Path) -> None:
    file = made(tmp_path, operators=[("Whirl", 1, (0,), (1,))])
    assert (file.custom, file.outputs[0].shape, file.outputs[0].declared) == (("Whirl",), (0,), None)
    assert "custom operator Whirl" in file.macs_missing


def test_no_output_no_operator(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no output"):
        made(tmp_path, outputs=())
    with pytest.raises(ModelFileError, match="without any operator"):
        made(tmp_path, operators=())


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_tensors_that_are_not_there(tmp_path: Path, where: str) -> None:
    with pytest.raises(ModelFileError, match="tensor that isn't there"):
        made(tmp_path, **{where: (7,)})


def test_more_inputs_than_any_network_has(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="256 are the most"):
        made(tmp_path, inputs=(0,) * 300)


def test_variants_by_weights_and_activations(tmp_path: Path) -> None:
    def of(weight: str, activation: str, size: int) -> str:
        tensors = [
            TensorOf("x", (1, 4), activation),
            TensorOf("w", (4, 4), weight, data=b"\0" * 16 * size, scale=0.1 if weight == "INT8" else None),
            TensorOf("y", (1, 4), activation),
        ]
        file = made(tmp_path, tensors=tensors, outputs=(2,), operators=[("FULLY_CONNECTED", 1, (0, 1), (2,))])
        assert (file.parameters, file.macs) == (16, 16)
        return file.variant

    assert of("FLOAT32", "FLOAT32", 4) == "fp32"
    assert of("FLOAT16", "FLOAT32", 2) == "fp16"
    assert of("INT8", "FLOAT32", 1) == "dynamic"
    assert of("INT8", "INT8", 1) == "int8"
