"""ShuffleNetV2, width 1.0x.

N. Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018, arXiv:1807.11164,
table 5; 2,278,604 parameters at 1000 classes.

The shuffle of two halves is a reshape and a transpose, as in the paper; slices and shuffles need no arithmetic.
"""

from __future__ import annotations

import keras
from keras import layers

from harness.training.arrays import INPUT_SHAPE, Model, Tensor
from harness.training.networks.blocks import conv_bn, depthwise_bn, head, pixels

#: output channels and number of units of each stage
STAGES = ((116, 4), (232, 8), (464, 4))


def _shuffle(left: Tensor, right: Tensor) -> Tensor:
    """The channels of both halves, alternating."""
    x = layers.Concatenate()([left, right])
    _, height, width, channels = x.shape
    x = layers.Reshape((height, width, 2, channels // 2))(x)
    x = layers.Permute((1, 2, 4, 3))(x)
    return layers.Reshape((height, width, channels))(x)


def _branch(x: Tensor, out: int, stride: int) -> Tensor:
    x = conv_bn(x, out, 1)
    x = depthwise_bn(x, 3, strides=stride, act=None)
    return conv_bn(x, out, 1)


def _unit(x: Tensor, out: int) -> Tensor:
    half = out // 2
    # the paper's split of channels is a slice, since cropping layers don't act on channels
    return _shuffle(x[..., :half], _branch(x[..., half:], half, 1))


def _down(x: Tensor, out: int) -> Tensor:
    left = conv_bn(depthwise_bn(x, 3, strides=2, act=None), out // 2, 1)
    return _shuffle(left, _branch(x, out // 2, 2))


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = conv_bn(x, 24, 3, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for out, units in STAGES:
        x = _down(x, out)
        for _ in range(units - 1):
            x = _unit(x, out)
    x = conv_bn(x, 1024, 1)
    return keras.Model(inputs, head(x, classes), name="shufflenet-v2")
