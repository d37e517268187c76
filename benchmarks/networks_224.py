"""The networks of published tables, without trained weights, as TFLite files. Needs the [train] extra."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.training.arrays import Model

#: EfficientNet-Lite: width, depth and height of the image (M. Tan, Q. Le: tensorflow/tpu, efficientnet/lite).
_LITE = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 280), (1.4, 1.8, 300))


def network(name: str, variant: str, folder: Path) -> Path:
    """A network's file, made if it doesn't exist. Its weights affect neither counts nor estimates.

    Args:
        name: ``mobilenet-v1`` or ``-v2``; ``mobilenet-v3-large`` or ``-small``, also with ``-0.75`` or
            ``-minimalistic`` behind it; ``nasnet-mobile``; ``efficientnet-lite0`` to ``4``.
        variant: ``fp32`` or ``int8``.
    """
    path = folder / f"{name}.{variant}.tflite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(_converted(name, variant, folder / f"{name}.saved"))
        part.rename(path)
    return path


def built(name: str) -> Model:
    """The Keras network with this name, with 1,000 classes."""
    import keras

    keras.utils.set_random_seed(0)
    apps = keras.applications
    plain: dict[str, Callable[..., Model]] = {
        "mobilenet-v1": apps.MobileNet,
        "mobilenet-v2": apps.MobileNetV2,
        "nasnet-mobile": apps.NASNetMobile,
    }
    if name in plain:
        return plain[name](weights=None)
    if lite := re.fullmatch(r"efficientnet-lite(\d)", name):
        return _efficientnet_lite(*_LITE[int(lite[1])])
    third = re.fullmatch(r"mobilenet-v3-(large|small)(?:-(0\.75|minimalistic))?", name)
    if third is None:
        raise ValueError(f"no network {name}")
    kind = {"large": apps.MobileNetV3Large, "small": apps.MobileNetV3Small}[third[1]]
    return kind(
        weights=None,
        include_preprocessing=False,
        alpha=0.75 if third[2] == "0.75" else 1.0,
        minimalistic=third[2] == "minimalistic",
        input_shape=(224, 224, 3),
    )


def _efficientnet_lite(width: float, depth: float, size: int) -> Model:
    """EfficientNet-Lite: the stages of Lite0, wider and deeper; stem, head and the outer stages' depth are fixed."""
    from dataclasses import replace

    import keras

    from harness.training.networks.blocks import conv_bn, head, inverted_stage, pixels
    from harness.training.networks.efficientnet_lite0 import STAGES

    inputs, x = pixels((size, size, 3))
    x = conv_bn(x, 32, 3, strides=2, act="relu6")
    for stage in STAGES:
        inner = stage not in (STAGES[0], STAGES[-1])
        repeats = math.ceil(stage.repeats * depth) if inner else stage.repeats
        x = inverted_stage(x, replace(stage, out=_eighths(stage.out * width), repeats=repeats), act="relu6")
    x = conv_bn(x, 1280, 1, act="relu6")
    return keras.Model(inputs, head(x, 1000))


def _eighths(channels: float) -> int:
    """The nearest multiple of eight that is no more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def _converted(name: str, variant: str, saved: Path) -> bytes:
    import numpy as np
    import tensorflow as tf

    model = built(name)
    shape = (1, *model.input_shape[1:])
    model.export(str(saved), input_signature=[tf.TensorSpec(shape)], verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if variant == "int8":

        def samples() -> Iterator[list[object]]:
            for seed in range(4):
                yield [np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content
