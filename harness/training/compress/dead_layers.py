"""Finds rectifiers that nothing gets above zero any more, and leaves a constant that eight bits can hold.

Training can kill a narrow layer before a ReLU: all its outputs are zero for every image, as happens to the squeeze of a
pruned squeeze-and-excitation block. In floating point that is harmless. As int8 the output's range is empty, the scale
comes out near 1e-8, and XNNPACK can't make a runtime of the file, or breaks down over it (LiteRT 2.1: "failed to create
XNNPACK runtime", or a double free). So such a layer is made to give the mean of its input, which the next one weighs
next to nothing: not zero, whose range would be empty too.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from harness.training.compress.graph import in_order, readers_of

#: outputs that stay below this are no signal: layers here give values around 1
SILENT = 1e-4
#: weight of what a silent layer gives now
FAINT = 1e-7
_WEIGHTED = ("Conv2D", "Dense")


def settle(model: Any, images: npt.NDArray[np.float32]) -> list[str]:
    """Replace silent layers by near constants, in place; what the model answers to ``images`` stays, within rounding.

    Only a layer with a bias, whose rectified output is read by one Conv2D or Dense alone, is looked at.

    Args:
        model: trained.
        images: float32 (N, 48, 48, 1): the training images that will set int8 ranges.

    Returns:
        Names of the layers that were silent.
    """
    watched = _watched(model)
    if not watched:
        return []
    found: list[str] = []
    ends = [model.get_layer(rectified).output for _, rectified, _ in watched]
    entries = [model.get_layer(name).input for name, _, _ in watched]
    values = keras.Model(model.inputs, [*ends, *entries]).predict(images, batch_size=64, verbose=0)
    outputs, taken = values[: len(watched)], values[len(watched) :]
    for (name, _, reader), output, entry in zip(watched, outputs, taken, strict=True):
        if float(np.max(output)) < SILENT:
            kernel, bias = model.get_layer(name).get_weights()
            mean = np.full_like(kernel, 1 / kernel[..., 0].size)
            # above zero wherever the mean is
            model.get_layer(name).set_weights([mean, np.full_like(bias, 1 + np.abs(entry).max())])
            first, *rest = model.get_layer(reader).get_weights()
            model.get_layer(reader).set_weights([np.full_like(first, FAINT), *rest])
            found.append(name)
    return found


def _watched(model: Any) -> list[tuple[str, str, str]]:
    """Of each rectified layer: its name, the name of the layer that rectifies, and of the one that reads it."""
    known = {each.name: each for each in in_order(model)}  # with operators, which model.layers leaves out
    readers = readers_of(model)

    def only_reader(name: str, *kinds: str) -> str | None:
        found = readers[name]
        return found[0] if len(found) == 1 and type(known[found[0]]).__name__ in kinds else None

    watched = []
    for name, layer in known.items():
        if type(layer).__name__ not in _WEIGHTED or not layer.use_bias:
            continue
        rectified = name if _rectifies(layer) else only_reader(name, "ReLU", "Activation")
        if rectified is None or not _rectifies(known[rectified]):
            continue
        reader = only_reader(rectified, *_WEIGHTED)
        if reader is not None:
            watched.append((name, rectified, reader))
    return watched


def _rectifies(layer: Any) -> bool:
    return type(layer).__name__ == "ReLU" or getattr(layer, "activation", None) is keras.activations.relu
