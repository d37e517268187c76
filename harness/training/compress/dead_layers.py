"""Finds rectifiers whose output is always zero, and replaces them by a constant that eight bits can represent.

Training can kill a narrow layer before a ReLU: all its outputs become zero for every image, as happens to the squeeze
of a pruned squeeze-and-excitation block. In floating point that is harmless. In int8 the output's range is empty, the
scale becomes about 1e-8, and XNNPACK can't create a runtime from the file, or crashes on it (LiteRT 2.1: "failed to
create XNNPACK runtime", or a double free). So such a layer is changed to output the mean of its input, which the next
layer gives a weight near zero. Zero itself is no solution, since its range would be empty too.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from harness.training.arrays import Layer, Model, Pixels, Weights
from harness.training.compress.graph import in_order, readers_of
from harness.training.layers import rule_of

#: outputs that stay below this carry no signal: layers here give values around 1
NO_SIGNAL = 1e-4
#: weight of a dead layer's new output
FAINT = 1e-7


@dataclass(frozen=True)
class _Rectified:
    """A layer with a kernel, the one that rectifies its output (perhaps itself), and the only reader of the result."""

    layer: Layer
    rectifier: Layer
    reader: Layer


def settle(model: Model, images: Pixels) -> list[str]:
    """Replace dead layers by near constants, in place; the model's answers to ``images`` stay the same, within
    rounding.

    Only layers with a bias whose rectified output is read by a single Conv2D or Dense are considered.

    Args:
        model: trained.
        images: float32 (N, h, w, c): the training images that set int8 ranges.

    Returns:
        Names of the dead layers.
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
    """Make the layer output the mean of its input plus what keeps it positive, and its reader weigh that faintly."""
    kernel, bias = part.layer.get_weights()
    mean = np.full_like(kernel, 1 / kernel[..., 0].size)
    part.layer.set_weights([mean, np.full_like(bias, 1 + np.abs(entry).max())])
    first, *rest = part.reader.get_weights()
    part.reader.set_weights([np.full_like(first, FAINT), *rest])


def _rectified(model: Model) -> list[_Rectified]:
    known = {layer.name: layer for layer in in_order(model)}  # includes operators, which model.layers leaves out
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
