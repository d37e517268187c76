"""The pipeline behind ``harness build``: data -> network -> training -> compression -> export -> manifest.

Importing this module doesn't import TensorFlow, so the command line stays quick and works without the [train] extra.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.errors import ArtifactError, MissingExtraError, UsageError
from harness.core.files import check_folder
from harness.data import splits
from harness.data.dataset import Dataset, Split
from harness.data.registry import load_with_findings, summary
from harness.records import manifest as manifests
from harness.records.manifest import Artifact, Manifest, Step
from harness.tasks.record import split_record
from harness.training import material, unseen
from harness.training.export.measures import reference_file
from harness.training.job import Progress, TrainingJob, make
from harness.training.manifest_merge import kept_checks, with_trial
from harness.training.networks import registry
from harness.training.networks.registry import Network
from harness.training.options import BuildOptions

_NEEDED = ("tensorflow", "keras", "ai_edge_litert", "onnx", "onnxruntime", "tf2onnx")
#: Packages whose versions a manifest records: what is built depends on them.
LIBRARIES = ("tensorflow", "keras", "numpy", "ai-edge-litert", "tf2onnx", "onnx", "onnxruntime")


def ensure_extra() -> None:
    """Check that the packages for training are installed.

    Raises:
        MissingExtraError: a package is missing; the message names it and the pip command.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {', '.join(missing)}, which is not installed",
            fix=f"{Path(sys.executable).name} -m pip install -e '.[train]'",
        )


def build(options: BuildOptions, *, cache: Path, progress: Progress) -> list[Manifest]:
    """Train, compress and export networks; returns their manifests, which are stored too.

    With ``split='random'`` each network's files and manifest are written under ``models``. With ``subject`` all folds
    are trained and their accuracies stored in the manifest's ``cross_checks``; files are written only where the network
    has none yet (from the first fold trained). An interrupted training continues where it stopped.

    Args:
        options: the user's options.
        cache: folder for training state; can be deleted at any time.
        progress: receives lines to show.

    Raises:
        UsageError: unknown network, split or profile, unusable targets, or the [train] extra isn't installed.
        DataError: the data can't be used.
        BuildError: training, compression or export failed.
    """
    return [finish(jobs) for jobs in planned(options, cache=cache, progress=progress)]


def planned(options: BuildOptions, *, cache: Path, progress: Progress) -> list[list[TrainingJob]]:
    """The trainings of a build: for each network one job a seed and fold. Nothing is trained or written yet.

    Raises:
        UsageError, DataError: as :func:`build`.
    """
    networks = [registry.get(name) for name in options.names or registry.names()]
    options.check()
    if options.targets.given():
        _check_targets(networks, options)
    ensure_extra()
    check_folder(options.models, "--models")
    check_folder(cache, "HARNESS_CACHE")
    dataset, parts = _load(options, progress)
    return [_jobs(network, dataset, parts, options, cache=cache, progress=progress) for network in networks]


def finish(jobs: Sequence[TrainingJob]) -> Manifest:
    """Train the jobs of one network; returns its manifest, which is stored too. Jobs of a subject-disjoint split add
    their accuracies to a manifest that is there already.

    Raises:
        BuildError: training, compression or export failed.
    """
    return (_cross_validate if jobs[0].split.scheme == "subject" else _build_random)(jobs)


def _jobs(
    network: Network,
    dataset: Dataset,
    parts: Sequence[Split],
    options: BuildOptions,
    *,
    cache: Path,
    progress: Progress,
) -> list[TrainingJob]:
    """One job per seed and fold, with folds in order within each seed."""
    return [
        TrainingJob(
            network=network,
            dataset=dataset,
            split=part,
            profile=options.profile,
            seed=seed,
            models=options.models,
            cache=cache,
            progress=progress,
            targets=options.targets,
            task=options.task.name if options.task else None,
            examiner=options.examiner,
        )
        for seed in options.seeds()
        for part in parts
    ]


def _load(options: BuildOptions, progress: Progress) -> tuple[Dataset, list[Split]]:
    """The images, and one split for each fold."""
    if options.task is not None:
        return material.of_task(options.task, progress)
    dataset, findings = load_with_findings(options.data)
    for line in summary(dataset, findings):
        progress(line)
    people = len(set(dataset.subjects or ()))
    if options.split == "subject" and people and people <= options.folds:
        raise UsageError(f"folds {options.folds}: {dataset.name} has {people} people", fix=f"at most {people - 1}")
    return dataset, [
        splits.split(dataset, options.split, options.seed, fold=fold, folds=options.folds)
        for fold in options.chosen_folds()
    ]


def _check_targets(networks: Sequence[Network], options: BuildOptions) -> None:
    targets = options.targets
    targets.check()
    for network in networks:
        if network.pruned_from is None:
            pruned = [known.name for known in registry.NETWORKS if known.pruned_from is not None]
            raise UsageError(f"{network.name} isn't pruned, so no target fits it", fix=f"name {', '.join(pruned)}")
        replace(targets, cycles=None).budget(network.pruning, 1).check({"bytes": float, "latency_ratio": float})
    if targets.latency_ratio is not None:
        reference_file(registry.get(targets.reference).name, options.models)


def _build_random(jobs: Sequence[TrainingJob]) -> Manifest:
    """Write files from the first job; with several jobs, the accuracy of each training is recorded beside them."""
    first = jobs[0]
    record = _build_one(first)
    if len(jobs) == 1:
        return record
    unquantised = [step for step in record.chain if step.kind != "quantised"]
    record = with_trial(record, first, unquantised[-1])
    return _with_trials(record, jobs[1:])


def _cross_validate(jobs: Sequence[TrainingJob]) -> Manifest:
    """Train folds and record their accuracies beside earlier ones."""
    first = jobs[0]
    try:
        record = manifests.load(first.models, first.network.name)
    except ArtifactError:
        record = _build_one(first)
    return _with_trials(record, jobs)


def _with_trials(record: Manifest, jobs: Sequence[TrainingJob]) -> Manifest:
    for job in jobs:
        _, chain = make(job)
        record = with_trial(record, job, chain[-1])
    return record


def _build_one(job: TrainingJob) -> Manifest:
    return recorded(job, with_zeroed(job, exported(job)))


def exported(job: TrainingJob) -> Manifest:
    """Train a job's network and write its files below ``job.models``; returns its manifest, which isn't stored.

    Raises:
        BuildError: training, compression or export failed.
    """
    model, chain = make(job)
    from harness.training.export import package

    artifacts, confusion = package.export_all(
        model,
        job.models / job.network.name,
        package.ExportImages.of(job.dataset, job.split, calibration=job.calibration()),
        progress=job.progress,
    )
    artifacts = unseen.with_unseen(artifacts, job)
    last = chain[-1]
    return Manifest(
        name=job.network.name,
        title=job.network.title,
        citation=job.network.citation,
        classes=job.dataset.classes,
        parameters=last.parameters,
        macs=last.macs,
        seed=job.seed,
        profile=job.profile,
        split=split_record(
            job.split, dataset=job.dataset.name, sha256=job.dataset.sha256, synthetic=job.dataset.synthetic
        ),
        task=job.task,
        chain=(*chain, _quantised(last, artifacts)),
        artifacts=tuple(artifacts),
        confusion=confusion,
        libraries={name: _version(name) for name in LIBRARIES},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def recorded(job: TrainingJob, record: Manifest) -> Manifest:
    """Store the manifest of a job's files, together with earlier cross-checks that still hold; returns it as stored."""
    record = record.model_copy(update={"cross_checks": kept_checks(job, record.chain[-1].macs)})
    manifests.save(job.models, record)
    accuracies = ", ".join(f"{a.filename} {a.accuracy:.4f}" for a in record.artifacts)
    job.progress(f"{job.network.name}: accuracy on {len(job.split.test)} test images: {accuracies}")
    return record


def with_zeroed(job: TrainingJob, record: Manifest) -> Manifest:
    """The manifest with what zeroing single weights of its file would do, for networks that are compared with that.

    Latencies are measured for it, so nothing else should run.
    """
    from harness.training.export import zeroed

    if job.network.name not in zeroed.NETWORKS or job.task is not None:
        return record
    rows = zeroed.rows(job.models / job.network.name / zeroed.FILENAME, job.dataset, job.split)
    return record.model_copy(update={"zeroed": rows})


def _quantised(last: Step, artifacts: Sequence[Artifact]) -> Step:
    """The step from the last model to its int8 TFLite file."""
    int8 = next(artifact for artifact in artifacts if artifact.filename == "int8.tflite")
    return Step(
        kind="quantised",
        detail=f"TFLite int8: {int8.quantisation}",
        parameters=last.parameters,
        macs=last.macs,
        bytes=int8.bytes,
        accuracy=int8.accuracy,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
