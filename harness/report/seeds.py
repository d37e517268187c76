"""Trainings of one network from several seeds: how much of an accuracy is chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.records.manifest import CrossCheck, Manifest, Trial

Scheme = Literal["random", "subject"]


@dataclass(frozen=True)
class Seeds:
    """Accuracy seed by seed, each over the same ``folds``; shares, in the order of the seeds."""

    seeds: tuple[int, ...]
    shares: tuple[float, ...]
    folds: frozenset[int]
    profile: str

    @property
    def mean(self) -> float:
        return sum(self.shares) / len(self.shares)

    @property
    def summary(self) -> str:
        """Mean and range, for people."""
        return (
            f"{self.mean:.1%} ({min(self.shares):.1%} to {max(self.shares):.1%}) over {len(self.seeds)} seeds".replace(
                "%", "\N{NO-BREAK SPACE}%"
            )
        )


def over_seeds(manifest: Manifest, scheme: Scheme) -> Seeds | None:
    """The cross-check with the most seeds, full trainings before quick ones; None unless at least two seeds share a
    fold. Folds that some seed lacks are left out, since they may be easier or harder than the others.
    """
    found = [each for check in manifest.cross_checks if check.scheme == scheme and (each := _of(check)) is not None]
    return max(found, key=lambda each: (each.profile == "full", len(each.seeds), len(each.folds)), default=None)


def _of(check: CrossCheck) -> Seeds | None:
    by_seed: dict[int, list[Trial]] = defaultdict(list)
    for trial in check.trials:
        by_seed[trial.seed].append(trial)
    shared = (
        frozenset.intersection(*(frozenset(t.fold for t in trials) for trials in by_seed.values())) if by_seed else ()
    )
    if len(by_seed) < 2 or not shared:
        return None
    shares = [share(trial for trial in by_seed[seed] if trial.fold in shared) for seed in sorted(by_seed)]
    return Seeds(tuple(sorted(by_seed)), tuple(shares), frozenset(shared), check.profile)


def share(trials: Iterable[Trial]) -> float:
    """The share of all their test images that were classified correctly."""
    every = list(trials)
    return sum(t.accuracy * t.n_test for t in every) / sum(t.n_test for t in every)
