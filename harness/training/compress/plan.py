"""Chooses the channels to remove: the least important per unit of cost first, in multiples that suit the hardware."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.records.prices import PriceList
from harness.training.arrays import Layer, Model
from harness.training.compress.graph import Channels
from harness.training.compress.importance import Scores
from harness.training.compress.works import keeps_channels, price_of
from harness.training.layers import rule_of

#: for up to this many output channels XNNPACK has a float kernel of its own, so they cost less than a whole bunch
NARROW = 2
#: Multiply-accumulates that fetching one input position costs besides its channels, for a bunch of 8 and for a narrow
#: kernel. Least squares over 12 untrained forms of resvgg19 on an emulated Cortex-A76, each met within 6 %: 0.19
#: (channels in * channels out + this) instructions per output position and kernel element, and 0.15 M for the rest.
FETCH, FETCH_NARROW = 82.0, 52.0

#: the cost of a layer with so many input and so many output channels
_CostOf = Callable[[int, int], float]


@dataclass(frozen=True)
class _Priced:
    """A layer with a cost. Families of channels are stored with their number of occurrences."""

    cost_of: _CostOf
    taken: Counter[int]
    given: Counter[int]
    fixed_in: int
    fixed_out: int

    def cost(self, widths: list[int]) -> float:
        """The cost with ``widths[k]`` channels left in family k."""
        into = self.fixed_in + sum(widths[k] * times for k, times in self.taken.items())
        return self.cost_of(into, self.fixed_out + sum(widths[k] * times for k, times in self.given.items()))


class CostModel:
    """Cost of a model as channels are removed.

    Args:
        model: the model before pruning.
        channels: of it.
        prices: cost per multiply-accumulate by layer name, e.g. measured nanoseconds on a device; 1 where missing, so
            that without prices the cost is MACs.
        lanes: output channels that a kernel computes at once. Where it is 8, as with XNNPACK's float kernels on ARM, a
            convolution with 3 costs as much as one with 8 (one with ``NARROW`` or fewer doesn't). Above 1, the cost of
            fetching the input is counted too, which dominates in narrow networks.
        cycles: estimated cycles of each layer on a board, which then are the cost instead of multiply-accumulates.

    Raises:
        BuildError: ``cycles`` lacks a layer.
    """

    def __init__(
        self,
        model: Model,
        channels: Channels,
        prices: Mapping[str, float] | None = None,
        *,
        lanes: int = 1,
        cycles: PriceList | None = None,
    ) -> None:
        self.families = _families(channels)
        self._channels, self._prices, self._lanes, self._cycles = channels, prices or {}, lanes, cycles
        self._family_of = {group: k for k, members in enumerate(self.families) for group in members}
        costs = ((layer, self._cost_of(layer)) for layer in model.layers)
        self._layers = [self._priced(layer, cost_of) for layer, cost_of in costs if cost_of is not None]

    def whole(self) -> float:
        """The cost with all channels."""
        return self.cost([len(members) for members in self.families])

    def cost(self, widths: list[int]) -> float:
        """The cost with ``widths[k]`` channels left in family k."""
        total = 0.0
        for layer in self._layers:
            total += layer.cost(widths)
        return total

    def _cost_of(self, layer: Layer) -> _CostOf | None:
        """The cost of a layer by its numbers of channels; None where it has none."""
        rule = rule_of(layer)
        if self._cycles is not None:
            price = price_of(self._cycles, layer)
            return functools.cache(price.at) if price is not None else None
        if rule.kernel is None:
            return None
        area = math.prod(layer.kernel.shape[:-2])  # 1 for a dense layer
        work = self._prices.get(layer.name, 1.0) * area * math.prod(layer.output.shape[1:-1])
        lanes = self._lanes if rule.convolution else 1
        return lambda into, out: work * _kernel(into, out, lanes)

    def _priced(self, layer: Layer, cost_of: _CostOf) -> _Priced:
        use, alone = self._channels.uses[layer.name], keeps_channels(layer)
        taken, given = self._channels.roots(use.taken), self._channels.roots(use.given)
        return _Priced(
            cost_of=cost_of,
            taken=Counter() if alone else self._per_family(taken),
            given=self._per_family(given),
            fixed_in=1 if alone else sum(g not in self._family_of for g in taken),
            fixed_out=sum(g not in self._family_of for g in given),
        )

    def _per_family(self, groups: list[int]) -> Counter[int]:
        """How often one channel of a family occurs (more than once after Flatten or a concatenation with itself)."""
        occurrences = Counter(self._family_of[g] for g in groups if g in self._family_of)
        sizes = Counter(self._family_of[g] for g in set(groups) if g in self._family_of)
        return Counter({k: occurrences[k] // sizes[k] for k in occurrences})


def _kernel(into: int, out: int, lanes: int) -> float:
    """Multiply-accumulates, or their equivalent in time, per output position and kernel element."""
    if lanes == 1:
        return float(into * out)
    if out <= NARROW:
        return into * out + FETCH_NARROW
    bunches = -(-out // lanes)
    return bunches * (into * lanes + FETCH)


def choose(
    costs: CostModel, scores: Scores, target: float, *, multiple: int = 4, least: int = 4, largest_cut: float = 1.0
) -> set[int]:
    """Channel groups to remove so that the cost falls to ``target`` (as closely as the limits allow).

    Each family (channels that differ only in their weights) loses its least important ``multiple`` channels at a time,
    so that widths stay multiples of it: kernels work on 4 or 8 channels at once, so the rest of a bunch is free.
    Removing the last bunch may lower the cost far below the target. Whatever then fits again is restored, the most
    important per unit of cost first.

    Args:
        costs: cost model of the network.
        scores: importance per group.
        target: the cost to reach.
        multiple: channels that are removed at once.
        least: channels that every family keeps.
        largest_cut: share of a family that may be removed in this round.
    """
    widths = _Widths(costs, scores)
    floors = [max(least, math.ceil(len(members) * (1 - largest_cut))) for members in widths.ranked]
    while widths.cost > target:
        # first down to a multiple, then bunch by bunch
        narrower = [width - (width - 1) % multiple - 1 for width in widths.now]
        steps = [step for step in widths.steps(narrower) if step.width >= floors[step.family]]
        if not steps:
            break
        widths.take(min(steps, key=lambda step: step.moved / max(widths.cost - step.cost, 1e-12)))
    while True:
        wider = [min(width + multiple, len(members)) for width, members in zip(widths.now, widths.ranked, strict=True)]
        steps = [step for step in widths.steps(wider) if step.cost <= target]
        if not steps:
            return widths.removed()
        widths.take(max(steps, key=lambda step: step.moved / max(step.cost - widths.cost, 1e-12)))


@dataclass(frozen=True)
class _Step:
    """One family at another width: the network's cost then, and the importance of the channels in between."""

    family: int
    width: int
    cost: float
    moved: float


class _Widths:
    """How many channels of each family are left; the least important go first, the most important return first."""

    def __init__(self, costs: CostModel, scores: Scores) -> None:
        self._costs, self._scores = costs, scores
        self.ranked = [sorted(members, key=lambda g: (scores[g], g)) for members in costs.families]
        self.now = [len(members) for members in self.ranked]
        self.cost = costs.cost(self.now)

    def steps(self, others: list[int]) -> list[_Step]:
        """For each family, a step to its width in ``others``, where that differs from the present one."""
        steps = []
        for k, (members, width, other) in enumerate(zip(self.ranked, self.now, others, strict=True)):
            if other != width:
                low, high = sorted((len(members) - width, len(members) - other))
                cost = self._costs.cost([*self.now[:k], other, *self.now[k + 1 :]])
                moved = sum(self._scores[g] for g in members[low:high])
                steps.append(_Step(family=k, width=other, cost=cost, moved=moved))
        return steps

    def take(self, step: _Step) -> None:
        """Set a family to the width of this step."""
        self.now[step.family], self.cost = step.width, step.cost

    def removed(self) -> set[int]:
        """Channel groups that are removed."""
        return {
            g for members, width in zip(self.ranked, self.now, strict=True) for g in members[: len(members) - width]
        }


def _families(channels: Channels) -> list[list[int]]:
    """Removable groups that occur in the same layers equally often, collected into families."""
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
