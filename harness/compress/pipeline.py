"""From an uncompressed network to one small enough: prune, tune with distillation, repeat until the budget is met."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from harness.compress import distil, importance, plan, surgery
from harness.compress.graph import trace
from harness.data.dataset import Dataset, Split
from harness.errors import UsageError
from harness.manifest import Step
from harness.networks.macs import count_macs
from harness.train import loop
from harness.train.recipe import PROFILES, Recipe


@dataclass(frozen=True)
class Round:
    """One prune-and-tune round: multiply-accumulates to come down to, and epochs to recover in."""

    macs: float
    epochs: int
    rate: float


@dataclass(frozen=True)
class Budget:
    """What the pruned network may cost.

    Attributes:
        macs: of the last round.
        steps: rounds on the way, each an equal factor.
        method: importance: ``taylor``, ``bn`` or ``l1``.
        multiple: widths are multiples of this.
    """

    macs: float = 2_400_000
    steps: int = 4
    method: str = "taylor"
    multiple: int = 4


def rounds(start: float, budget: Budget, profile: str) -> list[Round]:
    """Rounds from ``start`` MACs to the budget. Small networks tune longer: they need it and it costs little.

    Raises:
        UsageError: the profile is neither quick nor full.
    """
    if profile not in PROFILES:
        raise UsageError(f"profile '{profile}' is unknown", fix="quick or full")
    factor = (budget.macs / start) ** (1 / budget.steps)
    found = []
    for k in range(1, budget.steps + 1):
        macs = start * factor**k
        epochs = int(min(max(3, 3e8 / macs), 12))
        if k == budget.steps:
            epochs = 100
        if profile == "quick":
            epochs = max(2, epochs // 4)
        found.append(Round(macs, epochs, 2e-3 if k == budget.steps else 1e-3))
    return found


def prune(
    teacher: Any,
    dataset: Dataset,
    split: Split,
    *,
    profile: str,
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
    budget: Budget | None = None,
) -> tuple[Any, list[Step]]:
    """Remove channels until the budget is met; the smaller model and one record per step.

    Only training images are learnt from, only validation images are used to choose; test accuracy is recorded.

    Raises:
        BuildError: the network has a layer that can't be pruned.
        UsageError: unknown profile or importance method.
    """
    budget = budget or Budget()
    importance.check_method(budget.method)
    folder = folder / _fingerprint(teacher, budget)
    epoch = distil.lessons(teacher, dataset, split, seed, folder)
    model, steps = teacher, []
    for number, part in enumerate(rounds(count_macs(teacher), budget, profile), start=1):
        place = folder / f"round-{number}"
        model = _cut(model, epoch, part.macs, budget, place, seed + number)
        steps.append(_step("pruned", f"{budget.method}, round {number}", model, dataset, split))
        progress(f"round {number}: {steps[-1].macs / 1e6:.2f} M MACs, {steps[-1].parameters} parameters")
        recipe = Recipe(epochs=part.epochs, rate=part.rate, smoothing=0.0, decay=0.01)
        outcome = loop.train(
            model, dataset, split, recipe, seed=seed + number, folder=place, progress=progress, epochs=epoch
        )
        detail = f"distilled, {len(outcome.history)} epochs, best {outcome.best_epoch + 1}"
        steps.append(_step("tuned", detail, model, dataset, split, outcome))
    return model, steps


def _cut(model: Any, epoch: loop.Epoch, macs: float, budget: Budget, place: Path, seed: int) -> Any:
    """The model without its least useful channels; stored, so that a resumed run tunes the very same one."""
    stored = place / "cut.keras"
    if stored.exists():
        return keras.models.load_model(stored, compile=False)
    channels = trace(model)
    if budget.method == "taylor":
        images, targets = epoch(seed)
        chosen = np.random.default_rng(seed).permutation(len(images))[:256]
        scores = importance.taylor(model, channels, images[chosen], targets[chosen])
    else:
        measure = importance.l1 if budget.method == "l1" else importance.batch_norm_scale
        scores = measure(model, channels)
    costs = plan.CostModel(model, channels)
    gone = plan.choose(costs, scores, macs, multiple=budget.multiple, largest_cut=0.8)
    smaller = surgery.remove(model, channels, gone)
    place.mkdir(parents=True, exist_ok=True)
    smaller.save(place / "next.keras")
    (place / "next.keras").replace(stored)
    return smaller


def _step(
    kind: str, detail: str, model: Any, dataset: Dataset, split: Split, outcome: loop.Outcome | None = None
) -> Step:
    def right(index: Any) -> float:
        return loop.score(model, loop.as_input(dataset.images[index]), dataset.labels[index])[0]

    return Step(
        kind="tuned" if kind == "tuned" else "pruned",
        detail=detail,
        parameters=model.count_params(),
        macs=count_macs(model),
        validation_accuracy=right(split.validation),
        accuracy=right(split.test),
        seconds=None if outcome is None else round(outcome.seconds, 1),
    )


def _fingerprint(teacher: Any, budget: Budget) -> str:
    """Names the folder of one pruning: another teacher or budget must not meet this one's rounds."""
    digest = hashlib.sha256(repr(budget).encode())
    for weight in teacher.weights:
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()[:16]
