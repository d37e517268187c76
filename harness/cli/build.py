"""``harness build``: networks trained, compressed and exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Crop, Frames, Models, On, Task, whole
from harness.cli.output import check_places, say
from harness.core.errors import UsageError
from harness.core.paths import cache_dir

if TYPE_CHECKING:
    from harness.records.manifest import Manifest
    from harness.training.compress.budget import Targets
    from harness.training.compress.pricing import Examiner
    from harness.training.options import BuildOptions


def build(  # one parameter an option
    names: Annotated[list[str] | None, typer.Argument(help="Networks; all when none is named.")] = None,
    task: Task = None,
    data: Annotated[str, typer.Option(help="'synthetic', or the path of a CK+ copy.")] = "synthetic",
    split: Annotated[str, typer.Option(help="random or subject.")] = "random",
    profile: Annotated[str, typer.Option(help="quick or full.")] = "full",
    seed: Annotated[int, typer.Option()] = 0,
    folds: Annotated[int, typer.Option(help="Folds of a subject-disjoint cross-validation.")] = 10,
    fold: Annotated[list[str] | None, typer.Option(help="Only these folds, from 0; repeat or comma list.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Trainings on the one split, with seeds from --seed on.")] = 1,
    target_macs: Annotated[float | None, typer.Option(help="Pruned networks: multiply-accumulates at most.")] = None,
    target_bytes: Annotated[float | None, typer.Option(help="Pruned networks: bytes of int8.tflite at most.")] = None,
    target_latency_ratio: Annotated[
        float | None, typer.Option(help="Pruned networks: int8 latency here over --reference's, at most.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Pruned networks: cycles@BOARD[/int8][=N], estimated cycles there as what channels cost."),
    ] = None,
    reference: Annotated[str, typer.Option(help="Whose int8.tflite a latency ratio is of.")] = "mobilenet-v3-small",
    max_accuracy_drop: Annotated[
        float | None, typer.Option(help="Pruned networks: validation accuracy to lose at most; 0.02: two points.")
    ] = None,
    importance: Annotated[str | None, typer.Option(help="What to prune by: taylor, bn, l1 or slimming.")] = None,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Train nothing: measure the files that are there on strangers.")
    ] = False,
    on: On = None,
    models: Models = Path("models"),
    frames: Frames = "last3",
    crop: Crop = "auto",
) -> None:
    """Train, compress and export networks. Needs the [train] extra, except for --unseen."""
    from harness.data.registry import choose
    from harness.tasks.task import chosen, models_folder
    from harness.training.compress.budget import CycleTarget, Targets
    from harness.training.options import BuildOptions

    asked = chosen(task, data)

    targets = Targets(
        macs=target_macs,
        bytes=target_bytes,
        latency_ratio=target_latency_ratio,
        reference=reference,
        max_accuracy_drop=max_accuracy_drop,
        method=importance,
        cycles=CycleTarget.parse(target) if target is not None else None,
    )
    options = BuildOptions(
        names=tuple(names or ()),
        data=choose(data, frames, crop),
        split=split,
        profile=profile,
        seed=seed,
        folds=folds,
        only_folds=whole(fold, "fold", 0, 999),
        repeats=repeats,
        targets=targets,
        models=models_folder(models, asked),
        task=asked,
        examiner=examiner_of(targets),
    )
    if unseen and on is not None:
        raise UsageError("--unseen trains nothing, so it needs no --on", fix="leave --on out")
    if unseen:
        measure_unseen(options)
    else:
        build_networks(options, on)


def examiner_of(targets: Targets) -> Examiner | None:
    """Whoever says what layers cost on the board that the targets name; None where they name none.

    Raises:
        UsageError: the targets don't go together, or cycles can't be estimated: no such board, or a program is missing.
    """

    targets.check()
    if targets.cycles is None:
        return None
    from harness.core.errors import BoardError
    from harness.run.examine import file_cycles

    try:
        return file_cycles(targets.cycles.board, say)
    except BoardError as error:
        raise UsageError(f"--target: {error.message}", fix=error.fix) from error


def measure_unseen(options: BuildOptions) -> None:
    """Measure files on strangers, put the accuracies into their manifests and print them.

    Raises:
        UsageError: an option is given that only a training could follow.
        ArtifactError, BuildError, MissingExtraError: they can't be measured.
    """
    from harness.training import unseen
    from harness.training.options import BuildOptions

    if options != BuildOptions(names=options.names, models=options.models):
        raise UsageError(
            "--unseen trains nothing, so it takes networks and --models alone", fix="leave the other options out"
        )
    check_places(models=options.models)
    for manifest in unseen.measure(options.models, options.names, progress=say):
        for artifact in manifest.artifacts:
            if artifact.unseen is not None:
                print(f"{manifest.name}/{artifact.filename}: accuracy {unseen.words(artifact.unseen)}")


def build_networks(options: BuildOptions, on: str | None = None) -> None:
    """Build networks, here or on a Dask cluster, and print the results.

    Raises:
        MissingExtraError: the [train] or the [cluster] extra is not installed.
        UsageError, ClusterError, DataError, BuildError: they can't be built.
    """
    from harness.training import pipeline
    from harness.training.sweep.build import build as build_on

    pipeline.ensure_extra()
    check_places(models=options.models)
    cache = cache_dir() / "build"
    if on is None:
        print_accuracies(pipeline.build(options, cache=cache, progress=say))
        return
    swept = build_on(options, on=on, cache=cache, progress=say)
    print_accuracies(swept.manifests)
    swept.check()


def print_accuracies(built: Sequence[Manifest]) -> None:
    """Print a line for each file."""
    for manifest in built:
        for artifact in manifest.artifacts:
            print(f"{manifest.name}/{artifact.filename}: accuracy {artifact.accuracy:.2%}, {artifact.bytes} bytes")


COMMAND = build
