"""SqueezeNet 1.1.

F. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
arXiv:1602.07360, 2016; version 1.1 is the authors' own later form (2.4 times less computation), 1,235,496 parameters at
1000 classes.

Batch normalisation is added after each convolution when ``norm`` is True (the default here): it trains better on 800
images, and it costs nothing once folded. ``norm=False`` is the published network, as the parameter test counts it.
"""

from __future__ import annotations

import keras
from keras import layers

from harness.training.arrays import INPUT_SHAPE, Model, Tensor
from harness.training.networks.blocks import pixels


def _conv(x: Tensor, filters: int, kernel: int, *, norm: bool, strides: int = 1, padding: str = "same") -> Tensor:
    x = layers.Conv2D(
        filters, kernel, strides=strides, padding=padding, use_bias=not norm, kernel_initializer="he_normal"
    )(x)
    if norm:
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


def _fire(x: Tensor, squeeze: int, expand: int, *, norm: bool) -> Tensor:
    x = _conv(x, squeeze, 1, norm=norm)
    return layers.Concatenate()([_conv(x, expand, 1, norm=norm), _conv(x, expand, 3, norm=norm)])


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE, *, norm: bool = True) -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out."""
    inputs, x = pixels(shape)
    x = _conv(x, 64, 3, norm=norm, strides=2)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = _fire(_fire(x, 16, 64, norm=norm), 16, 64, norm=norm)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = _fire(_fire(x, 32, 128, norm=norm), 32, 128, norm=norm)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = _fire(_fire(x, 48, 192, norm=norm), 48, 192, norm=norm)
    x = _fire(_fire(x, 64, 256, norm=norm), 64, 256, norm=norm)
    x = layers.Dropout(0.2)(x)
    x = layers.Conv2D(classes, 1, name="classifier")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Softmax(name="probabilities")(x), name="squeezenet")
