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

from harness import manifest as manifests
from harness.data import sources, splits
from harness.data.dataset import Dataset, Split
from harness.errors import ArtifactError, MissingExtraError, UsageError
from harness.export import committed
from harness.fsio import write_atomic
from harness.job import Job, Progress, make
from harness.manifest import CrossCheck, Manifest, SplitRecord, Step, Trial
from harness.networks import registry

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
    data: str,
    split: str,
    profile: str,
    seed: int,
    folds: int,
    models: Path,
    cache: Path,
    progress: Progress,
    only_folds: Sequence[int] = (),
) -> list[Manifest]:
    """Train, compress and export networks; returns their manifests, which are stored too.

    With ``split='random'`` each network's files and manifest are written under ``models``. With ``subject`` all folds
    are trained and their accuracies stored in the manifest's ``cross_checks``; files are written only where the
    network has none yet (from the first fold trained). Training that was cut off goes on where it was.

    Args:
        names: of networks; empty for all.
        data: ``synthetic`` or a CK+ copy, as :func:`harness.data.sources.spec` writes it.
        split: ``random`` or ``subject``.
        profile: ``quick`` or ``full``.
        seed: of the split, the weights, augmentation and dropout.
        folds: of the subject-disjoint cross-validation.
        models: folder the results go to.
        cache: folder for training state; can be deleted at any time.
        progress: gets lines to show.
        only_folds: train these (from 0) instead of all: folds share nothing, so each can be made elsewhere or later.

    Raises:
        UsageError: unknown network, split or profile, or the [train] extra isn't installed.
        DataError: the data can't be used.
        BuildError: training, compression or export failed.
    """
    networks = [registry.get(name) for name in names or registry.names()]
    chosen = _chosen(split, folds, only_folds)
    ensure_extra()
    dataset, findings = sources.load_with_findings(data)
    for line in sources.summary(dataset, findings):
        progress(line)
    done = []
    for network in networks:
        parts = [splits.split(dataset, split, seed, fold, folds) for fold in chosen]
        jobs = [Job(network, dataset, part, profile, seed, models, cache, progress) for part in parts]
        done.append(_cross_validate(jobs) if split == "subject" else _build_one(jobs[0]))
    write_atomic(models / ".gitignore", committed.gitignore(models))
    return done


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


def _build_one(job: Job) -> Manifest:
    model, chain = make(job)
    from harness.export import package

    images, labels = job.dataset.images, job.dataset.labels
    artifacts, confusion = package.export_all(
        model,
        job.models / job.network.name,
        representative=images[job.split.train],
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
        cross_checks=_kept_checks(job),
        libraries={name: _version(name) for name in _VERSIONS},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    manifests.save(job.models, record)
    shown = ", ".join(f"{a.filename} {a.accuracy:.4f}" for a in artifacts)
    job.progress(f"{job.network.name}: accuracy on {len(job.split.test)} test images: {shown}")
    return record


def _cross_validate(jobs: Sequence[Job]) -> Manifest:
    """Train folds and record their accuracies beside those recorded earlier; folds share nothing."""
    first = jobs[0]
    trials = []
    for job in jobs:
        _, chain = make(job)
        fold, n_test = job.split.fold, len(job.split.test)
        trials.append(Trial(seed=job.seed, fold=fold, accuracy=chain[-1].accuracy or 0.0, n_test=n_test))
        first.progress(
            f"{job.network.name}: fold {fold + 1} of {job.split.folds}: accuracy {trials[-1].accuracy:.4f} on {n_test} "
            f"images of people never seen"
        )
    try:
        base = manifests.load(first.models, first.network.name)
    except ArtifactError:
        base = _build_one(first)
    record = base.model_copy(update={"cross_checks": _merged(base, first, trials)})
    manifests.save(first.models, record)
    return record


def _merged(base: Manifest, job: Job, trials: Sequence[Trial]) -> tuple[CrossCheck, ...]:
    """The manifest's cross-checks with these trials in; what was trained on other data is dropped."""
    kept = base.cross_checks if base.split.dataset_sha256 == job.dataset.sha256 else ()
    same = [c for c in kept if (c.scheme, c.folds, c.profile) == (job.split.scheme, job.split.folds, job.profile)]
    found = {(t.seed, t.fold): t for check in same for t in check.trials} | {(t.seed, t.fold): t for t in trials}
    mine = CrossCheck(
        scheme="subject",
        folds=job.split.folds,
        profile=job.profile,
        trials=tuple(found[key] for key in sorted(found)),
    )
    return (*(check for check in kept if check not in same), mine)


def _kept_checks(job: Job) -> tuple[CrossCheck, ...]:
    """Cross-validation done earlier on the same data stays in the manifest."""
    try:
        before = manifests.load(job.models, job.network.name)
    except ArtifactError:
        return ()
    return before.cross_checks if before.split.dataset_sha256 == job.dataset.sha256 else ()


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


def _main() -> None:
    root = Path(__file__).resolve().parent.parent
    options = {"split": "random", "profile": "full", "data": "synthetic"}
    names = []
    for word in sys.argv[1:]:
        key, _, value = word.removeprefix("--").partition("=")
        if value:
            options[key] = value
        else:
            names.append(word)
    build(
        names,
        data=options["data"],
        split=options["split"],
        profile=options["profile"],
        seed=int(options.get("seed", "0")),
        folds=int(options.get("folds", "10")),
        models=Path(options.get("models", str(root / "models"))),
        cache=Path(options.get("cache", str(Path.home() / ".cache" / "harness" / "train"))),
        progress=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    _main()
