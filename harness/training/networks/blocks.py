"""Layers that several networks share. Keras is imported here, so only training code may import this module."""

from __future__ import annotations

from typing import Any

from keras import layers

from harness.data.size import IMAGE_SHAPE

#: what every network here takes: raw grey pixels 0..255
INPUT_SHAPE = IMAGE_SHAPE


def pixels(shape: tuple[int, int, int] = INPUT_SHAPE) -> tuple[Any, Any]:
    """The input tensor (N, H, W, C), float32, 0..255, and the same scaled to -1..1."""
    inputs = layers.Input(shape, name="pixels")
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)


def conv_bn(
    x: Any,
    filters: int,
    kernel: int = 3,
    *,
    strides: int = 1,
    act: str | None = "relu",
    groups: int = 1,
    momentum: float = 0.9,
    name: str | None = None,
) -> Any:
    """Convolution without bias, batch normalisation, activation (None for none); ``same`` padding."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        groups=groups,
        kernel_initializer="he_normal",
        name=name and f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=name and f"{name}_bn")(x)
    return activation(x, act, name and f"{name}_{act}")


def depthwise_bn(
    x: Any,
    kernel: int = 3,
    *,
    strides: int = 1,
    act: str | None = "relu",
    momentum: float = 0.9,
    name: str | None = None,
) -> Any:
    """Depthwise convolution without bias, batch normalisation, activation (None for none); ``same`` padding."""
    x = layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=name and f"{name}_dw",
    )(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=name and f"{name}_dwbn")(x)
    return activation(x, act, name and f"{name}_dw{act}")


def activation(x: Any, act: str | None, name: str | None = None) -> Any:
    """``relu``, ``relu6`` or None; ReLU6 as a layer that converters fold into the convolution before it."""
    if act is None:
        return x
    return layers.ReLU(max_value=6.0 if act == "relu6" else None, name=name)(x)


def head(x: Any, classes: int, *, dropout: float = 0.2) -> Any:
    """Global average pooling, dropout and a softmax over the classes."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, activation="softmax", name="probabilities")(x)
