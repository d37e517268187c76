"""``harness reproduce``: the paper's whole experiment on one's own copy of CK+."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Crop, Frames, one_of, split, whole
from harness.cli.output import check_places, say
from harness.core.errors import DataError

if TYPE_CHECKING:
    from harness.data.dataset import Dataset
    from harness.data.spec import DataSpec
    from harness.reproduce.places import Begun, Profile
    from harness.reproduce.stages import Experiment, Stage
    from harness.training.pace import Pace

PROFILES: tuple[Profile, ...] = ("quick", "full")


def reproduce(  # one parameter an option
    data: Annotated[str, typer.Option(help="The path of a CK+ copy, in any of its forms.")],
    profile: Annotated[str, typer.Option(help="full; quick is a look, and its numbers are no claim.")] = "full",
    out: Annotated[Path, typer.Option("--out", help="Where everything goes.")] = Path("reproduction"),
    model: Annotated[
        list[str] | None, typer.Option(help="Only these networks, and those they are pruned from.")
    ] = None,
    fold: Annotated[
        list[str] | None, typer.Option(help="Folds of the subject-disjoint split, from 0; repeat or comma list.")
    ] = None,
    frames: Frames = "last3",
    crop: Crop = "auto",
) -> None:
    """Verify the paper on a CK+ copy: train, prune, quantise, rivals, measure here, claims page. The same command goes
    on after an interruption. Needs the [train] extra.
    """
    from harness.data.registry import choose
    from harness.reproduce.places import Places
    from harness.reproduce.stages import Experiment, chosen_folds, networks, why_no_folds
    from harness.training.pipeline import ensure_extra

    ensure_extra()
    known = one_of(profile, "profile", PROFILES)
    chosen = networks(known, split(model))
    folds = whole(fold or ["0"], "fold", 0, 999)
    spec = _with_whole_path(choose(data, frames, crop))
    places = Places(out.absolute())
    check_places(out=places.root)
    dataset = _checked(spec)
    if why := why_no_folds(dataset):
        say(why)
    experiment = Experiment(
        dataset=dataset,
        profile=known,
        networks=chosen,
        folds=chosen_folds(dataset, folds),
        places=places,
        progress=say,
    )
    stages = experiment.stages()
    with places.opened(dataset, known) as begun:
        try:
            _train(experiment, stages, begun)
        except KeyboardInterrupt:
            say(f"interrupted; what is trained is kept in {places.root}. The same command goes on from there")
            raise typer.Exit(130) from None
        code = _measure(experiment, spec)
    raise typer.Exit(code)


COMMAND = reproduce


def _with_whole_path(spec: DataSpec) -> DataSpec:
    """The same data by their whole path, so that the run can be resumed from another folder."""
    from harness.core.paths import expanded

    return spec if spec.path is None else replace(spec, path=str(expanded(Path(spec.path), "--data").absolute()))


def _checked(spec: DataSpec) -> Dataset:
    """The data set. Where it is refused, all findings about it are shown.

    Raises:
        DataError: it can't be used.
    """
    from harness.data.findings import render
    from harness.data.registry import check, load_with_findings, summary

    try:
        dataset, findings = load_with_findings(spec)
    except DataError:
        for line in render(check(spec)).splitlines():
            say(line)
        raise
    for line in summary(dataset, findings):
        say(line)
    complete = sum(findings.published.values())
    if complete and findings.images != complete:
        say(f"this copy has {findings.images} of {complete} images, so what comes out is not about the paper's data")
    return dataset


def _train(experiment: Experiment, stages: list[Stage], begun: Begun) -> None:
    """Say how long everything takes, then perform the stages that aren't done."""
    from harness.reproduce import forecast
    from harness.reproduce.measuring import cells_measured

    names = [network.name for network in experiment.networks]
    pending = [stage for stage in stages if not stage.done()]
    plan = forecast.lines(stages, pending, _pace(experiment, stages, begun) if pending else None)
    plan.append(forecast.measuring(len(names), 0 if pending else cells_measured(experiment.places, names)))
    say(f"profile {experiment.profile}, everything goes to {experiment.places.root}:")
    for text in [*forecast.words(plan), forecast.BASIS]:
        say(text)
    if experiment.profile == "quick":
        say("profile quick is a look: it trains too little for any number of it to be a claim")
    said_s = took_s = 0.0
    for number, (stage, line) in enumerate(zip(stages, plan, strict=False)):
        if stage not in pending:
            continue
        slower = took_s / said_s if said_s else 1.0  # as the stages before were
        here, all_s = line.left_s * slower, sum(each.left_s for each in plan[number:]) * slower
        place = f"[{number + 1}/{len(plan)}] {stage.title}"
        say(f"{place}: about {forecast.duration(here)}; with all that follows, {forecast.duration(all_s)}")
        started = time.monotonic()
        stage.perform()
        took = time.monotonic() - started
        said_s, took_s = said_s + line.left_s, took_s + took
        say(f"{place}: took {forecast.duration(took)}; said was {forecast.duration(here)}")


def _pace(experiment: Experiment, stages: list[Stage], begun: Begun) -> Pace:
    """The speed of this machine, measured once and kept."""
    from harness.reproduce import forecast
    from harness.training import pace

    wanted, here = forecast.timed_networks(stages), forecast.machine()
    if begun.pace is not None and begun.machine == here and begun.pace.rates.keys() >= {each.name for each in wanted}:
        return begun.pace
    say(f"timing a few training steps of {', '.join(each.name for each in wanted)}: up to a minute each")
    data = experiment.dataset
    found = pace.measure(wanted, len(data.classes), data.image_shape, progress=say)
    experiment.places.keep(begun.model_copy(update={"machine": here, "pace": found}))
    return found


def _measure(experiment: Experiment, spec: DataSpec) -> int:
    """Measure here and make the report; returns the exit code."""
    from harness.cli.run import Request, run_cells
    from harness.core.signals import Signals
    from harness.reproduce.measuring import run_to_resume
    from harness.results import storage
    from harness.run.options import Options

    places, names = experiment.places, tuple(network.name for network in experiment.networks)
    request = Request(
        devices=places.devices,
        models=places.models,
        results=storage.at(places.results),
        reports=places.reports,
        resume=run_to_resume(places, names),
        as_json=False,
        accept_invalid=False,
    )
    with Signals(leave=os._exit) as signals:
        code = run_cells(request, Options(models=names, data=spec), signals)
    if (claims := places.reports / "claims.html").exists():
        print(f"claims: {claims}")
    say("to measure the same files on boards:")
    say(
        f"  harness run --devices devices.yaml --models {places.models} --data {spec} --results {places.results} "
        f"--reports {places.reports}"
    )
    return code
