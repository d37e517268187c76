"""VGG19 with a shortcut around each of its five blocks.

K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015 (VGG19); and
Gezheng Xu, Haoran Yin, Junhui Yang, "Facial Expression Recognition Based on Convolutional Neural Networks and Edge
Computing", IEEE TOCS 2020, doi 10.1109/TOCS50858.2020.9339739: each block's input is added to its output, the sum feeds
the next block.

The choices made here where the abstract is silent:

* A block is VGG19's: 2, 2, 4, 4, 4 convolutions of 3x3. In blocks 1 to 4 the input and output differ in width, so the
  shortcut is a 1x1 convolution with batch normalisation; block 5 (512 to 512) adds its input unchanged.
* The last convolution of a block has no activation of its own; the ReLU follows the sum, as in ResNet (He et al., CVPR
  2016), so that the shortcut's sign isn't lost. Max pooling 2x2 follows, as in VGG19.
* Batch normalisation after each convolution: 16 layers train from scratch on 800 images only with it.
* Global average pooling and one Dense layer instead of VGG's two Dense 4096, which alone would hold 17 M weights for a
  1x1x512 input.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from harness.training.arrays import INPUT_SHAPE, Model
from harness.training.networks.blocks import conv_bn, head, pixels

#: output channels of VGG19's sixteen convolutions, block by block
WIDTHS: tuple[tuple[int, ...], ...] = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)


def build(
    classes: int = 7,
    shape: tuple[int, int, int] = INPUT_SHAPE,
    *,
    widths: Sequence[Sequence[int]] = WIDTHS,
    residual: bool = True,
    name: str = "resvgg19",
) -> Model:
    """The network, untrained.

    Args:
        classes: softmax outputs.
        shape: height, width, channels of the input; raw pixels 0..255.
        widths: output channels of each convolution, block by block; narrower ones make the pruned forms.
        residual: False leaves the shortcuts out: plain VGG19 with batch normalisation.
        name: of the model.
    """
    inputs, x = pixels(shape)
    for number, block in enumerate(widths, start=1):
        entry = x
        for index, filters in enumerate(block, start=1):
            last = residual and index == len(block)
            x = conv_bn(x, filters, act=None if last else "relu", name=f"block{number}_{index}")
        if residual:
            if entry.shape[-1] != block[-1]:
                entry = conv_bn(entry, block[-1], 1, act=None, name=f"block{number}_shortcut")
            x = layers.Add(name=f"block{number}_sum")([x, entry])
            x = layers.ReLU(name=f"block{number}_relu")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"block{number}_pool")(x)
    return keras.Model(inputs, head(x, classes), name=name)


def scaled(divisor: int) -> tuple[tuple[int, ...], ...]:
    """VGG19's widths divided by ``divisor``, at least 2 channels each."""
    return tuple(tuple(max(2, width // divisor) for width in block) for block in WIDTHS)
