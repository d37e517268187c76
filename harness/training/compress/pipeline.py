"""From an uncompressed network to a small enough one: prune, tune with distillation, repeat until the budget is met."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from harness.core.errors import BuildError, UsageError
from harness.data.dataset import Dataset, Split
from harness.records.manifest import Step
from harness.training.arrays import Index, Model
from harness.training.compress import distil, drop_layer, plan
from harness.training.compress.budget import Budget, Measure
from harness.training.compress.cutting import LARGEST_CUT, Cutter
from harness.training.networks.macs import count_macs
from harness.training.train import loop
from harness.training.train.epochs import Epoch, TrainingSet, as_input
from harness.training.train.loop import Training
from harness.training.train.recipe import PROFILES, Recipe, fewer_epochs
from harness.training.train.steps import copy_of

#: difference of the seeds of a round's tuning and of its restart
AGAIN = 1000
StepKind = Literal["pruned", "tuned"]


@dataclass(frozen=True)
class Teacher:
    """A network whose answers are learnt, and the folder for its stored answers."""

    model: Model
    folder: Path


@dataclass(frozen=True, kw_only=True)
class PruningJob:
    """The inputs of one pruning, besides the network that is pruned.

    Attributes:
        dataset: where images and labels are.
        split: its training images alone are learnt, its validation images alone are used for choices; accuracy on its
            test images is recorded.
        profile: ``quick`` or ``full``.
        seed: of the choice of channels, and of tuning.
        folder: for the state of this pruning.
        progress: receives lines to show.
        budget: the allowed cost of the pruned network.
        measures: how a model's ``bytes`` and ``latency_ratio`` are measured, where the budget names them. Neither
            depends on the weights, so they are measured before a round is tuned.
        teacher: the network whose answers are learnt, where it isn't the one that is pruned.
    """

    dataset: Dataset
    split: Split
    profile: str
    seed: int
    folder: Path
    progress: Callable[[str], None]
    budget: Budget
    measures: Mapping[str, Measure] = field(default_factory=dict)
    teacher: Teacher | None = None


@dataclass(frozen=True)
class Round:
    """One prune-and-tune round: its target cost as the budget counts, be it multiply-accumulates or cycles (``macs``),
    and its epochs of tuning.
    """

    number: int
    macs: float
    epochs: int
    rate: float
    last: bool

    @property
    def recipe(self) -> Recipe:
        """How the round's network is tuned."""
        return Recipe(epochs=self.epochs, rate=self.rate, smoothing=0.0, decay=0.01)


def rounds(start: float, budget: Budget, profile: str, images: int = 0) -> list[Round]:
    """Rounds from ``start`` MACs to the budget's, by equal factors.

    Args:
        images: the number of training images; many of them take fewer epochs.

    Raises:
        UsageError: the profile is neither quick nor full, or the budget has no MACs.
    """
    if profile not in PROFILES:
        raise UsageError(f"profile '{profile}' is unknown", fix="quick or full")
    if budget.macs is None:
        raise UsageError("rounds need MACs to come down to")
    count = len(budget.epochs)
    factor = (budget.macs / start) ** (1 / count)
    return [
        Round(
            number=number,
            macs=start * factor**number,
            epochs=fewer_epochs(max(2, epochs // 4) if profile == "quick" else epochs, images),
            rate=2e-3 if number == count else 1e-3,
            last=number == count,
        )
        for number, epochs in enumerate(budget.epochs, start=1)
    ]


def prune(teacher: Model, job: PruningJob) -> tuple[Model, list[Step]]:
    """Remove channels until the budget is met; returns the smaller model and one record per step.

    With ``max_accuracy_drop`` the result may be larger than the budget: it is the last round that kept its accuracy,
    and ``progress`` receives a line about it.

    Raises:
        BuildError: the network has a layer that can't be pruned, a target can't be reached (the message names it and
            the value reached), or the first round already loses too much accuracy.
        UsageError: unknown profile or importance method, a budget that makes no sense.
    """
    job.budget.check(job.measures)
    models = [teacher] if job.teacher is None else [teacher, job.teacher.model]
    return _Pruning(teacher, replace(job, folder=job.folder / _fingerprint(models, job.budget))).run()


class _Pruning:
    """One pruning, from the uncompressed network down.

    At first the stored answers of the uncompressed network are learnt. Once a pruned network is small enough to answer
    in each epoch, it answers instead, as the teacher assistant. Where the job names another teacher, its stored answers
    are learnt in all rounds.
    """

    def __init__(self, teacher: Model, job: PruningJob) -> None:
        self.teacher, self.job = teacher, job
        self.lessons = self._lessons()
        self.assistant: Model | None = None
        self.steps: list[Step] = []

    def _lessons(self) -> Epoch:
        training_set, say, other = self._training_set(self.job.seed), self.job.progress, self.job.teacher
        if other is None:
            return distil.lessons(self.teacher, training_set, self.job.folder, progress=say)
        folder = other.folder / _fingerprint([other.model], self.job.budget.method) / f"seed-{self.job.seed}"
        return distil.mixed_lessons(other.model, training_set, folder, progress=say)

    def run(self) -> tuple[Model, list[Step]]:
        """Prune; returns the last accepted network, and a record for each step that led to it."""
        job, model, floor = self.job, self._without_layers(), None
        cutter = self._cutter(job.seed)
        target = cutter.target(model, job.folder / "aim.txt")
        if job.budget.max_accuracy_drop is not None:
            floor = _accuracy(self.teacher, job.dataset, job.split.validation) - job.budget.max_accuracy_drop
        # by prices rounds begin at what the model costs; in lanes they always began at its plain MACs
        start = count_macs(model) if job.budget.prices is None else cutter.cost(model)
        for part in rounds(start, replace(job.budget, macs=target), job.profile, len(job.split.train)):
            if self.assistant is None and job.teacher is None and count_macs(model) <= distil.LIVE_MACS:
                self.assistant = model
            before = len(self.steps)
            # a network that keeps its size is only taught
            smaller = self._cut(model, part) if self._shrinks(model, part) else copy_of(model)
            reached = self._tune(smaller, part).validation_accuracy
            if floor is not None and reached < floor - 1e-9:
                reason = f"round {part.number} reaches {reached:.4f} on validation, below {floor:.4f}"
                return self._stopped(model, self.steps[:before], reason)
            model = smaller
        return model, self.steps

    def _shrinks(self, model: Model, part: Round) -> bool:
        budget = self.job.budget
        return budget.lanes > 1 or budget.prices is not None or part.macs < count_macs(model)

    def _without_layers(self) -> Model:
        """The teacher without the convolutions that are removed whole."""
        model = self.teacher
        for name in self.job.budget.without:
            model = drop_layer.without(model, name)
            self.steps.append(self._step("pruned", f"without {name}", model))
        return model

    def _cut(self, model: Model, part: Round) -> Model:
        job, cutter = self.job, self._cutter(self.job.seed + part.number)
        smaller = cutter.cut(model, part.macs, self._place(part))
        if part.last:
            smaller = cutter.fit(model, smaller, self._place(part))
        step = self._step("pruned", f"{job.budget.by}, round {part.number}", smaller)
        self.steps.append(step)
        job.progress(f"round {part.number}: {step.macs / 1e6:.2f} M MACs, {step.parameters} parameters")
        return smaller

    def _tune(self, smaller: Model, part: Round) -> loop.Outcome:
        """Tune in place, in the last round with its restarts; returns the outcome of the last tuning."""
        outcome = self._tune_once(smaller, part, 0)
        for again in range(1, 1 + self.job.budget.restarts * part.last):
            outcome = self._tune_once(smaller, part, again)
        return outcome

    def _tune_once(self, smaller: Model, part: Round, again: int) -> loop.Outcome:
        seed, more = self.job.seed + part.number + AGAIN * again, 0
        if self.assistant is not None and 0 < again == self.job.budget.restarts:
            more = self.job.budget.assistant if self.job.profile == "full" else self.job.budget.assistant // 4
            self.assistant = self._taught(self.assistant, more)
        place = self._place(part)
        if again:
            place /= f"again-{again}" + (f"-assistant-{more}" if more else "")
        lessons = self.lessons
        if self.assistant is not None:
            lessons = distil.live(self.assistant, self._training_set(seed))
        outcome = loop.train(smaller, self._training(part.recipe, seed, place, lessons))
        detail = f"distilled, {len(outcome.history)} epochs, best {outcome.best_epoch + 1}"
        detail += f", its teacher tuned for {more} more" if more else ""
        detail += f", taught by {self.job.teacher.model.name}" if self.job.teacher is not None else ""
        self.steps.append(self._step("tuned", detail, smaller, outcome))
        return outcome

    def _taught(self, assistant: Model, epochs: int) -> Model:
        """A copy of the teacher assistant after ``epochs`` more of training by the uncompressed network."""
        if not epochs:
            return assistant
        copy = copy_of(assistant)
        recipe = Recipe(epochs=epochs, rate=1e-3, smoothing=0.0, decay=0.01)
        loop.train(copy, self._training(recipe, self.job.seed + AGAIN, self.job.folder / "assistant", self.lessons))
        return copy

    def _stopped(self, model: Model, steps: list[Step], reason: str) -> tuple[Model, list[Step]]:
        """The last model that was accurate enough, with the steps that led to it.

        Raises:
            BuildError: only the teacher is accurate enough.
        """
        if not any(step.kind == "tuned" for step in steps):
            raise BuildError(
                f"can't prune within max_accuracy_drop: {reason}", fix="allow a larger drop, or more steps"
            )
        unmet = self._cutter(self.job.seed).unmet(model)
        self.job.progress(f"{reason}: the round before it is kept, with {'; '.join(unmet) or 'all targets met'}")
        return model, steps

    def _step(self, kind: StepKind, detail: str, model: Model, outcome: loop.Outcome | None = None) -> Step:
        split = self.job.split
        return Step(
            kind=kind,
            detail=detail,
            parameters=model.count_params(),
            macs=count_macs(model),
            validation_accuracy=_accuracy(model, self.job.dataset, split.validation),
            accuracy=_accuracy(model, self.job.dataset, split.test),
            seconds=None if outcome is None else round(outcome.seconds, 1),
        )

    def _cutter(self, seed: int) -> Cutter:
        job = self.job
        return Cutter(budget=job.budget, measures=job.measures, lessons=self.lessons, seed=seed, progress=job.progress)

    def _training(self, recipe: Recipe, seed: int, place: Path, lessons: Epoch) -> Training:
        return Training(
            dataset=self.job.dataset,
            split=self.job.split,
            recipe=recipe,
            seed=seed,
            folder=place,
            progress=self.job.progress,
            epochs=lessons,
            best_by_loss=True,
        )

    def _training_set(self, seed: int) -> TrainingSet:
        return TrainingSet(self.job.dataset, self.job.split, seed)

    def _place(self, part: Round) -> Path:
        return self.job.folder / f"round-{part.number}"


def _accuracy(model: Model, dataset: Dataset, index: Index) -> float:
    return loop.score(model, as_input(dataset.images[index]), dataset.labels[index])[0]


def _fingerprint(models: Sequence[Model], budget: Budget | str) -> str:
    """Name the folder of one pruning, so that another teacher, budget or way of teaching doesn't use its rounds."""
    ways = (distil.SETS, distil.TRUST, distil.LIVE_MACS, distil.MIXTURE, plan.FETCH, plan.FETCH_NARROW, LARGEST_CUT)
    digest = hashlib.sha256(repr((budget, ways)).encode())
    if isinstance(budget, Budget) and budget.prices is not None:
        digest.update(budget.key.encode())
    for weight in (weight for model in models for weight in model.weights):
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()[:16]
