"""Keras to TFLite: fp32, fp16, dynamic range and full integer int8."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import BuildError
from harness.records.manifest import Variant
from harness.training.arrays import Images, Model, Pixels
from harness.training.train.epochs import as_input

if TYPE_CHECKING:
    from tensorflow.lite import TFLiteConverter

QUANTISATION: dict[str, str] = {
    "fp32": "none",
    "fp16": "weights float16, computed in float32",
    "dynamic": "weights int8, activations float32 or quantised as they come",
    "int8": "full integer: weights int8 per channel, activations int8, calibrated on training images",
}


def export_tflite(model: Model, path: Path, variant: Variant, representative: Images) -> None:
    """Write one variant with a fixed batch of 1.

    Args:
        model: Keras model; float32 pixels (1, h, w, c) in.
        path: of the file to write.
        variant: fp32, fp16, dynamic or int8.
        representative: uint8 (N, h, w[, 3]) images that set int8 ranges; from the training split alone.

    Raises:
        BuildError: the converter failed.
    """
    with quiet():
        converter = _converter(model)
        _configure(converter, variant, representative)
        try:
            content = converter.convert()
        except Exception as error:  # the converter raises whatever its C++ part throws
            raise BuildError(f"{model.name}: TFLite {variant} conversion failed: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _converter(model: Model) -> TFLiteConverter:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="pixels")
    )
    frozen = convert_variables_to_constants_v2(concrete)  # otherwise int8 calibration meets unset variables
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _configure(converter: TFLiteConverter, variant: Variant, representative: Images) -> None:
    import tensorflow as tf

    if variant != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if variant in ("dynamic", "int8"):
        # per-channel dense layers become FULLY_CONNECTED v12, which runtimes before 2.17 refuse
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if variant == "int8":
        converter.representative_dataset = lambda: _samples(representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8


def _samples(images: Images) -> Iterator[list[Pixels]]:
    # one black and one white pixel in the corner of a training image pin the input's range to 0..255 without touching
    # other ranges: the scale is 1, the zero point -128, and a board makes an int8 of a pixel by subtracting 128
    first = as_input(images[:1])
    first[0, 0, 0, 0], first[0, 0, 1, 0] = 0.0, 255.0
    yield [first]
    for image in images:
        yield [as_input(image[None])]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence converters, which print progress from C++ to the user's terminal."""
    null = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(1), os.dup(2)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for target, saved in zip((1, 2), kept, strict=True):
            os.dup2(saved, target)
            os.close(saved)
        os.close(null)
