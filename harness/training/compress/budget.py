"""What a pruned network may cost, and whether it does. Importing this module doesn't import Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from harness.core.errors import UsageError
from harness.training.arrays import Model
from harness.training.compress import importance
from harness.training.networks.macs import count_macs
from harness.training.networks.registry import Pruning

#: measures a model's cost; needs no trained weights (bytes of its int8 file, its latency over a reference's)
Measure = Callable[[Model], float]
#: rounds of pruning where only bytes or latency are given come down from here by this factor at a time
FINER = 0.85
#: whose int8 file a latency ratio is of, where nothing else is said
REFERENCE = "mobilenet-v3-small"


@dataclass(frozen=True)
class Budget:
    """What the pruned network may cost.

    Attributes:
        macs: of the last round, as ``lanes`` says; None where only ``bytes`` or ``latency_ratio`` is given.
        epochs: of tuning, one number per round; each round takes an equal factor.
        method: a name in :data:`harness.training.compress.importance.IMPORTANCES`.
        multiple: widths are multiples of this, and at least this.
        lanes: above 1, what kernels make of MACs is counted: see :class:`harness.training.compress.plan.CostModel`.
        without: convolutions that go whole before the first round, by name.
        bytes: of the int8 TFLite file, at most.
        latency_ratio: latency over a reference's on the same device, at most.
        reference: the network ``latency_ratio`` is over.
        max_accuracy_drop: share of validation images, below the uncompressed network: the round that would lose more
            isn't taken.
        restarts: how many times the last round's tuning is done again, on what it led to.
        assistant: epochs for which the teacher assistant is tuned on before the last of these.
    """

    macs: float | None
    epochs: tuple[int, ...] = (3, 7, 12, 100)
    method: str = "taylor"
    multiple: int = 4
    lanes: int = 1
    without: tuple[str, ...] = ()
    bytes: float | None = None
    latency_ratio: float | None = None
    reference: str = REFERENCE
    # not in repr(), which names the cache's folder: these say where rounds end and what follows them, not what one does
    max_accuracy_drop: float | None = field(default=None, repr=False)
    restarts: int = field(default=0, repr=False)
    assistant: int = field(default=0, repr=False)

    def check(self, measures: Mapping[str, Measure]) -> None:
        """See that it can be worked with.

        Raises:
            UsageError: nothing says how small, a number is out of range, or no measure for a target is at hand.
        """
        targets = {"macs": self.macs, **self.measured()}
        if all(value is None for value in targets.values()):
            raise UsageError("nothing says how small the network must be", fix="give MACs, bytes or a latency ratio")
        for name, value in targets.items():
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"target {name} must be above 0 and finite, not {value:g}")
        if self.max_accuracy_drop is not None and not 0 <= self.max_accuracy_drop < 1:
            raise UsageError(
                f"max_accuracy_drop lies from 0 to below 1 (0.02: two points), not {self.max_accuracy_drop:g}"
            )
        importance.get(self.method)
        for name in self.measured():
            if name not in measures:
                raise UsageError(f"target {name} needs a way to measure it, and none was given")

    def measured(self) -> dict[str, float]:
        """The targets that need a measure, by name."""
        both = {"bytes": self.bytes, "latency_ratio": self.latency_ratio}
        return {name: value for name, value in both.items() if value is not None}

    def unmet(self, model: Model, measures: Mapping[str, Measure]) -> list[str]:
        """What the model costs too much of, as text: ``bytes 50,000 > 40,000``; empty when all targets are met."""
        excesses = []
        if self.macs is not None and (macs := count_macs(model)) > self.macs:
            excesses.append(f"MACs {macs:,.0f} > {self.macs:,.0f}")
        for name, limit in self.measured().items():
            if (value := measures[name](model)) > limit:
                excesses.append(f"{name} {value:,.4g} > {limit:,.4g}")
        return excesses


@dataclass(frozen=True)
class Targets:
    """What a user asks of a pruned network in place of its registered size; attributes as in :class:`Budget`."""

    macs: float | None = None
    bytes: float | None = None
    latency_ratio: float | None = None
    max_accuracy_drop: float | None = None
    method: str | None = None
    reference: str = REFERENCE

    def given(self) -> bool:
        """Whether anything is asked."""
        return replace(self, reference=REFERENCE) != AS_REGISTERED

    def budget(self, pruning: Pruning, parent_macs: int) -> Budget:
        """The budget of a network pruned from one of ``parent_macs``: its registered size where nothing says how small.

        Rounds and epochs stay the registered ones. MACs that a user gives are plain ones.
        """
        sized = (self.macs, self.bytes, self.latency_ratio) != (None, None, None)
        return Budget(
            macs=self.macs if sized else pruning.target(parent_macs),
            epochs=pruning.epochs,
            method=self.method or "taylor",
            multiple=pruning.multiple,
            lanes=pruning.lanes if self.macs is None else 1,
            without=pruning.without,
            restarts=pruning.restarts,
            assistant=pruning.assistant,
            bytes=self.bytes,
            latency_ratio=self.latency_ratio,
            reference=self.reference,
            max_accuracy_drop=self.max_accuracy_drop,
        )


AS_REGISTERED = Targets()
