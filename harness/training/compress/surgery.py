"""Builds the smaller model: the same graph with channels really gone, weights sliced to what stays."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import keras
import numpy as np

from harness.core.errors import BuildError
from harness.training.compress.graph import Channels


def remove(model: Any, channels: Channels, gone: Collection[int]) -> Any:
    """A new model without the channel groups ``gone``; ``model`` stays as it is.

    The result computes what the old one would with those channels' outgoing weights at zero.

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
        _resize(entry, int(given.sum()))
    smaller = keras.Model.from_config(config)
    for layer in smaller.layers:
        taken, given = keep[layer.name]
        layer.set_weights([_slice(channels.uses[layer.name].layer, w, taken, given) for w in _named(model, layer)])
    return smaller


def _mask(channels: Channels, numbers: list[int], removed: set[int]) -> Any:
    return np.array([channels.root[n] not in removed for n in numbers], dtype=bool)


def _resize(entry: dict[str, Any], width: int) -> None:
    kind, config = entry["class_name"], entry["config"]
    if kind == "Conv2D":
        config["filters"] = width
    elif kind == "Dense":
        config["units"] = width
    elif kind == "Reshape":
        config["target_shape"] = (*config["target_shape"][:-1], width)


def _named(model: Any, layer: Any) -> list[tuple[str, Any]]:
    return [(w.name, np.asarray(w)) for w in model.get_layer(layer.name).weights if "seed_generator" not in w.path]


def _slice(layer: Any, weight: tuple[str, Any], taken: Any, given: Any) -> Any:
    name, value = weight
    kind = type(layer).__name__
    if kind == "DepthwiseConv2D":
        return value[:, :, given, :] if name == "kernel" else value[given]
    if name == "kernel":
        return value[..., taken, :][..., given]
    return value[given]
