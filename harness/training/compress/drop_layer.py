"""Removes a whole convolution from a network.

Narrow convolutions on large images cost far more than their multiply-accumulates, because of memory fetches. Where a
layer is down to a few channels, removing it saves more than any number of channels does. Its input then goes where its
output went, as in stochastic depth (Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016).
"""

from __future__ import annotations

from typing import Any

import keras

from harness.core.errors import BuildError
from harness.training.arrays import Model
from harness.training.compress.graph import in_order, inputs_of, readers_of
from harness.training.layers import rule_of


def without(model: Model, name: str) -> Model:
    """A new model without the convolution ``name``, its batch normalisation and activation; ``model`` stays as it is.

    The layers that follow must be tuned, since they read another layer than the one they were trained on.

    Raises:
        BuildError: the convolution doesn't exist, its output and input differ in shape, or it is used twice.
    """
    known = {layer.name: layer for layer in in_order(model)}
    if not rule_of(known.get(name)).convolution:
        raise BuildError(f"can't prune: {model.name} has no convolution '{name}'")
    if tuple(known[name].input.shape) != tuple(known[name].output.shape):
        shapes = f"{tuple(known[name].input.shape)} to {tuple(known[name].output.shape)}"
        raise BuildError(f"can't take out '{name}': it makes {shapes}, and only what keeps the shape can go")
    readers, gone, last = readers_of(model), {name}, name
    while len(readers[last]) == 1 and rule_of(known[readers[last][0]]).follows:
        last = readers[last][0]
        gone.add(last)
    config = model.get_config()
    (entry,) = inputs_of(known[name])
    config["layers"] = [_reading(part, last, entry) for part in config["layers"] if part["name"] not in gone]
    smaller = keras.Model.from_config(config)
    for layer in smaller.layers:
        layer.set_weights(known[layer.name].get_weights())
    return smaller


def _reading(part: Any, last: str, entry: str) -> Any:
    """Part of a layer's configuration with the reference to ``last`` replaced by ``entry``."""
    if isinstance(part, dict):
        if "keras_history" in part:
            source, node, tensor = part["keras_history"]
            return {**part, "keras_history": [entry if source == last else source, node, tensor]}
        return {key: _reading(value, last, entry) for key, value in part.items()}
    return [_reading(value, last, entry) for value in part] if isinstance(part, (list, tuple)) else part
