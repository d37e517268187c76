"""A pruned network's nodes beside those of the network it was made from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

#: The last steps of layers with weights, in the names that TensorFlow gives their tensors.
_WEIGHTED = frozenset(("convolution", "depthwise", "MatMul"))


@dataclass(frozen=True)
class Node:
    """One operator of a network: its kind, the name of the tensor that it makes, and what it costs."""

    kind: str
    name: str
    cost: float

    @property
    def layer(self) -> str:
        """The layer it comes from: the second part of ``network/layer/step;network/layer/step...``, without the number
        that a converter puts behind each name. Of several layers in one node it is the one with the weights.
        """
        steps = [step.split("/") for step in self.name.split(";")]
        parts = next((parts for parts in steps if parts[-1] in _WEIGHTED), steps[0])
        return re.sub(r"_1$", "", parts[min(1, len(parts) - 1)])


@dataclass(frozen=True)
class Pair:
    """A node before and after pruning; None where there is none."""

    before: Node | None
    after: Node | None

    @property
    def either(self) -> Node:
        """The node before, or else the one after."""
        node = self.before or self.after
        assert node is not None
        return node


def beside(before: Sequence[Node], after: Sequence[Node]) -> list[Pair]:
    """All nodes in the order of execution, each with its counterpart.

    Nodes belong together by layer and kind. Where layers have other names, those of a kind belong together in their
    order.
    """
    return _beside(before, after, by_name=True)


def _beside(before: Sequence[Node], after: Sequence[Node], *, by_name: bool) -> list[Pair]:
    old, new = ([(node.kind, node.layer if by_name else "") for node in nodes] for nodes in (before, after))
    pairs: list[Pair] = []
    for how, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = before[i:j], after[k:m]
        if how == "equal":
            pairs += [Pair(*nodes) for nodes in zip(gone, come, strict=True)]
        elif how == "replace" and by_name:
            pairs += _beside(gone, come, by_name=False)
        else:
            pairs += [Pair(node, None) for node in gone] + [Pair(None, node) for node in come]
    return pairs
