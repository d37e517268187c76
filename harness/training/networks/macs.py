"""Counts multiply-accumulates of a Keras model for one image: convolutions and dense layers, as papers do."""

from __future__ import annotations

import math
from typing import Any


def layer_macs(layer: Any) -> int:
    """Multiply-accumulates of one layer (Conv2D, DepthwiseConv2D, Dense; 0 for others)."""
    kind = type(layer).__name__
    if kind not in ("Conv2D", "DepthwiseConv2D", "Dense"):
        return 0
    out = layer.output.shape
    kernel = layer.kernel.shape
    if kind == "Dense":
        return int(math.prod(out[1:-1]) * kernel[0] * kernel[1])
    # Conv2D kernels are (h, w, in / groups, out): their product is the work per output pixel; depthwise likewise
    return int(out[1] * out[2] * math.prod(kernel))


def count_macs(model: Any) -> int:
    """Multiply-accumulates of a whole model for one image."""
    return sum(layer_macs(layer) for layer in model.layers)


def count_parameters(model: Any) -> int:
    """Weights of a model, with batch normalisation's running statistics, as ``model.count_params()`` has it."""
    return int(model.count_params())
