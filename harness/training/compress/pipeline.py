"""From an uncompressed network to one small enough: prune, tune with distillation, repeat until the budget is met."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from harness.core.errors import BuildError, UsageError
from harness.core.files import write_atomic
from harness.data.dataset import Dataset, Split
from harness.records.manifest import Step
from harness.training.compress import distil, importance, plan, surgery
from harness.training.compress import drop_layer as depth
from harness.training.compress.budget import FINER, Budget, Measure
from harness.training.compress.graph import Channels, trace
from harness.training.networks.macs import count_macs
from harness.training.train import loop, stored
from harness.training.train.recipe import PROFILES, Recipe

#: share of a layer's channels that one round may take
LARGEST_CUT = 0.85
#: between the seeds of a round's tuning and of its restart
AGAIN = 1000


@dataclass(frozen=True)
class Round:
    """One prune-and-tune round: the cost to come down to, as the budget counts, and epochs to recover in."""

    macs: float
    epochs: int
    rate: float


def rounds(start: float, budget: Budget, profile: str) -> list[Round]:
    """Rounds from ``start`` MACs to the budget's, by equal factors.

    Raises:
        UsageError: the profile is neither quick nor full, or the budget has no MACs.
    """
    if profile not in PROFILES:
        raise UsageError(f"profile '{profile}' is unknown", fix="quick or full")
    if budget.macs is None:
        raise UsageError("rounds need MACs to come down to")
    count = len(budget.epochs)
    factor = (budget.macs / start) ** (1 / count)
    found = []
    for k, epochs in enumerate(budget.epochs, start=1):
        tuned = max(2, epochs // 4) if profile == "quick" else epochs
        found.append(Round(start * factor**k, tuned, 2e-3 if k == count else 1e-3))
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
    budget: Budget,
    measures: Mapping[str, Measure] | None = None,
) -> tuple[Any, list[Step]]:
    """Remove channels until the budget is met; the smaller model and one record per step.

    Only training images are learnt from, only validation images are used to choose; test accuracy is recorded. With
    ``max_accuracy_drop`` the model may come out before it is small enough: the last round that kept its accuracy, which
    ``progress`` is told.

    Args:
        measures: for each of ``bytes`` and ``latency_ratio`` that the budget names, how a model's is measured. Neither
            depends on the weights, so it is asked before a round is tuned.

    Raises:
        BuildError: the network has a layer that can't be pruned, a target can't be reached (it is named, with what was
            reached), or already the first round loses too much accuracy.
        UsageError: unknown profile or importance method, a budget that makes no sense.
    """
    ways = dict(measures or {})
    budget.check(ways)
    folder = folder / _fingerprint(teacher, budget)
    epoch = distil.lessons(teacher, dataset, split, seed, folder, progress=progress)
    model, steps, answering = teacher, [], None
    for name in budget.without:
        model = depth.without(model, name)
        steps.append(_step("pruned", f"without {name}", model, dataset, split))
    aim = replace(budget, macs=budget.macs or _aim(model, epoch, budget, ways, folder, seed, progress))
    floor = None
    if budget.max_accuracy_drop is not None:
        floor = _right(teacher, dataset, split.validation) - budget.max_accuracy_drop
    plans = rounds(count_macs(model), aim, profile)
    for number, part in enumerate(plans, start=1):
        if answering is None and count_macs(model) <= distil.LIVE_MACS:
            answering = model
        place, before = folder / f"round-{number}", len(steps)
        last = number == len(plans)
        smaller = _cut(model, epoch, part.macs, budget, place, seed + number, progress)
        if last:
            smaller = _fit(model, smaller, epoch, budget, ways, place, seed + number, progress)
        steps.append(_step("pruned", f"{budget.method}, round {number}", smaller, dataset, split))
        progress(f"round {number}: {steps[-1].macs / 1e6:.2f} M MACs, {steps[-1].parameters} parameters")
        recipe = Recipe(epochs=part.epochs, rate=part.rate, smoothing=0.0, decay=0.01)
        for again in range(1 + budget.restarts * last):
            drawn, more = seed + number + AGAIN * again, 0
            if answering is not None and 0 < again == budget.restarts:
                more = budget.assistant if profile == "full" else budget.assistant // 4
                answering = _learnt_on(answering, more, epoch, dataset, split, seed + AGAIN, folder, progress)
            by = f"-assistant-{more}" if more else ""
            kept = place / f"again-{again}{by}" if again else place
            told = epoch if answering is None else distil.live(answering, dataset, split, drawn)
            outcome = loop.train(
                smaller, dataset, split, recipe, seed=drawn, folder=kept, progress=progress, epochs=told, surest=True
            )
            detail = f"distilled, {len(outcome.history)} epochs, best {outcome.best_epoch + 1}"
            detail += f", its teacher tuned for {more} more" if more else ""
            steps.append(_step("tuned", detail, smaller, dataset, split, outcome))
        if floor is not None and outcome.validation_accuracy < floor - 1e-9:
            said = f"round {number} reaches {outcome.validation_accuracy:.4f} on validation, below {floor:.4f}"
            return _stopped(model, steps[:before], said, budget.unmet(model, ways), progress)
        model = smaller
    return model, steps


def _learnt_on(
    assistant: Any,
    epochs: int,
    epoch: loop.Epoch,
    dataset: Dataset,
    split: Split,
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> Any:
    """A copy of the teacher assistant that the uncompressed network has taught for ``epochs`` more."""
    if not epochs:
        return assistant
    copy = keras.models.clone_model(assistant)
    copy.set_weights(assistant.get_weights())
    recipe = Recipe(epochs=epochs, rate=1e-3, smoothing=0.0, decay=0.01)
    place = folder / "assistant"
    loop.train(copy, dataset, split, recipe, seed=seed, folder=place, progress=progress, epochs=epoch, surest=True)
    return copy


def _stopped(
    model: Any, steps: list[Step], said: str, unmet: list[str], progress: Callable[[str], None]
) -> tuple[Any, list[Step]]:
    """The last model that was accurate enough.

    Raises:
        BuildError: there is none but the teacher.
    """
    if not any(step.kind == "tuned" for step in steps):
        raise BuildError(f"can't prune within max_accuracy_drop: {said}", fix="allow a larger drop, or more steps")
    progress(f"{said}: the round before it is kept, with {'; '.join(unmet) or 'all targets met'}")
    return model, steps


def _aim(
    teacher: Any,
    epoch: loop.Epoch,
    budget: Budget,
    measures: Mapping[str, Measure],
    folder: Path,
    seed: int,
    progress: Callable[[str], None],
) -> float:
    """Cost at which the teacher, cut at once and not tuned, meets the other targets: where the rounds should lead.

    Stored under ``folder``: a latency comes out a little different each time, and a resumed run must go the same way.
    """
    path = folder / "aim.txt"
    aim = stored.found(path, lambda file: float(file.read_text(encoding="utf-8")), progress)
    if aim is not None:
        return aim
    channels = trace(teacher)
    scores = _scores(teacher, channels, epoch, budget, seed)
    costs = plan.CostModel(teacher, channels, lanes=budget.lanes)
    target, reached = _cost(teacher, budget), None
    while True:
        smaller = surgery.remove(
            teacher, channels, plan.choose(costs, scores, target, multiple=budget.multiple, least=budget.multiple)
        )
        unmet = budget.unmet(smaller, measures)
        now = _cost(smaller, budget)
        if not unmet:
            write_atomic(path, f"{now}\n")
            return now
        if now == reached:
            raise BuildError(f"{teacher.name} can't be pruned to its budget: {'; '.join(unmet)}")
        reached, target = now, min(now, target) * FINER


def _fit(
    before: Any,
    smaller: Any,
    epoch: loop.Epoch,
    budget: Budget,
    measures: Mapping[str, Measure],
    place: Path,
    seed: int,
    progress: Callable[[str], None],
) -> Any:
    """The last round's model cut further until it meets every target; stored, since latencies vary.

    Raises:
        BuildError: it gets no smaller, and these targets are still unmet.
    """
    path = place / "fit.keras"
    before_it = stored.found(path, _load, progress)
    if before_it is not None:
        return before_it
    while unmet := budget.unmet(smaller, measures):
        cost = _cost(smaller, budget)
        tighter = _cut(before, epoch, cost * FINER, budget, place / f"at-{cost:.0f}", seed, progress)
        if _cost(tighter, budget) >= cost:
            raise BuildError(f"{before.name} can't be pruned to its budget: {'; '.join(unmet)}")
        smaller = tighter
    stored.keep(path, smaller.save)
    return smaller


def _load(path: Path) -> Any:
    return keras.models.load_model(path, compile=False)


def _cost(model: Any, budget: Budget) -> float:
    """What the model costs as the budget counts: multiply-accumulates, or with ``lanes`` what kernels make of them."""
    costs = plan.CostModel(model, trace(model), lanes=budget.lanes)
    return costs.cost([len(members) for members in costs.families])


def _cut(
    model: Any,
    epoch: loop.Epoch,
    cost: float,
    budget: Budget,
    place: Path,
    seed: int,
    progress: Callable[[str], None],
) -> Any:
    """The model without its least useful channels; stored, so that a resumed run tunes the very same one."""
    path = place / "cut.keras"
    before = stored.found(path, _load, progress)
    if before is not None:
        return before
    channels = trace(model)
    if budget.method == "slimming":
        model = importance.slim(model, epoch, seed)
    scores = _scores(model, channels, epoch, budget, seed)
    costs = plan.CostModel(model, channels, lanes=budget.lanes)
    gone = plan.choose(costs, scores, cost, multiple=budget.multiple, least=budget.multiple, largest_cut=LARGEST_CUT)
    smaller = surgery.remove(model, channels, gone)
    stored.keep(path, smaller.save)
    return smaller


def _scores(model: Any, channels: Channels, epoch: loop.Epoch, budget: Budget, seed: int) -> importance.Scores:
    if budget.method == "taylor":
        images, targets = epoch(seed)
        chosen = np.random.default_rng(seed).permutation(len(images))[:256]
        return importance.taylor(model, channels, images[chosen], targets[chosen])
    measure = importance.l1 if budget.method == "l1" else importance.batch_norm_scale
    return measure(model, channels)


def _right(model: Any, dataset: Dataset, index: Any) -> float:
    return loop.score(model, loop.as_input(dataset.images[index]), dataset.labels[index])[0]


def _step(
    kind: str, detail: str, model: Any, dataset: Dataset, split: Split, outcome: loop.Outcome | None = None
) -> Step:
    return Step(
        kind="tuned" if kind == "tuned" else "pruned",
        detail=detail,
        parameters=model.count_params(),
        macs=count_macs(model),
        validation_accuracy=_right(model, dataset, split.validation),
        accuracy=_right(model, dataset, split.test),
        seconds=None if outcome is None else round(outcome.seconds, 1),
    )


def _fingerprint(teacher: Any, budget: Budget) -> str:
    """Names the folder of one pruning: another teacher, budget or way to teach must not meet this one's rounds."""
    ways = (distil.SETS, distil.TRUST, distil.LIVE_MACS, distil.MIXTURE, plan.FETCH, plan.FETCH_NARROW, LARGEST_CUT)
    digest = hashlib.sha256(repr((budget, ways)).encode())
    for weight in teacher.weights:
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()[:16]
