"""Groups of channels of a Keras model that can only be removed together, derived from its graph.

Each producer of channels (Conv2D, Dense) gets fresh numbers for its outputs; every tensor carries the numbers of its
channels. Layers that act on each channel alone pass them on; sums and products tie two lists (a residual block's output
and its shortcut become one group); concatenation joins lists. The rules for each kind of layer are in
:mod:`harness.training.layers`. A channel that reaches the model's output or comes from its input can't be removed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.core.errors import BuildError
from harness.training.arrays import Layer, Model
from harness.training.layers import Ties, channels_out


@dataclass
class Use:
    """Channel numbers of one layer: of its input (for weights that read it) and of its output."""

    layer: Layer
    taken: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)


@dataclass
class Channels:
    """All channels of a model. ``uses`` is by layer name, ``root`` maps a channel number to its group's, ``fixed``
    groups can't be removed.
    """

    uses: dict[str, Use]
    root: list[int]
    fixed: set[int]

    def roots(self, numbers: list[int]) -> list[int]:
        """The groups of some channels."""
        return [self.root[n] for n in numbers]

    def groups(self) -> list[int]:
        """Removable groups, ascending."""
        return sorted(set(self.root) - self.fixed)


def trace(model: Model) -> Channels:
    """Find a functional model's channels and their groups.

    Raises:
        BuildError: a layer's channels can't be followed (grouped convolution, a shuffle...); the message names the
            layer.
    """
    ties = Ties()
    uses: dict[str, Use] = {}
    ends = [tensor._keras_history.operation.name for tensor in model.outputs]
    for layer in in_order(model):
        sources = inputs_of(layer)
        if not sources:
            ends.append(layer.name)
        taken = [uses[name].given for name in sources]
        uses[layer.name] = Use(layer, taken[0] if taken else [], channels_out(ties, layer, taken))
    root = ties.roots()
    return Channels(uses, root, {root[number] for name in ends for number in uses[name].given})


def in_order(model: Model) -> list[Layer]:
    """Layers and operators of a functional model, each after its inputs.

    Raises:
        BuildError: the model isn't functional.
    """
    if not hasattr(model, "_operations_by_depth"):
        raise BuildError(f"can't prune {model.name}: it isn't a functional model")
    depths = sorted(model._operations_by_depth, reverse=True)
    return [op for depth in depths for op in model._operations_by_depth[depth]]


def inputs_of(layer: Layer) -> list[str]:
    """Names of the layers that feed this layer.

    Raises:
        BuildError: the layer is used more than once.
    """
    nodes = layer._inbound_nodes
    if len(nodes) != 1:
        raise BuildError(f"can't prune: layer '{layer.name}' is used {len(nodes)} times")
    return [tensor._keras_history.operation.name for tensor in nodes[0].input_tensors]


def readers_of(model: Model) -> dict[str, list[str]]:
    """For each layer and operator of a functional model, in order, the names of those that read its output.

    Raises:
        BuildError: the model isn't functional, or a layer is used more than once.
    """
    readers: dict[str, list[str]] = {}
    for layer in in_order(model):
        readers[layer.name] = []
        for source in inputs_of(layer):
            readers[source].append(layer.name)
    return readers
