"""MnasNet-A1, width 1.0.

M. Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019, arXiv:1807.11626, figure 7;
3.9 M parameters at 1000 classes.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from harness.training.networks.blocks import INPUT_SHAPE, conv_bn, depthwise_bn, head, pixels

#: expansion, kernel, output channels, repeats, stride of the first, squeeze-and-excitation ratio
STAGES = (
    (6, 3, 24, 2, 2, 0.0),
    (3, 5, 40, 3, 2, 0.25),
    (6, 3, 80, 4, 2, 0.0),
    (6, 3, 112, 2, 1, 0.25),
    (6, 5, 160, 3, 2, 0.25),
    (6, 3, 320, 1, 1, 0.0),
)


def excite(x: Any, hidden: int, *, gate: str = "sigmoid") -> Any:
    """Squeeze-and-excitation (Hu et al., CVPR 2018) with ``hidden`` channels."""
    width = x.shape[-1]
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = layers.Conv2D(hidden, 1, activation="relu", kernel_initializer="he_normal")(s)
    s = layers.Conv2D(width, 1, activation=gate)(s)
    return layers.Multiply()([x, s])


def inverted(x: Any, expand: int, kernel: int, out: int, stride: int, ratio: float, act: str = "relu") -> Any:
    """Inverted residual: widen by 1x1, depthwise, squeeze-and-excitation, narrow by 1x1; a sum where shapes allow."""
    width = x.shape[-1]
    y = conv_bn(x, width * expand, 1, act=act) if expand != 1 else x
    y = depthwise_bn(y, kernel, strides=stride, act=act)
    if ratio:
        y = excite(y, max(1, int(width * ratio)))
    y = conv_bn(y, out, 1, act=None)
    return layers.Add()([x, y]) if stride == 1 and width == out else y


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Any:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = conv_bn(x, 32, 3, strides=2)
    x = conv_bn(depthwise_bn(x, 3), 16, 1, act=None)
    for expand, kernel, out, repeats, stride, ratio in STAGES:
        for index in range(repeats):
            x = inverted(x, expand, kernel, out, stride if index == 0 else 1, ratio)
    x = conv_bn(x, 1280, 1)
    return keras.Model(inputs, head(x, classes), name="mnasnet")
