"""``harness run``: measure networks on boards."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.missing import build_missing
from harness.cli.options import (
    Crop,
    Devices,
    Frames,
    Models,
    On,
    Only,
    Results,
    Task,
    one_of,
    runtimes,
    share,
    split,
    whole,
)
from harness.cli.output import check_places, plain_lines, say
from harness.core.errors import HarnessError, MissingModelError, UsageError

if TYPE_CHECKING:
    from harness.config.devices import Fleet
    from harness.core.signals import Signals
    from harness.results.storage import Storage
    from harness.run.outcome import Outcome
    from harness.run.plan import Options
    from harness.run.scheduler import Run
    from harness.run.turns import Crew


#: A week.
MOST_MINUTES = 7 * 24 * 60.0


@dataclass(frozen=True)
class Request:
    """The inputs and outputs of a run, and its behaviour at the end."""

    devices: Path
    models: Path
    results: Storage
    reports: Path
    resume: str | None
    as_json: bool
    accept_invalid: bool
    on: str | None = None


def run(  # one parameter an option
    devices: Devices = Path("devices.yaml"),
    model: Annotated[
        list[str] | None, typer.Option(help="Only these networks; or model files, .tflite or .onnx, from anywhere.")
    ] = None,
    inputs: Annotated[Path | None, typer.Option(help="Your own inputs: a .npz file, one array for each input.")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Sizes of a model file's input with open ones: input=1x3x224x224.")
    ] = None,
    only: Only = None,
    threads: Annotated[list[str] | None, typer.Option(help="Thread counts, instead of devices.yaml's.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only these variants: fp32, fp16, dynamic, int8.")] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="Instead of devices.yaml's: litert, openvino, litert==2.1.0...")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Finish this run.")] = None,
    results: Results = "results",
    models: Models = Path("models"),
    reports: Annotated[Path, typer.Option("--reports", help="Where the report goes.")] = Path("reports"),
    task: Task = None,
    data: Annotated[str, typer.Option(help="'synthetic', or the CK+ copy the models were built with.")] = "synthetic",
    frames: Frames = "last3",
    crop: Crop = "auto",
    images: Annotated[
        str, typer.Option("--split", help="test: the artifacts' own test images; unseen: strangers.")
    ] = "test",
    quick: Annotated[bool, typer.Option("--quick", help="20 images instead of the whole split.")] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Processes a cell, spread over the run; 5 on the wall clock.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="More rounds until each interval is that narrow: 2% is 2 % up and down.")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Minutes a device has for --precision; 10.")] = None,
    mlperf: Annotated[bool, typer.Option("--mlperf", help="Ten minutes a cell, as MLPerf SingleStream asks.")] = False,
    profile_ops: Annotated[bool, typer.Option("--profile-ops", help="Afterwards, time each operator.")] = False,
    estimate: Annotated[
        bool | None, typer.Option("--estimate/--no-estimate", help="Estimate cycles, 1 thread, on emulated boards.")
    ] = None,
    accept_invalid: Annotated[
        bool, typer.Option("--accept-invalid", help="Exit 0 also where cells are INVALID, if none FAILED.")
    ] = False,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="A machine-readable summary on stdout.")] = False,
) -> None:
    """Build what is missing, boot emulated boards, deploy, measure, store, report."""
    from harness.core.signals import Signals

    with Signals(leave=os._exit) as signals:  # before the slow imports
        from harness.data.registry import choose
        from harness.modelfile.shapes import given
        from harness.results import storage
        from harness.run.plan import Options

        request = Request(
            devices=devices,
            models=models,
            results=storage.at(results, say),
            reports=reports,
            resume=resume,
            as_json=as_json,
            accept_invalid=accept_invalid,
            on=on,
        )
        options = Options(
            models=tuple(map(_absolute, split(model))),
            inputs=str(inputs.absolute()) if inputs else None,
            task=_task(task),
            shapes=tuple(given(shape or []).items()),
            variants=split(variant),
            runtimes=runtimes(runtime),
            threads=whole(threads, "threads", 1, 256),
            only=split(only),
            quick=quick,
            data=choose(data, frames, crop),
            mlperf=mlperf,
            profile_ops=profile_ops,
            estimate=estimate,
            rounds=rounds,
            precision=share(precision, "precision") if precision is not None else None,
            budget_s=_budget_s(budget, precision),
            split=one_of(images, "split", ("test", "unseen")),
        )
        code = run_cells(request, options, signals)
    raise typer.Exit(code)


COMMAND = run


def _budget_s(minutes: float | None, precision: str | None) -> float:
    """The seconds that a device has for ``--precision``.

    Raises:
        UsageError: there is no precision to reach, or the time is not one.
    """
    if minutes is None:
        return 600.0
    if precision is None:
        raise UsageError("--budget is the time for --precision, which is not given", fix="--precision 2%")
    if not 0 <= minutes <= MOST_MINUTES:
        raise UsageError(f"--budget {minutes:g}: from 0 to {MOST_MINUTES:.0f} minutes", fix="--budget 10")
    return minutes * 60


def _task(name: str | None) -> str | None:
    """A task's file with its whole path; a built-in task by its name.

    Raises:
        UsageError, ConfigError: there is no such task, or its file is wrong.
    """
    from harness.tasks.task import BUILT_IN, load

    return name if name is None or name in BUILT_IN else str(load(name).path.absolute())


def _absolute(word: str) -> str:
    """A file with its whole path, so that the run can be resumed from another folder; a name as it is."""
    from harness.modelfile import names_a_file

    return str(Path(word).absolute()) if names_a_file(word) else word


def run_cells(request: Request, options: Options, signals: Signals) -> int:
    """Plan, measure, report; returns the exit code. Nothing is touched before ``signals`` are recorded instead of
    ending the process. Until then, and while the report is made, a signal ends the process at once.
    """
    from harness.cli.closing import again_argv, closing
    from harness.cluster.connect import check_address
    from harness.config.devices import load

    if request.on is not None:
        check_address(request.on)
    fleet = load(request.devices)
    request.results.check()
    check_places(reports=request.reports)
    work = _planned(request, fleet, options)
    for note in work.notes:
        say(note)
    again = again_argv(
        devices=request.devices,
        models=request.models,
        results=request.results.address,
        reports=request.reports,
        run=work.again,
        on=request.on,
    )
    signals.last_words = f"interrupted; finished cells are stored. To go on:\n  {shlex.join(again)}\n"
    signals.noting = True
    outcome = _execute(work, signals, request.on)
    if outcome is None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(signals.last_words.rstrip())
        return 130
    signals.noting = False
    if not request.as_json:
        print(plain_lines(closing(outcome, again)), flush=True)  # before the report, which may fail by itself
    return _close(request, outcome, again)


def _planned(request: Request, fleet: Fleet, options: Options) -> Run:
    """Plan the run; requested networks that are missing are built first where the [train] extra is installed."""
    from harness.run.scheduler import Run

    try:
        return Run(fleet, options, models=request.models, results=request.results, resume=request.resume)
    except MissingModelError as error:
        build_missing(request.models, options, error)
        return Run(fleet, options, models=request.models, results=request.results, resume=request.resume)


def _execute(work: Run, signals: Signals, on: str | None) -> Outcome | None:
    """Measure, here or on a Dask cluster; None if it was interrupted."""
    from harness.cli.live import LiveWatcher, PlainWatcher

    watcher = LiveWatcher() if sys.stderr.isatty() else PlainWatcher()
    try:
        with _crew(on) as crew, watcher:
            outcome = work.execute(watcher, lambda: signals.noted, crew)
    except KeyboardInterrupt:
        return None
    return None if signals.noted else outcome


def _crew(on: str | None) -> contextlib.AbstractContextManager[Crew]:
    """Who measures: this process, or the workers of a cluster."""
    if on is None:
        from harness.run.turns import HERE

        return contextlib.nullcontext(HERE)
    from harness.run.workers.crew import on_cluster

    return on_cluster(on, say)


def _close(request: Request, outcome: Outcome, again: list[str]) -> int:
    """Make the report and print the run's outcome; returns the exit code."""
    from harness.cli.closing import summary

    report, problem = _reported(outcome, request)
    if request.as_json:
        print(json.dumps({**summary(outcome, again), "report": report, "report_error": problem}))
    elif problem is None:
        print(f"report: {report}")
    if problem is not None:
        say(f"harness: the results are stored, but there is no report: {problem}")
        return 1
    counts = outcome.all_valid or (request.accept_invalid and not outcome.failed)
    return 0 if counts and not outcome.waiting else 1


def _reported(outcome: Outcome, request: Request) -> tuple[str | None, str | None]:
    """Make the report of the measurements: (its path, its error)."""
    from harness.cli.report import make_report

    try:
        # by its folder, since `results` may hold another run of that name
        made = make_report([str(outcome.folder.absolute())], request.results, request.reports)
        return str(made["index"]), None
    except HarnessError as error:
        return None, str(error)
