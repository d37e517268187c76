"""What each layer of a Keras model computes, in the words of price lists. This module doesn't import Keras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.errors import BuildError
from harness.records.prices import Priced, PriceList, Work
from harness.training.arrays import Layer, Model
from harness.training.compress.graph import Channels
from harness.training.layers import rule_of


@dataclass(frozen=True)
class Wanted:
    """A price that pruning will ask for.

    Attributes:
        work: what the layer computes.
        into, out: numbers of channels that pruning doesn't change; None where it may change them.
    """

    work: Work
    into: int | None
    out: int | None


def work_of(layer: Layer) -> Work | None:
    """What a layer computes; None where it has no price."""
    kind = rule_of(layer).operator
    if kind is None:
        return None
    source = layer.input[0] if isinstance(layer.input, Sequence) else layer.input
    lengths = tuple(int(length) for length in source.shape[1:-1])
    if kind == "FULLY_CONNECTED" or len(lengths) != 2:
        return Work(kind=kind, size=(math.prod(lengths), 1))
    if kind == "ADD":
        return Work(kind=kind, size=(lengths[0], lengths[1]))
    kernel = getattr(layer, "kernel_size", None) or layer.pool_size
    return Work(
        kind=kind,
        size=(lengths[0], lengths[1]),
        kernel=(int(kernel[0]), int(kernel[1])),
        strides=(int(layer.strides[0]), int(layer.strides[1])),
        padding=layer.padding,
    )


def wanted(model: Model, channels: Channels) -> tuple[Wanted, ...]:
    """The prices that pruning a model will ask for, each once."""
    found = {}
    for layer in model.layers:
        work, use = work_of(layer), channels.uses[layer.name]
        if work is None:
            continue
        into = 1 if keeps_channels(layer) else _fixed(channels, use.taken)
        found[Wanted(work, into, _fixed(channels, use.given))] = True
    return tuple(found)


def keeps_channels(layer: Layer) -> bool:
    """Whether a layer has as many output as input channels, and computes each alone."""
    return rule_of(layer).kernel != "dense"


def price_of(prices: PriceList, layer: Layer) -> Priced | None:
    """The prices of a layer; None where layers of its kind have none.

    Raises:
        BuildError: the list lacks this layer's work.
    """
    work = work_of(layer)
    if work is None:
        return None
    found = prices.of(work)
    if found is None:
        raise BuildError(f"{prices.label} has no price of layer '{layer.name}' ({work})")
    return found


def _fixed(channels: Channels, numbers: list[int]) -> int | None:
    """How many channels these are, if none of them can be removed."""
    return len(numbers) if all(root in channels.fixed for root in channels.roots(numbers)) else None
