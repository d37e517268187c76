"""Layers that training left without a signal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
# Keras and the converter use names that newer releases of numpy deprecate
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

from harness.training.compress import dead_layers  # noqa: E402
from harness.training.export.tflite import export_tflite  # noqa: E402
from harness.training.networks.blocks import excite  # noqa: E402


def _gated(bias: float) -> object:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(68, 3, padding="same", name="wide")(inputs)
    x = excite(x, 4)
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(x)))
    squeeze = next(layer for layer in model.layers if getattr(layer, "filters", 0) == 4)
    squeeze.set_weights([squeeze.get_weights()[0], np.full(4, bias, "float32")])
    return model


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8)).astype(np.uint8)


def test_a_silent_squeeze_becomes_a_constant_and_int8_can_hold_it(tmp_path: Path, images: np.ndarray) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = _gated(bias=-1e4)
    pixels = images.astype(np.float32)[..., None]
    before = model.predict(pixels, verbose=0)
    (name,) = dead_layers.settle(model, pixels)
    assert model.get_layer(name).filters == 4
    np.testing.assert_allclose(model.predict(pixels, verbose=0), before, atol=1e-4)

    export_tflite(model, tmp_path / "int8.tflite", "int8", images)
    interpreter = Interpreter(str(tmp_path / "int8.tflite"), num_threads=1)
    interpreter.allocate_tensors()  # XNNPACK refuses, or breaks down over, a scale of 8e-9
    shapes = {
        tuple(t["shape"]): t["quantization"][0] for t in interpreter.get_tensor_details() if t["dtype"] == np.int8
    }
    assert shapes[1, 1, 1, 4] > 1e-3
    interpreter.invoke()


def test_a_layer_with_a_signal_stays(images: np.ndarray) -> None:
    model = _gated(bias=1.0)
    before = [w.copy() for w in model.get_weights()]
    assert dead_layers.settle(model, images.astype(np.float32)[..., None]) == []
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_network_without_such_layers_is_left_alone(images: np.ndarray) -> None:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x)))
    assert dead_layers.settle(model, images.astype(np.float32)[..., None]) == []
