"""MobileNetV2, width 1.0, from keras.applications.

M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, arXiv:1801.04381.
"""

from __future__ import annotations

import keras

from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.networks.blocks import head, pixels


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    body = keras.applications.MobileNetV2(input_tensor=x, include_top=False, weights=None, alpha=1.0)
    return keras.Model(inputs, head(body.output, classes), name="mobilenet-v2")
