"""GhostNet, width 1.0.

K. Han et al., "GhostNet: More Features from Cheap Operations", CVPR 2020, arXiv:1911.11907, table 1. 5,182,508
parameters at 1000 classes (the paper says 5.2 M).
"""

from __future__ import annotations

import keras
from keras import layers

from harness.training.arrays import INPUT_SHAPE, Model, Tensor
from harness.training.networks.blocks import conv_bn, depthwise_bn, excite, pixels

#: kernel, expansion channels, output channels, squeeze-and-excitation ratio, stride
BNECKS = (
    (3, 16, 16, 0.0, 1),
    (3, 48, 24, 0.0, 2),
    (3, 72, 24, 0.0, 1),
    (5, 72, 40, 0.25, 2),
    (5, 120, 40, 0.25, 1),
    (3, 240, 80, 0.0, 2),
    (3, 200, 80, 0.0, 1),
    (3, 184, 80, 0.0, 1),
    (3, 184, 80, 0.0, 1),
    (3, 480, 112, 0.25, 1),
    (3, 672, 112, 0.25, 1),
    (5, 672, 160, 0.25, 2),
    (5, 960, 160, 0.0, 1),
    (5, 960, 160, 0.25, 1),
    (5, 960, 160, 0.0, 1),
    (5, 960, 160, 0.25, 1),
)


def _divisible(value: float, by: int = 4) -> int:
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def _ghost(x: Tensor, out: int, *, act: str | None = "relu") -> Tensor:
    """Half of the channels by a 1x1 convolution, the other half derived from them by a cheap 3x3 depthwise one."""
    first = conv_bn(x, out // 2, 1, act=act)
    return layers.Concatenate()([first, depthwise_bn(first, 3, act=act)])


def _bneck(x: Tensor, kernel: int, wide: int, out: int, ratio: float, stride: int) -> Tensor:
    width = x.shape[-1]
    y = _ghost(x, wide)
    if stride == 2:
        y = depthwise_bn(y, kernel, strides=2, act=None)
    if ratio:
        y = excite(y, _divisible(wide * ratio), gate="hard_sigmoid")
    y = _ghost(y, out, act=None)
    if stride == 2 or width != out:
        x = depthwise_bn(x, kernel, strides=stride, act=None)
        x = conv_bn(x, out, 1, act=None)
    return layers.Add()([x, y])


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = conv_bn(x, 16, 3, strides=2)
    for row in BNECKS:
        x = _bneck(x, *row)
    x = conv_bn(x, 960, 1)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = layers.Conv2D(1280, 1, activation="relu", kernel_initializer="he_normal", name="classifier_conv")(x)
    x = layers.Dropout(0.2, name="dropout")(layers.Flatten(name="flatten")(x))
    x = layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, x, name="ghostnet")
