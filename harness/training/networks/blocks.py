"""Layers that several networks share. Keras is imported here, so only training code may import this module."""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from harness.training.arrays import INPUT_SHAPE, Tensor


def pixels(shape: tuple[int, int, int] = INPUT_SHAPE) -> tuple[Tensor, Tensor]:
    """The input tensor (N, H, W, C), float32, 0..255, and the same scaled to -1..1."""
    inputs = layers.Input(shape, name="pixels")
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)


def conv_bn(
    x: Tensor,
    filters: int,
    kernel: int = 3,
    *,
    strides: int = 1,
    act: str | None = "relu",
    name: str | None = None,
) -> Tensor:
    """Convolution without bias, batch normalisation, activation (None for none); ``same`` padding."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name and f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name and f"{name}_bn")(x)
    return activation(x, act, name and f"{name}_{act}")


def depthwise_bn(
    x: Tensor,
    kernel: int = 3,
    *,
    strides: int = 1,
    act: str | None = "relu",
    name: str | None = None,
) -> Tensor:
    """Depthwise convolution without bias, batch normalisation, activation (None for none); ``same`` padding."""
    x = layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=name and f"{name}_dw",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name and f"{name}_dwbn")(x)
    return activation(x, act, name and f"{name}_dw{act}")


def activation(x: Tensor, act: str | None, name: str | None = None) -> Tensor:
    """``relu``, ``relu6`` or None. ReLU6 is a layer that converters fold into the convolution before it."""
    if act is None:
        return x
    return layers.ReLU(max_value=6.0 if act == "relu6" else None, name=name)(x)


def head(x: Tensor, classes: int, *, dropout: float = 0.2) -> Tensor:
    """Global average pooling, dropout and a softmax over the classes."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, activation="softmax", name="probabilities")(x)


@dataclass(frozen=True)
class Stage:
    """Consecutive inverted residuals, as papers tabulate them.

    Attributes:
        expand: factor by which each one widens its input.
        kernel: size of the depthwise kernel.
        out: output channels.
        repeats: their number.
        stride: of the first; the others have 1.
        ratio: hidden channels of squeeze-and-excitation over input channels; 0 for none.
    """

    expand: int
    kernel: int
    out: int
    repeats: int
    stride: int
    ratio: float = 0.0


def excite(x: Tensor, hidden: int, *, gate: str = "sigmoid") -> Tensor:
    """Squeeze-and-excitation (Hu et al., CVPR 2018) with ``hidden`` channels."""
    width = x.shape[-1]
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = layers.Conv2D(hidden, 1, activation="relu", kernel_initializer="he_normal")(s)
    s = layers.Conv2D(width, 1, activation=gate)(s)
    return layers.Multiply()([x, s])


def inverted(x: Tensor, stage: Stage, stride: int, *, act: str = "relu") -> Tensor:
    """Inverted residual: widen by 1x1, depthwise, squeeze-and-excitation, narrow by 1x1; a sum where shapes allow."""
    width = x.shape[-1]
    y = conv_bn(x, width * stage.expand, 1, act=act) if stage.expand != 1 else x
    y = depthwise_bn(y, stage.kernel, strides=stride, act=act)
    if stage.ratio:
        y = excite(y, max(1, int(width * stage.ratio)))
    y = conv_bn(y, stage.out, 1, act=None)
    return layers.Add()([x, y]) if stride == 1 and width == stage.out else y


def inverted_stage(x: Tensor, stage: Stage, *, act: str = "relu") -> Tensor:
    """All inverted residuals of a stage."""
    for index in range(stage.repeats):
        x = inverted(x, stage, stage.stride if index == 0 else 1, act=act)
    return x
