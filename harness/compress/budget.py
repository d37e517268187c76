"""What a pruned network may cost, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError
from harness.networks.macs import count_macs

#: measures a model's cost; needs no trained weights (bytes of its int8 file, its latency over a reference's)
Measure = Callable[[Any], float]
#: rounds of pruning where only bytes or latency are given come down from here by this factor at a time
FINER = 0.85


@dataclass(frozen=True)
class Budget:
    """What the pruned network may cost.

    Attributes:
        macs: of the last round; None where only ``bytes`` or ``latency_ratio`` say how small it must be.
        steps: rounds on the way, each an equal factor.
        method: importance: ``taylor``, ``bn``, ``l1`` or ``slimming`` (``bn`` after training that pulls
            scales to zero).
        multiple: widths are multiples of this.
        bytes: of the int8 TFLite file, at most.
        latency_ratio: latency over a reference's on the same device, at most.
        max_accuracy_drop: share of validation images, below the uncompressed network: the round that would lose more
            isn't taken.
    """

    macs: float | None = 2_400_000
    steps: int = 4
    method: str = "taylor"
    multiple: int = 4
    # not in repr(), which names the cache's folder: they say where rounds end, not what a round does
    bytes: float | None = field(default=None, repr=False)
    latency_ratio: float | None = field(default=None, repr=False)
    max_accuracy_drop: float | None = field(default=None, repr=False)

    def check(self, measures: Mapping[str, Measure]) -> None:
        """See that it can be worked with.

        Raises:
            UsageError: nothing says how small, a number is out of range, or no measure for a target is at hand.
        """
        targets = {"macs": self.macs, **self.measured()}
        if all(value is None for value in targets.values()):
            raise UsageError("nothing says how small the network must be", fix="give MACs, bytes or a latency ratio")
        for name, value in targets.items():
            if value is not None and not value > 0:
                raise UsageError(f"target {name} must be above 0, not {value:g}")
        if self.max_accuracy_drop is not None and not 0 <= self.max_accuracy_drop < 1:
            raise UsageError(
                f"max_accuracy_drop lies from 0 to below 1 (0.02: two points), not {self.max_accuracy_drop:g}"
            )
        for name in self.measured():
            if name not in measures:
                raise UsageError(f"target {name} needs a way to measure it, and none was given")

    def measured(self) -> dict[str, float]:
        """The targets that need a measure, by name."""
        both = {"bytes": self.bytes, "latency_ratio": self.latency_ratio}
        return {name: value for name, value in both.items() if value is not None}

    def unmet(self, model: Any, measures: Mapping[str, Measure]) -> list[str]:
        """What the model costs too much of, as text: ``bytes 50,000 > 40,000``; empty when all targets are met."""
        found = []
        if self.macs is not None and (macs := count_macs(model)) > self.macs:
            found.append(f"MACs {macs:,.0f} > {self.macs:,.0f}")
        for name, wanted in self.measured().items():
            if (value := measures[name](model)) > wanted:
                found.append(f"{name} {value:,.4g} > {wanted:,.4g}")
        return found
