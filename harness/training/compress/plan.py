"""Chooses which channels go: the least important per unit of cost first, in hardware-sized bunches."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.training.compress.graph import Channels
from harness.training.compress.importance import Scores

#: up to this many output channels XNNPACK has a float kernel of its own, so they don't cost a whole bunch
NARROW = 2
#: Multiply-accumulates that fetching one input position costs besides its channels, for a bunch of 8 and for a narrow
#: kernel. Least squares over 12 untrained forms of resvgg19 on an emulated Cortex-A76, each met within 6 %: 0.19
#: (channels in * channels out + this) instructions per output position and kernel element, and 0.15 M for the rest.
FETCH, FETCH_NARROW = 82.0, 52.0


@dataclass(frozen=True)
class _Priced:
    """A layer whose cost is price * work * (channels in * channels out); with ``lanes``, channels out in whole bunches
    and a fetch for each. Families by how often each occurs."""

    work: float
    taken: Counter[int]
    given: Counter[int]
    fixed_in: int
    fixed_out: int
    depthwise: bool
    lanes: int


class CostModel:
    """Cost of a model as channels go.

    Args:
        model: the model before pruning.
        channels: of it.
        prices: cost per multiply-accumulate by layer name, e.g. measured nanoseconds on a device; 1 where missing, so
            that without prices the cost is MACs.
        lanes: output channels that a kernel computes at once: a convolution with 3 costs what one with 8 does where
            that is 8, as with XNNPACK's float kernels on ARM (one with ``NARROW`` or fewer doesn't). Above 1, what
            fetching the input costs is counted too: in narrow networks that is most of it.
    """

    def __init__(
        self, model: Any, channels: Channels, prices: Mapping[str, float] | None = None, lanes: int = 1
    ) -> None:
        self.families = _families(channels)
        family_of = {group: k for k, members in enumerate(self.families) for group in members}
        self._layers = [
            _priced(channels, layer, family_of, (prices or {}).get(layer.name, 1.0), lanes)
            for layer in model.layers
            if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D", "Dense")
        ]

    def cost(self, widths: list[int]) -> float:
        """Cost with ``widths[k]`` channels left in family k."""
        total = 0.0
        for layer in self._layers:
            out = layer.fixed_out + sum(widths[k] * times for k, times in layer.given.items())
            into = 1 if layer.depthwise else layer.fixed_in + sum(widths[k] * t for k, t in layer.taken.items())
            total += layer.work * _kernel(into, out, layer.lanes)
        return total


def _kernel(into: int, out: int, lanes: int) -> float:
    """Multiply-accumulates, or what takes as long, per output position and kernel element."""
    if lanes == 1:
        return float(into * out)
    if out <= NARROW:
        return into * out + FETCH_NARROW
    bunches = -(-out // lanes)
    return bunches * (into * lanes + FETCH)


def choose(
    costs: CostModel, scores: Scores, target: float, *, multiple: int = 4, least: int = 4, largest_cut: float = 1.0
) -> set[int]:
    """Channel groups to remove so that the cost falls to ``target`` (as near as the limits allow).

    Each family (channels that differ in nothing but their weights) loses its least important ``multiple`` channels at a
    time, so that widths stay multiples of it: kernels work on 4 or 8 channels at once, and the rest of a bunch is free.
    The last bunch to go may be a costly one, far below the target: what then fits again comes back, the most important
    per unit of cost first.

    Args:
        costs: cost model of the network.
        scores: importance per group.
        target: cost to come down to.
        multiple: channels that go at once.
        least: channels every family keeps.
        largest_cut: share of a family that may go in this round.
    """
    ranked = [sorted(members, key=lambda g: (scores[g], g)) for members in costs.families]
    widths = [len(members) for members in ranked]
    floors = [max(least, math.ceil(len(members) * (1 - largest_cut))) for members in ranked]
    now = costs.cost(widths)
    while now > target:
        # first down to a multiple, then bunch by bunch
        narrower = [width - (width - 1) % multiple - 1 for width in widths]
        trials = _trials(costs, scores, ranked, widths, narrower)
        fit = [trial for trial in trials if narrower[trial.family] >= floors[trial.family]]
        if not fit:
            break
        best = min(fit, key=lambda trial: trial.moved / max(now - trial.cost, 1e-12))
        widths[best.family], now = narrower[best.family], best.cost
    while True:
        wider = [min(width + multiple, len(members)) for width, members in zip(widths, ranked, strict=True)]
        fit = [trial for trial in _trials(costs, scores, ranked, widths, wider) if trial.cost <= target]
        if not fit:
            break
        best = max(fit, key=lambda trial: trial.moved / max(trial.cost - now, 1e-12))
        widths[best.family], now = wider[best.family], best.cost
    return {group for members, width in zip(ranked, widths, strict=True) for group in members[: len(members) - width]}


@dataclass(frozen=True)
class _Trial:
    """One family at another width: the network's cost then, and the importance of the channels between."""

    family: int
    cost: float
    moved: float


def _trials(
    costs: CostModel, scores: Scores, ranked: list[list[int]], widths: list[int], others: list[int]
) -> list[_Trial]:
    found = []
    for k, (members, width, other) in enumerate(zip(ranked, widths, others, strict=True)):
        if other != width:
            low, high = sorted((len(members) - width, len(members) - other))
            after = costs.cost([*widths[:k], other, *widths[k + 1 :]])
            found.append(_Trial(k, after, sum(scores[g] for g in members[low:high])))
    return found


def _families(channels: Channels) -> list[list[int]]:
    """Removable groups that occur in the same layers equally often, together."""
    places: dict[int, Counter[str]] = {group: Counter() for group in channels.groups()}
    for name, use in channels.uses.items():
        for side, numbers in (("in", use.taken), ("out", use.given)):
            for group in channels.roots(numbers):
                if group in places:
                    places[group][f"{name}/{side}"] += 1
    families: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for group, where in places.items():
        families.setdefault(tuple(sorted(where.items())), []).append(group)
    return list(families.values())


def _priced(channels: Channels, layer: Any, family_of: Mapping[int, int], price: float, lanes: int) -> _Priced:
    use = channels.uses[layer.name]
    kind = type(layer).__name__
    area = 1 if kind == "Dense" else math.prod(layer.kernel.shape[:2])
    taken, given = channels.roots(use.taken), channels.roots(use.given)

    def per_family(groups: list[int]) -> Counter[int]:
        # how often one channel of a family occurs here (more than once after Flatten or a concatenation with itself)
        found = Counter(family_of[g] for g in groups if g in family_of)
        sizes = Counter(family_of[g] for g in set(groups) if g in family_of)
        return Counter({k: found[k] // sizes[k] for k in found})

    return _Priced(
        work=price * area * math.prod(layer.output.shape[1:-1]),
        taken=per_family(taken),
        given=per_family(given),
        fixed_in=sum(g not in family_of for g in taken),
        fixed_out=sum(g not in family_of for g in given),
        depthwise=kind == "DepthwiseConv2D",
        lanes=lanes if kind == "Conv2D" else 1,
    )
