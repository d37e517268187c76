"""Counts multiply-accumulates of a Keras model for one image: convolutions and dense layers, as papers do."""

from __future__ import annotations

import math

from harness.training.arrays import Layer, Model
from harness.training.layers import rule_of


def layer_macs(layer: Layer) -> int:
    """Multiply-accumulates of one layer for one image; 0 for a layer without a kernel."""
    if rule_of(layer).kernel is None:
        return 0
    # a kernel has the weights of one output position: (h, w, in / groups, out), (h, w, in, multiplier) or (in, out)
    return int(math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape))


def count_macs(model: Model) -> int:
    """Multiply-accumulates of a whole model for one image."""
    return sum(layer_macs(layer) for layer in model.layers)
