"""The allowed cost of a pruned network, and the check that it is met. Importing this module doesn't import Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from harness.core.errors import UsageError
from harness.records.prices import PRICED_VARIANTS, PricedVariant, PriceList
from harness.training.arrays import Model
from harness.training.compress import importance
from harness.training.networks.macs import count_macs
from harness.training.networks.registry import Pruning

#: measures a model's cost without needing trained weights (bytes of its int8 file, its latency over a reference's)
Measure = Callable[[Model], float]
#: where only bytes or latency are given, each round of pruning lowers the cost by this factor
FINER = 0.85
#: the default network whose int8 file is the reference of a latency ratio
REFERENCE = "mobilenet-v3-small"


@dataclass(frozen=True)
class CycleTarget:
    """Estimated cycles on an emulated board as the cost of channels.

    Attributes:
        board: the board's family.
        variant: of the network whose cycles count.
        most: cycles at most; None for as many as the network has when it is cut to its registered size.
    """

    board: str
    variant: PricedVariant = "fp32"
    most: float | None = None

    @classmethod
    def parse(cls, text: str) -> CycleTarget:
        """Read ``cycles@BOARD``, ``cycles@BOARD/VARIANT`` or either with ``=CYCLES`` after it.

        Raises:
            UsageError: it is something else.
        """
        name, _, most = text.partition("=")
        quantity, _, place = name.partition("@")
        board, slash, variant = place.partition("/")
        fix = "--target cycles@raspberry-pi-4, or cycles@raspberry-pi-4/int8=800000"
        if quantity != "cycles" or not board:
            raise UsageError(f"--target '{text}': names no cost and board", fix=fix)
        chosen = next((known for known in PRICED_VARIANTS if known == (variant if slash else "fp32")), None)
        if chosen is None:
            raise UsageError(f"--target '{text}': variant '{variant}' has no prices", fix=" or ".join(PRICED_VARIANTS))
        if "=" not in text:
            return cls(board, chosen)
        try:
            cycles = float(most)
        except ValueError:
            raise UsageError(f"--target '{text}': '{most}' is no number of cycles", fix=fix) from None
        return cls(board, chosen, cycles)


@dataclass(frozen=True)
class Budget:
    """The allowed cost of a pruned network.

    Attributes:
        macs: multiply-accumulates after the last round, counted as ``lanes`` says; None where only ``bytes``,
            ``latency_ratio`` or ``cycles`` is given.
        epochs: of tuning, one number per round; each round takes an equal factor.
        method: a name in :data:`harness.training.compress.importance.IMPORTANCES`.
        multiple: widths are multiples of this, and at least this.
        lanes: above 1, MACs are counted as kernels compute them; see :class:`harness.training.compress.plan.CostModel`.
        without: convolutions that are removed whole before the first round, by name.
        bytes: of the int8 TFLite file, at most.
        latency_ratio: latency over a reference's on the same device, at most.
        reference: the reference network of ``latency_ratio``.
        max_accuracy_drop: allowed loss against the uncompressed network, as a share of validation images; a round that
            would lose more isn't accepted.
        restarts: how many times the last round's tuning is repeated, starting from its result.
        assistant: epochs of further tuning of the teacher assistant before the last of these restarts.
        prices: of layers in estimated cycles. They then are the cost that rounds lower and channels are weighed by, in
            place of multiply-accumulates.
        cycles: by these prices, after the last round. None, with prices, for as many as a network of ``macs`` has.
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
    # left out of repr(), which names the cache's folder: these say where rounds end and what follows, not what a round
    # does
    max_accuracy_drop: float | None = field(default=None, repr=False)
    restarts: int = field(default=0, repr=False)
    assistant: int = field(default=0, repr=False)
    # left out of repr() too, so that budgets without prices keep their folders; ``key`` has them
    prices: PriceList | None = field(default=None, repr=False)
    cycles: float | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """All that decides what a round does; the same as ``repr()`` without prices."""
        return repr(self) if self.prices is None else f"{self!r}, cycles={self.cycles}, prices={self.prices.sha256}"

    @property
    def by(self) -> str:
        """What channels are chosen by, in words."""
        if self.prices is None:
            return self.method
        return f"{self.method} per estimated cycle ({self.prices.label}: {self.prices.origin.words})"

    def check(self, measures: Mapping[str, Measure]) -> None:
        """Check that the budget is usable.

        Raises:
            UsageError: no target is set, a number is out of range, or a target has no measure.
        """
        targets = {"macs": self.macs, "cycles": self.cycles, **self.measured()}
        if all(value is None for value in targets.values()):
            raise UsageError("nothing says how small the network must be", fix="give MACs, bytes or a latency ratio")
        for name, value in targets.items():
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"target {name} must be above 0 and finite, not {value:g}")
        if self.cycles is not None and self.prices is None:
            raise UsageError("target cycles needs the prices of layers, and none were given")
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
        """The targets that the model exceeds, as text: ``bytes 50,000 > 40,000``; empty when all targets are met.
        Cycles are left out: :class:`harness.training.compress.cutting.Cutter` knows what a model costs by prices.
        """
        excesses = []
        if self.prices is None and self.macs is not None and (macs := count_macs(model)) > self.macs:
            excesses.append(f"MACs {macs:,.0f} > {self.macs:,.0f}")
        for name, limit in self.measured().items():
            if (value := measures[name](model)) > limit:
                excesses.append(f"{name} {value:,.4g} > {limit:,.4g}")
        return excesses


@dataclass(frozen=True)
class Targets:
    """A user's targets for a pruned network, replacing its registered size; attributes as in :class:`Budget`."""

    macs: float | None = None
    bytes: float | None = None
    latency_ratio: float | None = None
    max_accuracy_drop: float | None = None
    method: str | None = None
    reference: str = REFERENCE
    cycles: CycleTarget | None = None

    def check(self) -> None:
        """Check that the targets go together.

        Raises:
            UsageError: two different costs are asked for, or cycles are no positive number.
        """
        if self.cycles is None:
            return
        if self.macs is not None:
            raise UsageError("--target-macs and --target cycles@ are two costs", fix="give one of them")
        if self.cycles.most is not None and not 0 < self.cycles.most < float("inf"):
            raise UsageError(f"--target: cycles must be above 0 and finite, not {self.cycles.most:g}")

    def given(self) -> bool:
        """Whether any target is set."""
        return replace(self, reference=REFERENCE) != AS_REGISTERED

    def budget(self, pruning: Pruning, parent_macs: int, prices: PriceList | None = None) -> Budget:
        """The budget of a network pruned from one of ``parent_macs``: its registered size where no target is set.

        Rounds and epochs stay the registered ones. MACs given by a user are plain ones.

        Args:
            prices: those of ``cycles``.
        """
        most = self.cycles.most if self.cycles is not None else None
        sized = (self.macs, self.bytes, self.latency_ratio, most) != (None, None, None, None)
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
            prices=prices,
            cycles=most,
        )


AS_REGISTERED = Targets()
