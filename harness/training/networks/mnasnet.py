"""MnasNet-A1, width 1.0.

M. Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019, arXiv:1807.11626, figure 7;
3.9 M parameters at 1000 classes.
"""

from __future__ import annotations

import keras

from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.networks.blocks import Stage, conv_bn, depthwise_bn, head, inverted_stage, pixels

#: expansion, kernel, output channels, repeats, stride of the first, squeeze-and-excitation ratio
STAGES = tuple(
    Stage(*row)
    for row in (
        (6, 3, 24, 2, 2, 0.0),
        (3, 5, 40, 3, 2, 0.25),
        (6, 3, 80, 4, 2, 0.0),
        (6, 3, 112, 2, 1, 0.25),
        (6, 5, 160, 3, 2, 0.25),
        (6, 3, 320, 1, 1, 0.0),
    )
)


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = conv_bn(x, 32, 3, strides=2)
    x = conv_bn(depthwise_bn(x, 3), 16, 1, act=None)
    for stage in STAGES:
        x = inverted_stage(x, stage)
    x = conv_bn(x, 1280, 1)
    return keras.Model(inputs, head(x, classes), name="mnasnet")
