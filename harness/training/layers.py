"""The properties of each kind of Keras layer: how channels pass through it, what it computes, how it becomes narrower.

To add a kind, add one :class:`Rule` to :data:`LAYERS`. Importing this module doesn't import Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.core.errors import BuildError
from harness.records.prices import Kind
from harness.training.arrays import Layer, Mask, Weights

Channels = list[int]
Config = dict[str, Any]


class Ties:
    """Numbers of channels, and the groups that can only be removed together (union-find)."""

    def __init__(self) -> None:
        self._parent: Channels = []

    def fresh(self, count: int) -> Channels:
        """New numbers without ties."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return list(range(first, first + count))

    def find(self, number: int) -> int:
        """The number that represents the group of this one."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def tie(self, lists: list[Channels], layer: str) -> Channels:
        """Tie channels at the same place in each list.

        Raises:
            BuildError: the lists differ in length; the message names the layer.
        """
        if len({len(numbers) for numbers in lists}) != 1:
            raise BuildError(f"can't prune: layer '{layer}' combines {[len(n) for n in lists]} channels")
        for others in zip(*lists, strict=True):
            for other in others[1:]:
                self._parent[self.find(other)] = self.find(others[0])
        return lists[0]

    def roots(self) -> Channels:
        """For each number, the one that represents its group."""
        return [self.find(number) for number in range(len(self._parent))]


#: Derives the numbers of a layer's output channels from those of its inputs; None where they can't be followed.
Trace = Callable[[Ties, Layer, list[Channels]], Channels | None]


def _kept_width(_config: Config, _width: int) -> None:
    """Keep the configuration, since the width of this kind follows from the input."""


def _all_given(_name: str, value: Weights, _taken: Mask, given: Mask) -> Weights:
    return value[given]


@dataclass(frozen=True)
class Rule:
    """The rule for a kind of layer.

    Attributes:
        trace: derives the numbers of its output channels.
        kernel: ``dense`` where each output channel reads all input channels, ``depthwise`` where it reads only its own;
            None for layers without a kernel, which cost no multiply-accumulates.
        operator: TFLite's operator for it, where its cost in cycles depends on the numbers of channels.
        resize: changes the number of output channels in a layer's configuration.
        slice: the kept part of a weight, from its name, its value, and the kept input and output channels.
        convolution: whether it is a convolution over all channels, whose output channels kernels compute in bunches.
        normalises: whether it is batch normalisation.
        activates: whether it may rectify its input.
        follows: whether it is removed with the convolution before it.
        note: part of the message where its channels can't be followed.
    """

    trace: Trace
    kernel: Literal["dense", "depthwise"] | None = None
    operator: Kind | None = None
    resize: Callable[[Config, int], None] = _kept_width
    slice: Callable[[str, Weights, Mask, Mask], Weights] = _all_given
    convolution: bool = False
    normalises: bool = False
    activates: bool = False
    follows: bool = False
    note: str = ""


def _input(ties: Ties, layer: Layer, _taken: list[Channels]) -> Channels | None:
    return ties.fresh(int(layer.output.shape[-1]))


def _pass(_ties: Ties, _layer: Layer, taken: list[Channels]) -> Channels | None:
    return taken[0]


def _refuse(_ties: Ties, _layer: Layer, _taken: list[Channels]) -> Channels | None:
    return None


def _normalise(_ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    if not _last_axis(layer):
        raise BuildError(f"can't prune: '{layer.name}' normalises another axis than the last")
    return taken[0]


def _convolve(ties: Ties, layer: Layer, _taken: list[Channels]) -> Channels | None:
    return ties.fresh(layer.filters) if layer.groups == 1 else None


def _convolve_depthwise(_ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    return taken[0] if layer.depth_multiplier == 1 else None


def _connect(ties: Ties, layer: Layer, _taken: list[Channels]) -> Channels | None:
    return ties.fresh(layer.units)


def _tie(ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    return ties.tie(taken, layer.name)


def _concatenate(_ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    return [number for numbers in taken for number in numbers] if _last_axis(layer) else None


def _flatten(_ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    return taken[0] * _positions(layer)


def _reshape(_ties: Ties, layer: Layer, taken: list[Channels]) -> Channels | None:
    same = _positions(layer) == 1 and int(layer.output.shape[-1]) == len(taken[0])
    return taken[0] if same else None


def _positions(layer: Layer) -> int:
    return math.prod(int(size) for size in layer.input.shape[1:-1])


def _last_axis(layer: Layer) -> bool:
    return layer.axis in (-1, len(layer.output.shape) - 1)


def _set_filters(config: Config, width: int) -> None:
    config["filters"] = width


def _set_units(config: Config, width: int) -> None:
    config["units"] = width


def _set_target_shape(config: Config, width: int) -> None:
    config["target_shape"] = (*config["target_shape"][:-1], width)


def _slice_dense(name: str, value: Weights, taken: Mask, given: Mask) -> Weights:
    return value[..., taken, :][..., given] if name == "kernel" else value[given]


def _slice_depthwise(name: str, value: Weights, _taken: Mask, given: Mask) -> Weights:
    return value[:, :, given, :] if name == "kernel" else value[given]


_FOLLOWED = "networks made of Conv2D, DepthwiseConv2D, Dense, BatchNormalization, Add, Multiply and Concatenate work"
_SHUFFLE = "as in a channel shuffle"
LAYERS: dict[str, Rule] = {
    "InputLayer": Rule(_input),
    "Conv2D": Rule(
        _convolve, kernel="dense", operator="CONV_2D", resize=_set_filters, slice=_slice_dense, convolution=True
    ),
    "DepthwiseConv2D": Rule(
        _convolve_depthwise, kernel="depthwise", operator="DEPTHWISE_CONV_2D", slice=_slice_depthwise
    ),
    "Dense": Rule(_connect, kernel="dense", operator="FULLY_CONNECTED", resize=_set_units, slice=_slice_dense),
    "BatchNormalization": Rule(_normalise, normalises=True, follows=True),
    "Activation": Rule(_pass, activates=True, follows=True),
    "ReLU": Rule(_pass, activates=True, follows=True),
    "LeakyReLU": Rule(_pass, follows=True),
    "Dropout": Rule(_pass, follows=True),
    "SpatialDropout2D": Rule(_pass, follows=True),
    "Softmax": Rule(_pass),
    "Rescaling": Rule(_pass),
    "ZeroPadding2D": Rule(_pass),
    "AveragePooling2D": Rule(_pass),
    "MaxPooling2D": Rule(_pass, operator="MAX_POOL_2D"),
    "GlobalAveragePooling2D": Rule(_pass),
    "GlobalMaxPooling2D": Rule(_pass),
    "Add": Rule(_tie, operator="ADD"),
    "Subtract": Rule(_tie),
    "Multiply": Rule(_tie),
    "Maximum": Rule(_tie),
    "Average": Rule(_tie),
    "Concatenate": Rule(_concatenate),
    "Flatten": Rule(_flatten),
    "Reshape": Rule(_reshape, resize=_set_target_shape, note=_SHUFFLE),
    "Permute": Rule(_refuse, note=_SHUFFLE),
}
#: the rule of a kind that isn't in the table
UNKNOWN = Rule(_refuse)


def kind_of(layer: Layer) -> str:
    """Name of a layer's class, as in :data:`LAYERS`."""
    return type(layer).__name__


def rule_of(layer: Layer) -> Rule:
    """The rule for a layer; :data:`UNKNOWN` where its kind isn't in the table."""
    return LAYERS.get(kind_of(layer), UNKNOWN)


def normalisations(model: Any) -> list[Layer]:
    """Batch normalisations of a Keras model, in its order."""
    return [layer for layer in model.layers if rule_of(layer).normalises]


def channels_out(ties: Ties, layer: Layer, taken: list[Channels]) -> Channels:
    """Numbers of a layer's output channels.

    Args:
        taken: those of each input's channels.

    Raises:
        BuildError: they can't be followed (grouped convolution, a shuffle...); the message names the layer.
    """
    rule = rule_of(layer)
    given = rule.trace(ties, layer, taken)
    if given is None:
        kind = f"{kind_of(layer)}, {rule.note}" if rule.note else kind_of(layer)
        raise BuildError(
            f"can't prune: the channels of layer '{layer.name}' ({kind}) can't be followed",
            fix=_FOLLOWED,
        )
    return given
