"""The networks of published tables, 224x224, without trained weights, as TFLite files. Needs the [train] extra."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SHAPE = (1, 224, 224, 3)


def network(name: str, variant: str, folder: Path) -> Path:
    """A network's file, made if it doesn't exist. Its weights affect neither counts nor estimates.

    Args:
        name: ``mobilenet-v1``, ``-v2``, ``-v3-large`` or ``-v3-small``.
        variant: ``fp32`` or ``int8``.
    """
    path = folder / f"{name}.{variant}.tflite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(_converted(name, variant, folder / f"{name}.saved"))
        part.rename(path)
    return path


def _converted(name: str, variant: str, saved: Path) -> bytes:
    import keras
    import numpy as np
    import tensorflow as tf

    builders = {
        "mobilenet-v1": lambda: keras.applications.MobileNet(weights=None),
        "mobilenet-v2": lambda: keras.applications.MobileNetV2(weights=None),
        "mobilenet-v3-large": lambda: keras.applications.MobileNetV3Large(weights=None, include_preprocessing=False),
        "mobilenet-v3-small": lambda: keras.applications.MobileNetV3Small(weights=None, include_preprocessing=False),
    }
    keras.utils.set_random_seed(0)
    builders[name]().export(str(saved), input_signature=[tf.TensorSpec(SHAPE)], verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if variant == "int8":

        def samples() -> Iterator[list[object]]:
            for seed in range(4):
                yield [np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content
