"""Finds rectifiers that nothing gets above zero any more, and leaves a constant that eight bits can hold.

Training can kill a narrow layer before a ReLU: all its outputs are zero for every image, as happens to the squeeze of a
pruned squeeze-and-excitation block. In floating point that is harmless. As int8 the output's range is empty, the scale
comes out near 1e-8, and XNNPACK can't make a runtime of the file, or breaks down over it (LiteRT 2.1: "failed to create
XNNPACK runtime", or a double free). So such a layer is made to give the mean of its input, which the next one weighs
next to nothing: not zero, whose range would be empty too.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from harness.training.arrays import Layer, Model, Pixels, Weights
from harness.training.compress.graph import in_order, readers_of
from harness.training.layers import rule_of

#: outputs that stay below this are no signal: layers here give values around 1
NO_SIGNAL = 1e-4
#: weight of what a dead layer gives now
FAINT = 1e-7


@dataclass(frozen=True)
class _Rectified:
    """A layer with a kernel, the layer that rectifies its output (perhaps itself), and the only one that reads that."""

    layer: Layer
    rectifier: Layer
    reader: Layer


def settle(model: Model, images: Pixels) -> list[str]:
    """Replace dead layers by near constants, in place; what the model answers to ``images`` stays, within rounding.

    Only a layer with a bias, whose rectified output is read by one Conv2D or Dense alone, is looked at.

    Args:
        model: trained.
        images: float32 (N, 48, 48, 1): the training images that will set int8 ranges.

    Returns:
        Names of the layers that were dead.
    """
    watched = _rectified(model)
    if not watched:
        return []
    ends, entries = [part.rectifier.output for part in watched], [part.layer.input for part in watched]
    values = keras.Model(model.inputs, [*ends, *entries]).predict(images, batch_size=64, verbose=0)
    dead = []
    for part, output, entry in zip(watched, values[: len(watched)], values[len(watched) :], strict=True):
        if float(np.max(output)) < NO_SIGNAL:
            _make_constant(part, entry)
            dead.append(part.layer.name)
    return dead


def _make_constant(part: _Rectified, entry: Weights) -> None:
    """Have the layer give the mean of its input plus what keeps it above zero, and its reader weigh that faintly."""
    kernel, bias = part.layer.get_weights()
    mean = np.full_like(kernel, 1 / kernel[..., 0].size)
    part.layer.set_weights([mean, np.full_like(bias, 1 + np.abs(entry).max())])
    first, *rest = part.reader.get_weights()
    part.reader.set_weights([np.full_like(first, FAINT), *rest])


def _rectified(model: Model) -> list[_Rectified]:
    known = {layer.name: layer for layer in in_order(model)}  # with operators, which model.layers leaves out
    readers = readers_of(model)

    def only_reader(layer: Layer) -> Layer | None:
        return known[readers[layer.name][0]] if len(readers[layer.name]) == 1 else None

    watched = []
    for layer in known.values():
        if rule_of(layer).kernel != "dense" or not layer.use_bias:
            continue
        rectifier = layer
        if not _rectifies(layer):
            rectifier = only_reader(layer)
            if not rule_of(rectifier).activates or not _rectifies(rectifier):
                continue
        reader = only_reader(rectifier)
        if rule_of(reader).kernel == "dense":
            watched.append(_Rectified(layer, rectifier, reader))
    return watched


def _rectifies(layer: Layer) -> bool:
    return type(layer).__name__ == "ReLU" or getattr(layer, "activation", None) is keras.activations.relu
