"""The options of ``harness build``. Importing this module doesn't import TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UsageError
from harness.data import splits
from harness.data.spec import SYNTHETIC, DataSpec
from harness.tasks.task import Task
from harness.training.compress.budget import AS_REGISTERED, Targets
from harness.training.compress.pricing import Examiner
from harness.training.train.recipe import PROFILES

#: the limit of numpy and TensorFlow, 32 bits
MAX_SEED = (1 << 32) - 1
MAX_REPEATS = 1000


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """The options of a build: what, from which data, how, and where to.

    Attributes:
        names: of networks; empty for all.
        data: the data set, and how to read it.
        split: ``random`` or ``subject``.
        profile: ``quick`` or ``full``.
        seed: of the split, and of the first training: weights, augmentation and dropout.
        folds: of the subject-disjoint cross-validation.
        only_folds: train these (counted from 0) instead of all. Folds are independent, so each can be trained elsewhere
            or later.
        repeats: trainings on the same split, with seeds ``seed``, ``seed + 1``...; files come from the first. More than
            one also puts trials of the random split into ``cross_checks``.
        targets: the targets of pruned networks, where they differ from the registered sizes.
        models: folder for the results.
        examiner: says what layers cost on the board that ``targets.cycles`` names; None where it names none.
        task: whose data and split are taken instead of ``data``, ``split`` and ``folds``; None for a built-in one.
    """

    names: tuple[str, ...] = ()
    data: DataSpec = SYNTHETIC
    split: str = "random"
    profile: str = "full"
    seed: int = 0
    folds: int = 10
    only_folds: tuple[int, ...] = ()
    repeats: int = 1
    targets: Targets = AS_REGISTERED
    models: Path = Path("models")
    task: Task | None = None
    examiner: Examiner | None = None

    def check(self) -> None:
        """Check the options for errors that would otherwise appear only after hours, or in a library's own words.

        Raises:
            UsageError: an unknown split or profile, an unusable number, or a fold that doesn't exist.
        """
        if self.task is not None and (self.split != "random" or self.repeats != 1 or self.only_folds):
            raise UsageError(
                "a task's file says how its data are divided", fix="leave --split, --fold and --repeats out"
            )
        if self.split not in splits.SCHEMES:
            raise UsageError(f"split '{self.split}' is unknown", fix=f"one of {', '.join(splits.SCHEMES)}")
        if self.profile not in PROFILES:
            raise UsageError(f"profile '{self.profile}' is unknown", fix="quick or full")
        if not 1 <= self.repeats <= MAX_REPEATS:
            raise UsageError(f"repeats {self.repeats}: at least 1 and at most {MAX_REPEATS}")
        if self.folds < (2 if self.split == "subject" else 1):
            raise UsageError(f"folds {self.folds}: at least 2")
        if not 0 <= self.seed <= MAX_SEED - self.repeats + 1:
            raise UsageError(f"seed {self.seed}: a whole number from 0 to {MAX_SEED}, that of the last repeat, too")
        if self.split != "subject" and self.only_folds:
            raise UsageError("only a subject-disjoint split has folds", fix="--split subject")
        wrong = sorted(set(self.only_folds) - set(range(self.folds)))
        if wrong:
            raise UsageError(f"fold {wrong[0]} is not among 0 to {self.folds - 1}")

    def seeds(self) -> Sequence[int]:
        """Seeds of the trainings on one split."""
        return range(self.seed, self.seed + self.repeats)

    def chosen_folds(self) -> Sequence[int]:
        """The folds to train; the random split has one."""
        if self.split != "subject":
            return [0]
        return sorted(set(self.only_folds)) or range(self.folds)
