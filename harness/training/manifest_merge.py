"""Adds trainings of other folds and seeds to those that a network's manifest already has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.core.errors import ArtifactError
from harness.records import manifest as manifests
from harness.records.manifest import CrossCheck, Manifest, Step, Trial
from harness.training.job import TrainingJob


def with_trial(record: Manifest, job: TrainingJob, last: Step) -> Manifest:
    """The manifest with one training's accuracy added. It is stored at once, since the next training may take hours.

    Args:
        last: the training's last step.
    """
    fold, n_test = job.split.fold, len(job.split.test)
    trial = Trial(seed=job.seed, fold=fold, accuracy=last.accuracy or 0.0, n_test=n_test)
    who = (
        f"fold {fold + 1} of {job.split.folds}, people never seen" if job.split.scheme == "subject" else "random split"
    )
    job.progress(f"{job.network.name}: seed {job.seed}, {who}: accuracy {trial.accuracy:.4f} on {n_test} images")
    if not _same_size(record.macs, last.macs):
        job.progress(
            f"{job.network.name}: its files are of another size ({record.macs:,} MACs, this training "
            f"{last.macs:,}); build them again with --split random"
        )
    record = record.model_copy(update={"cross_checks": merged(record, job, [trial])})
    manifests.save(job.models, record)
    return record


def merged(base: Manifest, job: TrainingJob, trials: Sequence[Trial]) -> tuple[CrossCheck, ...]:
    """The manifest's cross-checks with these trials added; trainings on other data are dropped."""
    kept = base.cross_checks if _data(base) == job.dataset.sha256 else ()
    same = [c for c in kept if (c.scheme, c.folds, c.profile) == (job.split.scheme, job.split.folds, job.profile)]
    earlier = {(trial.seed, trial.fold): trial for check in same for trial in check.trials}
    by_place = earlier | {(trial.seed, trial.fold): trial for trial in trials}
    check = CrossCheck(
        scheme=_scheme(job.split.scheme),
        folds=job.split.folds,
        profile=job.profile,
        trials=tuple(by_place[place] for place in sorted(by_place)),
    )
    return (*(other for other in kept if other not in same), check)


def kept_checks(job: TrainingJob, macs: int) -> tuple[CrossCheck, ...]:
    """Earlier cross-checks of the manifest that still hold for a network of ``macs`` multiply-accumulates.

    Trials on the same data with a network of the same size are kept; those on a random split only where the split is
    the same.
    """
    try:
        before = manifests.load(job.models, job.network.name)
    except ArtifactError:
        return ()
    if _data(before) != job.dataset.sha256 or not _same_size(before.macs, macs):
        return ()
    same_split = before.split is not None and before.split.sha256 == job.split.sha256
    return tuple(check for check in before.cross_checks if check.scheme == "subject" or same_split)


def _scheme(scheme: str) -> Literal["random", "subject"]:
    return "random" if scheme == "random" else "subject"


def _data(record: Manifest) -> str | None:
    return record.split.dataset_sha256 if record.split else None


def _same_size(macs: int | None, other: int) -> bool:
    """Whether two trainings are of one network, although pruning with another seed ends at slightly other widths."""
    return macs is not None and abs(macs - other) <= 0.1 * macs
