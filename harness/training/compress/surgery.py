"""Builds the smaller model: the same graph without the removed channels, with weights sliced accordingly."""

from __future__ import annotations

from collections.abc import Collection

import keras
import numpy as np

from harness.core.errors import BuildError
from harness.training.arrays import Layer, Mask, Model, Weights
from harness.training.compress.graph import Channels
from harness.training.layers import LAYERS, UNKNOWN, rule_of


def remove(model: Model, channels: Channels, gone: Collection[int]) -> Model:
    """A new model without the channel groups ``gone``; ``model`` stays as it is.

    The result computes the same as the old one with those channels' outgoing weights at zero.

    Raises:
        BuildError: a layer would have no channel left, or a fixed group is among ``gone``.
    """
    removed = set(gone)
    if removed & channels.fixed:
        raise BuildError("can't prune: channels of the model's input or output were chosen")
    keep = {
        name: (_mask(channels, use.taken, removed), _mask(channels, use.given, removed))
        for name, use in channels.uses.items()
    }
    config = model.get_config()
    for entry in config["layers"]:
        name = entry["name"]
        _, given = keep[name]
        if not given.any():
            raise BuildError(f"can't prune: layer '{name}' would lose all its channels")
        entry.pop("build_config", None)  # it holds the old shapes
        LAYERS.get(entry["class_name"], UNKNOWN).resize(entry["config"], int(given.sum()))
    smaller = keras.Model.from_config(config)
    for layer in smaller.layers:
        taken, given = keep[layer.name]
        cut = rule_of(layer).slice
        layer.set_weights([cut(name, value, taken, given) for name, value in _named(model.get_layer(layer.name))])
    return smaller


def _mask(channels: Channels, numbers: list[int], removed: set[int]) -> Mask:
    return np.array([channels.root[n] not in removed for n in numbers], dtype=bool)


def _named(layer: Layer) -> list[tuple[str, Weights]]:
    """A layer's weights by name, without the random state of dropout."""
    return [(w.name, np.asarray(w)) for w in layer.weights if "seed_generator" not in w.path]
