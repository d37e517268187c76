"""The uncompressed network's int8 file against Keras: its weights, taken back into Keras, must give its answers.

Its manifest was written before a build recorded agreement with Keras, and the floating-point weights of that training
are gone. What is left to check is what the runtime makes of the file: activations in 8 bits, rescaling, padding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from harness.data import registry
from harness.data.spec import SYNTHETIC
from harness.data.splits import split

keras = pytest.importorskip("keras")
pytest.importorskip("ai_edge_litert")

from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402

from harness.training.export import runtimes  # noqa: E402
from harness.training.networks import resvgg19  # noqa: E402
from harness.training.train.epochs import as_input  # noqa: E402

INT8 = Path(__file__).parents[2] / "models" / "resvgg19" / "int8.tflite"


def weights(path: Path) -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Kernel (out, height, width, in) or (out, in) and bias (out,) in floating point, by the Keras layer's name."""
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    found = {}
    for operator in interpreter._get_ops_details():
        if operator["op_name"] in ("CONV_2D", "FULLY_CONNECTED"):
            _, kernel, bias = operator["inputs"]
            name = details[kernel]["name"].split("/")[1].removesuffix("_1")
            found[name] = (real(interpreter, details[kernel]), real(interpreter, details[bias]))
    return found


def real(interpreter: Any, tensor: Any) -> npt.NDArray[np.float32]:
    stored = interpreter.get_tensor(tensor["index"])
    scales = tensor["quantization_parameters"]["scales"]
    assert not tensor["quantization_parameters"]["zero_points"].any()
    return np.asarray(stored * scales.reshape(-1, *[1] * (stored.ndim - 1)), dtype=np.float32)


def as_keras(path: Path) -> Any:
    """The network with the file's weights; batch normalisation, which they hold already, only adds the bias."""
    model, given = resvgg19.build(), weights(path)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel, bias = given.pop(layer.name)
            layer.set_weights([kernel.transpose(1, 2, 3, 0)])
            normal = model.get_layer(layer.name.removesuffix("_conv") + "_bn")
            ones, zeros = np.ones_like(bias), np.zeros_like(bias)
            normal.set_weights([ones, bias, zeros, ones - normal.epsilon])
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = given.pop(layer.name)
            layer.set_weights([kernel.T, bias])
    assert not given, "each of the file's layers has its like"
    return model


@pytest.mark.slow
def test_the_uncompressed_int8_file_answers_as_keras_does_with_its_weights() -> None:
    data = registry.load(SYNTHETIC)
    images = data.images[split(data).test]
    ours = runtimes.probabilities(INT8, images)
    theirs = as_keras(INT8).predict(as_input(images), batch_size=33, verbose=0)
    same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
    assert same >= len(images) - 1, f"{same} of {len(images)}"
    assert np.abs(ours - theirs).mean() < 0.01
