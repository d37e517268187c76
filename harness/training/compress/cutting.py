"""Cuts a network to a cost, and stores the result so that a resumed build continues with the same network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from harness.core.errors import BuildError
from harness.core.files import write_atomic
from harness.training.arrays import Model, Pixels, Probabilities
from harness.training.compress import importance, plan, surgery
from harness.training.compress.budget import FINER, Budget, Measure
from harness.training.compress.graph import Channels, trace
from harness.training.train import stored
from harness.training.train.epochs import Epoch

#: share of a layer's channels that one round may remove
LARGEST_CUT = 0.85
#: images that an importance may use
SAMPLE = 256


@dataclass(frozen=True)
class Cutter:
    """Removes channels from networks according to a budget.

    Attributes:
        budget: names the importance, the multiple of widths and the targets.
        measures: how a model's ``bytes`` and ``latency_ratio`` are measured, where the budget names them.
        lessons: images and targets for importances.
        seed: of the choice of images.
        progress: receives a line where a stored file is damaged.
    """

    budget: Budget
    measures: Mapping[str, Measure]
    lessons: Epoch
    seed: int
    progress: Callable[[str], None]

    def cut(self, model: Model, cost: float, place: Path) -> Model:
        """The model without its least useful channels, at ``cost`` or less; stored under ``place``."""
        path = place / "cut.keras"
        before = stored.found(path, _load, self.progress)
        if before is not None:
            return before
        prepare = importance.get(self.budget.method).prepare
        channels = trace(model)
        if prepare is not None:
            model = prepare(model, self.lessons, self.seed)
        gone = self._chosen(model, channels, cost, largest_cut=LARGEST_CUT)
        smaller = surgery.remove(model, channels, gone)
        stored.keep(path, smaller.save)
        return smaller

    def fit(self, before: Model, smaller: Model, place: Path) -> Model:
        """``smaller`` cut further from ``before`` until it meets every target; stored, since latencies vary.

        Raises:
            BuildError: it can't become smaller, and the named targets are still unmet.
        """
        path = place / "fit.keras"
        fitting = stored.found(path, _load, self.progress)
        if fitting is not None:
            return fitting
        while unmet := self.unmet(smaller):
            cost = self.cost(smaller)
            tighter = self.cut(before, cost * FINER, place / f"at-{cost:.0f}")
            if self.cost(tighter) >= cost:
                raise BuildError(f"{before.name} can't be pruned to its budget: {'; '.join(unmet)}")
            smaller = tighter
        stored.keep(path, smaller.save)
        return smaller

    def target(self, model: Model, path: Path) -> float:
        """The cost that the rounds aim at: the budget's, or what its other targets amount to, stored as ``path``.

        Raises:
            BuildError: it can't become so small, and the named targets are still unmet.
        """
        given = self.budget.macs if self.budget.prices is None else self.budget.cycles
        if given is not None:
            return given
        return self.aim(model, path) if self.budget.macs is None else self._as_registered(model, self.budget.macs)

    def _as_registered(self, model: Model, macs: float) -> float:
        """The estimated cycles of the model cut at once to ``macs``, with channels weighed by multiply-accumulates."""
        by_macs = replace(self, budget=replace(self.budget, prices=None))
        channels = trace(model)
        return self.cost(surgery.remove(model, channels, by_macs._chosen(model, channels, macs, largest_cut=1.0)))

    def unmet(self, model: Model) -> list[str]:
        """The targets that the model exceeds, as text; empty when all targets are met."""
        excesses, most = self.budget.unmet(model, self.measures), self.budget.cycles
        if most is not None and (cycles := self.cost(model)) > most:
            excesses.append(f"estimated cycles {cycles:,.0f} > {most:,.0f}")
        return excesses

    def aim(self, model: Model, path: Path) -> float:
        """The cost at which the model, cut at once and not tuned, meets the other targets; the rounds aim at it.

        It is stored as ``path``: a latency differs a little each time, and a resumed build must repeat the same rounds.

        Raises:
            BuildError: it can't become smaller, and the named targets are still unmet.
        """
        aim = stored.found(path, lambda file: float(file.read_text(encoding="utf-8")), self.progress)
        if aim is not None:
            return aim
        channels = trace(model)
        scores, costs = self._scores(model, channels), self._costs(model, channels)
        target, reached = costs.whole(), None
        while True:
            gone = plan.choose(costs, scores, target, multiple=self.budget.multiple, least=self.budget.multiple)
            smaller = surgery.remove(model, channels, gone)
            unmet, cost = self.unmet(smaller), self.cost(smaller)
            if not unmet:
                write_atomic(path, f"{cost}\n")
                return cost
            if cost == reached:
                raise BuildError(f"{model.name} can't be pruned to its budget: {'; '.join(unmet)}")
            reached, target = cost, min(cost, target) * FINER

    def cost(self, model: Model) -> float:
        """The model's cost as the budget counts it: multiply-accumulates, their equivalent in kernels, or cycles."""
        return self._costs(model, trace(model)).whole()

    def _costs(self, model: Model, channels: Channels) -> plan.CostModel:
        return plan.CostModel(model, channels, lanes=self.budget.lanes, cycles=self.budget.prices)

    def _chosen(self, model: Model, channels: Channels, cost: float, *, largest_cut: float) -> set[int]:
        return plan.choose(
            self._costs(model, channels),
            self._scores(model, channels),
            cost,
            multiple=self.budget.multiple,
            least=self.budget.multiple,
            largest_cut=largest_cut,
        )

    def _scores(self, model: Model, channels: Channels) -> importance.Scores:
        return importance.get(self.budget.method).score(model, channels, self._sample)

    def _sample(self) -> tuple[Pixels, Probabilities]:
        images, targets = self.lessons(self.seed)
        chosen = np.random.default_rng(self.seed).permutation(len(images))[:SAMPLE]
        return images[chosen], targets[chosen]


def _load(path: Path) -> Model:
    return keras.models.load_model(path, compile=False)
