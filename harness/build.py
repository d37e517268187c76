"""The pipeline behind ``harness build``: data -> network -> training -> compression -> export -> manifest.

Importing this module doesn't import TensorFlow, so the command line stays quick and works without the [train] extra.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import manifest as manifests
from harness.data import sources, splits
from harness.data.dataset import Dataset, Split
from harness.errors import ArtifactError, MissingExtraError
from harness.export import committed
from harness.fsio import write_atomic
from harness.manifest import CrossCheck, Manifest, SplitRecord, Step
from harness.networks import registry
from harness.networks.registry import Network

if TYPE_CHECKING:
    from harness.train.loop import Outcome

_NEEDED = ("tensorflow", "keras", "ai_edge_litert", "onnx", "onnxruntime", "tf2onnx")
_VERSIONS = ("tensorflow", "keras", "numpy", "ai-edge-litert", "tf2onnx", "onnx", "onnxruntime")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """Everything one network's build depends on."""

    network: Network
    dataset: Dataset
    split: Split
    profile: str
    seed: int
    models: Path
    cache: Path
    progress: Progress

    def folder(self, name: str | None = None) -> Path:
        """Where a network's training state for this split, seed and profile is kept."""
        part = f"{self.split.scheme}-{self.seed}-{self.split.fold}-{self.profile}"
        return self.cache / (name or self.network.name) / part


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
) -> list[Manifest]:
    """Train, compress and export networks; returns their manifests, which are stored too.

    With ``split='random'`` each network's files and manifest are written under ``models``. With ``subject`` all folds
    are trained and their accuracies stored in the manifest's ``cross_checks``; files are written only where the
    network has none yet (from fold 0). Training that was cut off goes on where it was.

    Args:
        names: of networks; empty for all.
        data: ``synthetic`` or the path of a CK+ copy.
        split: ``random`` or ``subject``.
        profile: ``quick`` or ``full``.
        seed: of the split, the weights, augmentation and dropout.
        folds: of the subject-disjoint cross-validation.
        models: folder the results go to.
        cache: folder for training state; can be deleted at any time.
        progress: gets lines to show.

    Raises:
        UsageError: unknown network, split or profile, or the [train] extra isn't installed.
        DataError: the data can't be used.
        BuildError: training, compression or export failed.
    """
    networks = [registry.get(name) for name in names or registry.names()]
    ensure_extra()
    dataset = sources.load(data)
    done = []
    for network in networks:
        parts = [splits.split(dataset, split, seed, fold, folds) for fold in range(folds if split == "subject" else 1)]
        jobs = [Job(network, dataset, part, profile, seed, models, cache, progress) for part in parts]
        done.append(_cross_validate(jobs) if split == "subject" else _build_one(jobs[0]))
    write_atomic(models / ".gitignore", committed.gitignore(models))
    return done


def _build_one(job: Job) -> Manifest:
    model, chain = _make(job)
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


def _make(job: Job) -> tuple[Any, list[Step]]:
    """The finished Keras model of a job and the chain of steps that led to it."""
    if job.network.pruned_from is None:
        return train_network(job, job.network)
    from harness.compress import pipeline

    teacher, chain = train_network(job, registry.get(job.network.pruned_from))
    pruned, steps = pipeline.prune(
        teacher,
        job.dataset,
        job.split,
        profile=job.profile,
        seed=job.seed,
        folder=job.folder(),
        progress=job.progress,
    )
    return pruned, [*chain, *steps]


def train_network(job: Job, network: Network) -> tuple[Any, list[Step]]:
    """Train a network from nothing (or go on with what the cache has); the model and its first step."""
    import keras

    from harness.networks.macs import count_macs
    from harness.train import loop
    from harness.train.recipe import recipe_for

    keras.utils.set_random_seed(job.seed)
    model = network.build(len(job.dataset.classes))
    macs = count_macs(model)
    recipe = recipe_for(job.profile, macs)
    outcome = loop.train(
        model,
        job.dataset,
        job.split,
        recipe,
        seed=job.seed,
        folder=job.folder(network.name),
        progress=job.progress,
    )
    return model, [_trained(job, model, macs, outcome)]


def _trained(job: Job, model: Any, macs: int, outcome: Outcome) -> Step:
    from harness.train import loop

    test = job.split.test
    accuracy, _ = loop.score(model, loop.as_input(job.dataset.images[test]), job.dataset.labels[test])
    return Step(
        kind="trained",
        detail=f"{model.name}: {len(outcome.history)} epochs, best {outcome.best_epoch + 1}",
        parameters=model.count_params(),
        macs=macs,
        validation_accuracy=outcome.validation_accuracy,
        accuracy=accuracy,
        seconds=round(outcome.seconds, 1),
    )


def _cross_validate(jobs: Sequence[Job]) -> Manifest:
    """Train every fold; folds share nothing, so a cut-off run goes on with the first that isn't finished."""
    first = jobs[0]
    accuracies = []
    for job in jobs:
        _, chain = _make(job)
        accuracies.append(chain[-1].accuracy or 0.0)
        first.progress(f"{job.network.name}: fold {job.split.fold + 1}/{len(jobs)} accuracy {accuracies[-1]:.4f}")
    try:
        base = manifests.load(first.models, first.network.name)
    except ArtifactError:
        base = _build_one(first)
    check = CrossCheck(
        scheme="subject",
        seeds=(first.seed,),
        folds=len(jobs),
        accuracies=tuple(accuracies),
        profile=first.profile,
    )
    others = tuple(c for c in base.cross_checks if (c.scheme, c.seeds) != (check.scheme, check.seeds))
    record = base.model_copy(update={"cross_checks": (*others, check)})
    manifests.save(first.models, record)
    return record


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
