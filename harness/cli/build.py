"""``harness build``: networks trained, compressed and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Crop, Frames, Models, whole
from harness.cli.output import check_places, say
from harness.core.paths import cache_dir

if TYPE_CHECKING:
    from harness.data.spec import DataSpec


@dataclass(frozen=True)
class BuildRequest:
    """How networks are built; ``targets`` are fields of :class:`harness.training.compress.budget.Targets`."""

    data: DataSpec
    split: str = "random"
    profile: str = "full"
    seed: int = 0
    folds: int = 1
    only_folds: tuple[int, ...] = ()
    repeats: int = 1
    targets: Mapping[str, object] = field(default_factory=dict)


def build(  # one parameter an option
    names: Annotated[list[str] | None, typer.Argument(help="Networks; all when none is named.")] = None,
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
    reference: Annotated[str, typer.Option(help="Whose int8.tflite a latency ratio is of.")] = "mobilenet-v3-small",
    max_accuracy_drop: Annotated[
        float | None, typer.Option(help="Pruned networks: validation accuracy to lose at most; 0.02: two points.")
    ] = None,
    importance: Annotated[str | None, typer.Option(help="What to prune by: taylor, bn, l1 or slimming.")] = None,
    models: Models = Path("models"),
    frames: Frames = "last3",
    crop: Crop = "auto",
) -> None:
    """Train, compress and export networks. Needs the [train] extra."""
    from harness.data.registry import choose

    request = BuildRequest(
        data=choose(data, frames, crop),
        split=split,
        profile=profile,
        seed=seed,
        folds=folds,
        only_folds=whole(fold, "fold", 0, 999),
        repeats=repeats,
        targets={
            "macs": target_macs,
            "bytes": target_bytes,
            "latency_ratio": target_latency_ratio,
            "reference": reference,
            "max_accuracy_drop": max_accuracy_drop,
            "method": importance,
        },
    )
    build_networks(names or [], models, request)


def build_networks(names: Sequence[str], models: Path, request: BuildRequest) -> None:
    """Build networks into the folder ``models``, all where none is named, and print what was made.

    Raises:
        MissingExtraError: the [train] extra is not installed.
        UsageError, DataError, BuildError: they can't be built.
    """
    from harness.training import pipeline
    from harness.training.compress.budget import Targets

    pipeline.ensure_extra()
    check_places(models=models)
    made = pipeline.build(
        names, data=request.data, split=request.split, profile=request.profile, seed=request.seed, folds=request.folds,
        models=models, cache=cache_dir() / "build", progress=say, only_folds=request.only_folds,
        repeats=request.repeats, targets=Targets(**request.targets),  # type: ignore[arg-type]
    )  # fmt: skip
    for manifest in made:
        for artifact in manifest.artifacts:
            print(f"{manifest.name}/{artifact.filename}: accuracy {artifact.accuracy:.2%}, {artifact.bytes} bytes")


COMMAND = build
