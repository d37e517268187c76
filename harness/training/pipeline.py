"""The pipeline behind ``harness build``: data -> network -> training -> compression -> export -> manifest.

Importing this module doesn't import TensorFlow, so the command line stays quick and works without the [train] extra.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import ArtifactError, MissingExtraError, UsageError
from harness.core.files import check_folder, write_atomic
from harness.data import splits
from harness.data.dataset import Dataset, Split
from harness.data.registry import load_with_findings, summary
from harness.data.spec import DataSpec
from harness.records import manifest as manifests
from harness.records.manifest import CrossCheck, Manifest, SplitRecord, Step, Trial, Zeroed
from harness.training.compress.budget import AS_REGISTERED, Targets
from harness.training.export import committed
from harness.training.export.measures import reference_file
from harness.training.job import Job, Progress, make
from harness.training.networks import registry
from harness.training.networks.registry import Network
from harness.training.train.recipe import PROFILES

#: numpy and TensorFlow take 32 bits
MAX_SEED = (1 << 32) - 1
MAX_REPEATS = 1000
_NEEDED = ("tensorflow", "keras", "ai_edge_litert", "onnx", "onnxruntime", "tf2onnx")
_VERSIONS = ("tensorflow", "keras", "numpy", "ai-edge-litert", "tf2onnx", "onnx", "onnxruntime")


def ensure_extra() -> None:
    """Check that what training needs is installed.

    Raises:
        MissingExtraError: something isn't; names it and the pip command.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {', '.join(missing)}, which is not installed",
            fix=f"{Path(sys.executable).name} -m pip install -e '.[train]'",
        )


def build(
    names: Sequence[str],
    *,
    data: DataSpec,
    split: str,
    profile: str,
    seed: int,
    folds: int,
    models: Path,
    cache: Path,
    progress: Progress,
    only_folds: Sequence[int] = (),
    repeats: int = 1,
    targets: Targets = AS_REGISTERED,
) -> list[Manifest]:
    """Train, compress and export networks; returns their manifests, which are stored too.

    With ``split='random'`` each network's files and manifest are written under ``models``. With ``subject`` all folds
    are trained and their accuracies stored in the manifest's ``cross_checks``; files are written only where the
    network has none yet (from the first fold trained). Training that was cut off goes on where it was.

    Args:
        names: of networks; empty for all.
        data: which data set, and how to read it.
        split: ``random`` or ``subject``.
        profile: ``quick`` or ``full``.
        seed: of the split, and of the first training: weights, augmentation and dropout.
        folds: of the subject-disjoint cross-validation.
        models: folder the results go to.
        cache: folder for training state; can be deleted at any time.
        progress: gets lines to show.
        only_folds: train these (from 0) instead of all: folds share nothing, so each can be made elsewhere or later.
        repeats: trainings on the same split, with seeds ``seed``, ``seed + 1``...; files come from the first. More than
            one also puts trials of the random split into ``cross_checks``.
        targets: how small pruned networks are to become, where not as registered.

    Raises:
        UsageError: unknown network, split or profile, targets that make no sense, or the [train] extra isn't installed.
        DataError: the data can't be used.
        BuildError: training, compression or export failed.
    """
    networks = [registry.get(name) for name in names or registry.names()]
    _check_options(split, profile, seed, folds, repeats)
    chosen = _chosen(split, folds, only_folds)
    if targets.given():
        _check_targets(networks, targets, models)
    ensure_extra()
    check_folder(models, "--models")
    check_folder(cache, "HARNESS_CACHE")
    dataset, findings = load_with_findings(data)
    for line in summary(dataset, findings):
        progress(line)
    people = len(set(dataset.subjects or ()))
    if split == "subject" and people and people <= folds:
        raise UsageError(f"folds {folds}: {dataset.name} has {people} people", fix=f"at most {people - 1}")
    done = []
    for network in networks:
        parts = [splits.split(dataset, split, seed, fold, folds) for fold in chosen]
        jobs = [
            Job(network, dataset, part, profile, trained, models, cache, progress, targets)
            for trained in range(seed, seed + repeats)
            for part in parts
        ]
        done.append(_cross_validate(jobs) if split == "subject" else _build_random(jobs))
    write_atomic(models / ".gitignore", committed.gitignore(models))
    return done


def _check_options(split: str, profile: str, seed: int, folds: int, repeats: int) -> None:
    """What would be refused only after hours otherwise, or by a library in its own words."""
    if split not in splits.SCHEMES:
        raise UsageError(f"split '{split}' is unknown", fix=f"one of {', '.join(splits.SCHEMES)}")
    if profile not in PROFILES:
        raise UsageError(f"profile '{profile}' is unknown", fix="quick or full")
    if not 1 <= repeats <= MAX_REPEATS:
        raise UsageError(f"repeats {repeats}: at least 1 and at most {MAX_REPEATS}")
    if folds < (2 if split == "subject" else 1):
        raise UsageError(f"folds {folds}: at least 2")
    if not 0 <= seed <= MAX_SEED - repeats + 1:
        raise UsageError(f"seed {seed}: a whole number from 0 to {MAX_SEED}, that of the last repeat, too")


def _chosen(split: str, folds: int, only: Sequence[int]) -> Sequence[int]:
    """Which folds to train; the random split has one."""
    if split != "subject":
        if only:
            raise UsageError("only a subject-disjoint split has folds", fix="--split subject")
        return [0]
    wrong = sorted(set(only) - set(range(folds)))
    if wrong:
        raise UsageError(f"fold {wrong[0]} is not among 0 to {folds - 1}")
    return sorted(set(only)) or range(folds)


def _check_targets(networks: Sequence[Network], targets: Targets, models: Path) -> None:
    for network in networks:
        if network.pruned_from is None:
            pruned = [known.name for known in registry.NETWORKS if known.pruned_from is not None]
            raise UsageError(f"{network.name} isn't pruned, so no target fits it", fix=f"name {', '.join(pruned)}")
        targets.budget(network.pruning, 1).check({"bytes": float, "latency_ratio": float})
    if targets.latency_ratio is not None:
        reference_file(registry.get(targets.reference).name, models)


def _build_random(jobs: Sequence[Job]) -> Manifest:
    """Files from the first job; where there are more, what each training led to is recorded beside them."""
    first = jobs[0]
    record = _build_one(first)
    if len(jobs) == 1:
        return record
    tried = [step for step in record.chain if step.kind != "quantised"]
    record = _with_trial(record, first, tried[-1])
    for job in jobs[1:]:
        _, chain = make(job)
        record = _with_trial(record, job, chain[-1])
    return record


def _build_one(job: Job) -> Manifest:
    model, chain = make(job)
    from harness.training.export import package

    images, labels = job.dataset.images, job.dataset.labels
    artifacts, confusion = package.export_all(
        model,
        job.models / job.network.name,
        representative=job.calibration(),
        validation=images[job.split.validation],
        images=images[job.split.test],
        labels=labels[job.split.test],
        classes=len(job.dataset.classes),
        progress=job.progress,
    )
    int8 = next(a for a in artifacts if a.filename == "int8.tflite")
    last = chain[-1]
    chain.append(
        Step(
            kind="quantised",
            detail=f"TFLite int8: {int8.quantisation}",
            parameters=last.parameters,
            macs=last.macs,
            bytes=int8.bytes,
            accuracy=int8.accuracy,
        )
    )
    record = Manifest(
        name=job.network.name,
        title=job.network.title,
        citation=job.network.citation,
        classes=job.dataset.classes,
        parameters=last.parameters,
        macs=last.macs,
        seed=job.seed,
        profile=job.profile,
        split=_split_record(job.dataset, job.split),
        chain=tuple(chain),
        artifacts=tuple(artifacts),
        confusion=confusion,
        cross_checks=_kept_checks(job, last.macs),
        zeroed=_zeroed(job),
        libraries={name: _version(name) for name in _VERSIONS},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    manifests.save(job.models, record)
    shown = ", ".join(f"{a.filename} {a.accuracy:.4f}" for a in artifacts)
    job.progress(f"{job.network.name}: accuracy on {len(job.split.test)} test images: {shown}")
    return record


def _zeroed(job: Job) -> tuple[Zeroed, ...]:
    from harness.training.export import zeroed

    if job.network.name not in zeroed.NETWORKS:
        return ()
    return zeroed.rows(job.models / job.network.name / zeroed.FILENAME, job.dataset, job.split)


def _cross_validate(jobs: Sequence[Job]) -> Manifest:
    """Train folds and record their accuracies beside those recorded earlier; folds share nothing."""
    first = jobs[0]
    try:
        record = manifests.load(first.models, first.network.name)
    except ArtifactError:
        record = _build_one(first)
    for job in jobs:
        _, chain = make(job)
        record = _with_trial(record, job, chain[-1])
    return record


def _with_trial(record: Manifest, job: Job, last: Step) -> Manifest:
    """The manifest with one training's accuracy in, stored at once: the next training may take hours."""
    fold, n_test = job.split.fold, len(job.split.test)
    trial = Trial(seed=job.seed, fold=fold, accuracy=last.accuracy or 0.0, n_test=n_test)
    who = (
        f"fold {fold + 1} of {job.split.folds}, people never seen" if job.split.scheme == "subject" else "random split"
    )
    job.progress(f"{job.network.name}: seed {job.seed}, {who}: accuracy {trial.accuracy:.4f} on {n_test} images")
    if not _same_size(record.macs, last.macs):
        job.progress(f"{job.network.name}: its files are of another size ({record.macs:,} MACs, this training "
                     f"{last.macs:,}); build them again with --split random")  # fmt: skip
    record = record.model_copy(update={"cross_checks": _merged(record, job, [trial])})
    manifests.save(job.models, record)
    return record


def _same_size(macs: int, other: int) -> bool:
    """Whether two trainings are of one network: pruning with another seed ends at slightly other widths."""
    return abs(macs - other) <= 0.1 * macs


def _merged(base: Manifest, job: Job, trials: Sequence[Trial]) -> tuple[CrossCheck, ...]:
    """The manifest's cross-checks with these trials in; what was trained on other data is dropped."""
    kept = base.cross_checks if base.split.dataset_sha256 == job.dataset.sha256 else ()
    same = [c for c in kept if (c.scheme, c.folds, c.profile) == (job.split.scheme, job.split.folds, job.profile)]
    found = {(t.seed, t.fold): t for check in same for t in check.trials} | {(t.seed, t.fold): t for t in trials}
    mine = CrossCheck(
        scheme="random" if job.split.scheme == "random" else "subject",
        folds=job.split.folds,
        profile=job.profile,
        trials=tuple(found[key] for key in sorted(found)),
    )
    return (*(check for check in kept if check not in same), mine)


def _kept_checks(job: Job, macs: int) -> tuple[CrossCheck, ...]:
    """What was tried earlier on the same data, with a network of the same size, stays in the manifest; what was tried
    on a random split only where it is the same one."""
    try:
        before = manifests.load(job.models, job.network.name)
    except ArtifactError:
        return ()
    if before.split.dataset_sha256 != job.dataset.sha256 or not _same_size(before.macs, macs):
        return ()
    same_split = before.split.sha256 == job.split.sha256
    return tuple(check for check in before.cross_checks if check.scheme == "subject" or same_split)


def _split_record(dataset: Dataset, split: Split) -> SplitRecord:
    return SplitRecord(
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        synthetic=dataset.synthetic,
        scheme="random" if split.scheme == "random" else "subject",
        seed=split.seed,
        fold=split.fold,
        folds=split.folds,
        n_train=len(split.train),
        n_validation=len(split.validation),
        n_test=len(split.test),
        subject_overlap=split.subject_overlap,
        sha256=split.sha256,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
