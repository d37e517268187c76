"""Which channels of a Keras model live and die together, worked out from its graph.

Each producer of channels (Conv2D, Dense) gets fresh numbers for its outputs; every tensor carries the numbers of its
channels. Layers that act on each channel alone pass them on; sums and products tie two lists together (a residual
block's output and its shortcut become one group); concatenation joins lists. What is tied is found by union-find. A
channel that reaches the model's output or comes from its input can't be removed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core.errors import BuildError

_PASS = {
    "Activation", "AveragePooling2D", "BatchNormalization", "Dropout", "GlobalAveragePooling2D", "GlobalMaxPooling2D",
    "MaxPooling2D", "ReLU", "Rescaling", "Softmax", "SpatialDropout2D", "ZeroPadding2D", "LeakyReLU",
}  # fmt: skip
_TIE = {"Add", "Multiply", "Subtract", "Maximum", "Average"}


@dataclass
class Use:
    """Channel numbers of one layer: of its input (for weights that read it) and of its output."""

    layer: Any
    taken: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)


@dataclass
class Channels:
    """All channels of a model: ``uses`` by layer name, ``root`` maps a channel number to its group's, ``fixed`` groups
    can't be removed."""

    uses: dict[str, Use]
    root: list[int]
    fixed: set[int]

    def roots(self, numbers: list[int]) -> list[int]:
        """Groups of channels."""
        return [self.root[n] for n in numbers]

    def groups(self) -> list[int]:
        """Removable groups, ascending."""
        return sorted(set(self.root) - self.fixed)


class _Tracer:
    def __init__(self) -> None:
        self.parent: list[int] = []

    def fresh(self, count: int) -> list[int]:
        first = len(self.parent)
        self.parent.extend(range(first, first + count))
        return list(range(first, first + count))

    def find(self, number: int) -> int:
        while self.parent[number] != number:
            self.parent[number] = self.parent[self.parent[number]]
            number = self.parent[number]
        return number

    def tie(self, lists: list[list[int]], where: str) -> list[int]:
        if len({len(numbers) for numbers in lists}) != 1:
            raise BuildError(f"can't prune: layer '{where}' combines {[len(n) for n in lists]} channels")
        for others in zip(*lists, strict=True):
            for other in others[1:]:
                self.parent[self.find(other)] = self.find(others[0])
        return lists[0]


def trace(model: Any) -> Channels:
    """Find a functional model's channels and their groups.

    Raises:
        BuildError: a layer's channels can't be followed (grouped convolution, a shuffle...); names it.
    """
    tracer = _Tracer()
    known: dict[str, list[int]] = {}
    uses: dict[str, Use] = {}
    for layer in in_order(model):
        sources = inputs_of(layer)
        taken = [known[name] for name in sources]
        given = _step(tracer, layer, taken)
        known[layer.name] = given
        uses[layer.name] = Use(layer, taken[0] if taken else [], given)
    root = [tracer.find(n) for n in range(len(tracer.parent))]
    ends = [layer for layer in uses.values() if type(layer.layer).__name__ == "InputLayer"]
    ends += [uses[t._keras_history.operation.name] for t in model.outputs]
    return Channels(uses, root, {root[n] for use in ends for n in use.given})


def in_order(model: Any) -> list[Any]:
    """Layers and operators of a functional model, each after those it reads.

    Raises:
        BuildError: the model isn't functional.
    """
    if not hasattr(model, "_operations_by_depth"):
        raise BuildError(f"can't prune {model.name}: it isn't a functional model")
    depths = sorted(model._operations_by_depth, reverse=True)
    return [op for depth in depths for op in model._operations_by_depth[depth]]


def inputs_of(layer: Any) -> list[str]:
    """Names of the layers whose outputs this layer reads.

    Raises:
        BuildError: it is used more than once.
    """
    nodes = layer._inbound_nodes
    if len(nodes) != 1:
        raise BuildError(f"can't prune: layer '{layer.name}' is used {len(nodes)} times")
    return [tensor._keras_history.operation.name for tensor in nodes[0].input_tensors]


def readers_of(model: Any) -> dict[str, list[str]]:
    """For each layer and operator of a functional model, in order, the names of those that read its output.

    Raises:
        BuildError: the model isn't functional, or a layer is used more than once.
    """
    found: dict[str, list[str]] = {}
    for layer in in_order(model):
        found[layer.name] = []
        for source in inputs_of(layer):
            found[source].append(layer.name)
    return found


def _step(tracer: _Tracer, layer: Any, taken: list[list[int]]) -> list[int]:
    kind = type(layer).__name__
    if kind == "InputLayer":
        return tracer.fresh(int(layer.output.shape[-1]))
    if kind in _PASS:
        if kind == "BatchNormalization" and layer.axis not in (-1, len(layer.output.shape) - 1):
            raise BuildError(f"can't prune: '{layer.name}' normalises another axis than the last")
        return taken[0]
    if kind == "Conv2D" and layer.groups == 1:
        return tracer.fresh(layer.filters)
    if kind == "Dense":
        return tracer.fresh(layer.units)
    if kind == "DepthwiseConv2D" and layer.depth_multiplier == 1:
        return taken[0]
    if kind in _TIE:
        return tracer.tie(taken, layer.name)
    if kind == "Concatenate" and layer.axis in (-1, len(layer.output.shape) - 1):
        return [n for numbers in taken for n in numbers]
    if kind in ("Flatten", "Reshape"):
        width = int(layer.output.shape[-1])
        positions = int(np.prod(layer.input.shape[1:-1], dtype=np.int64))
        if kind == "Flatten" or (positions == 1 and width == len(taken[0])):
            return taken[0] * positions
    what = f"{kind}, as in a channel shuffle" if kind in ("Reshape", "Permute") else kind
    raise BuildError(
        f"can't prune: the channels of layer '{layer.name}' ({what}) can't be followed",
        fix="networks made of Conv2D, DepthwiseConv2D, Dense, BatchNormalization, Add, Multiply and Concatenate work",
    )
