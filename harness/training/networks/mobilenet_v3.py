"""MobileNetV3, small and large, width 1.0, from keras.applications.

A. Howard et al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244. The classifier (a 1x1 convolution to 1024 or
1280 channels after pooling, hard swish, dropout) is part of the published network and is kept.
"""

from __future__ import annotations

import keras
from keras import layers

from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.networks.blocks import pixels


def build(classes: int = 7, shape: tuple[int, int, int] = INPUT_SHAPE, *, size: str = "small") -> Model:
    """The network, untrained: raw pixels 0..255 of ``shape`` in, softmax over ``classes`` out.

    Args:
        classes: softmax outputs.
        shape: height, width, channels of the input.
        size: ``small`` or ``large``.
    """
    inputs, x = pixels(shape)
    make = keras.applications.MobileNetV3Small if size == "small" else keras.applications.MobileNetV3Large
    body = make(input_tensor=x, include_top=False, weights=None, alpha=1.0, include_preprocessing=False)
    y = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(body.output)
    y = layers.Conv2D(1024 if size == "small" else 1280, 1, name="classifier_conv")(y)
    # hard swish as keras.applications writes it, so that converters fuse it the same way
    gate = layers.Rescaling(1 / 6, name="classifier_sixth")(
        layers.ReLU(6.0, name="classifier_relu6")(layers.Rescaling(1.0, 3.0, name="classifier_plus3")(y))
    )
    y = layers.Multiply(name="classifier_hswish")([y, gate])
    y = layers.Dropout(0.2, name="dropout")(layers.Flatten(name="flatten")(y))
    y = layers.Dense(classes, activation="softmax", name="probabilities")(y)
    return keras.Model(inputs, y, name=f"mobilenet-v3-{size}")
