"""EfficientNet-Lite0.

M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, arXiv:1905.11946.
The Lite form (R. Liu, TensorFlow blog, 2020-03) drops squeeze-and-excitation, uses ReLU6 instead of swish and fixes
stem and head. 4,652,008 parameters at 1000 classes.
"""

from __future__ import annotations

import keras

from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.networks.blocks import Stage, conv_bn, head, inverted_stage, pixels

#: expansion, kernel, output channels, repeats, stride of the first
STAGES = tuple(
    Stage(*row)
    for row in (
        (1, 3, 16, 1, 1),
        (6, 3, 24, 2, 2),
        (6, 5, 40, 2, 2),
        (6, 3, 80, 3, 2),
        (6, 5, 112, 3, 1),
        (6, 5, 192, 4, 2),
        (6, 3, 320, 1, 1),
    )
)


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = conv_bn(x, 32, 3, strides=2, act="relu6")
    for stage in STAGES:
        x = inverted_stage(x, stage, act="relu6")
    x = conv_bn(x, 1280, 1, act="relu6")
    return keras.Model(inputs, head(x, classes), name="efficientnet-lite0")
