"""The command line. The only place that exits; heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import __version__
from harness.core.errors import EmulatorError, HarnessError, UsageError
from harness.core.safetext import plain, print_anything

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Edge benchmarking harness: which network, on which board, how fast and how right?",
)
emulate_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The QEMU boards by themselves.")
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Data sets.")
app.add_typer(emulate_app, name="emulate")
app.add_typer(data_app, name="data")

Devices = Annotated[Path, typer.Option("--devices", help="The device list.", show_default=True)]
Results = Annotated[Path, typer.Option("--results", help="Where runs are kept.")]
Models = Annotated[Path, typer.Option("--models", help="Where artifacts are.")]
Frames = Annotated[str, typer.Option(help="Of CK+'s official tree: last3 (of each sequence) or peak.")]
Crop = Annotated[str, typer.Option(help="Of CK+'s official tree: auto, opencv or centre.")]
Many = Annotated[list[str] | None, typer.Option()]


def _split(values: list[str] | None) -> tuple[str, ...]:
    """Options that repeat may also be comma lists."""
    return tuple(part.strip() for value in values or [] for part in value.split(",") if part.strip())


def _whole(values: list[str] | None, option: str, least: int, most: int) -> tuple[int, ...]:
    """Whole numbers of an option that repeats or is a comma list."""
    try:
        found = tuple(int(part) for part in _split(values))
    except ValueError as error:
        raise UsageError(f"--{option}: {error}", fix=f"--{option} 1,2") from error
    if any(not least <= number <= most for number in found):
        raise UsageError(f"--{option}: from {least} to {most}")
    return found


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
    ] = False,
) -> None:
    del version  # its callback has left already
    if debug:
        os.environ["HARNESS_DEBUG"] = "1"


@app.command()
def run(
    devices: Devices = Path("devices.yaml"),
    model: Annotated[list[str] | None, typer.Option(help="Only these networks.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only these devices.")] = None,
    threads: Annotated[list[str] | None, typer.Option(help="Thread counts, instead of devices.yaml's.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only these variants: fp32, fp16, dynamic, int8.")] = None,
    resume: Annotated[str | None, typer.Option(help="Finish this run.")] = None,
    results: Results = Path("results"),
    models: Models = Path("models"),
    reports: Annotated[Path, typer.Option("--reports", help="Where the report goes.")] = Path("reports"),
    data: Annotated[str, typer.Option(help="'synthetic', or the CK+ copy the models were built with.")] = "synthetic",
    frames: Frames = "last3",
    crop: Crop = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="20 images instead of the whole split.")] = False,
    mlperf: Annotated[bool, typer.Option("--mlperf", help="Ten minutes a cell, as MLPerf SingleStream asks.")] = False,
    profile_ops: Annotated[bool, typer.Option("--profile-ops", help="Afterwards, time each operator.")] = False,
    accept_invalid: Annotated[
        bool, typer.Option("--accept-invalid", help="Exit 0 also where cells are INVALID, if none FAILED.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A machine-readable summary on stdout.")] = False,
) -> None:
    """Build what is missing, boot emulated boards, deploy, measure, store, report."""
    from harness.core.signals import Signals

    with Signals(leave=os._exit) as signals:
        from harness.cli.commands import run_command
        from harness.data.sources import spec
        from harness.run.plan import Options

        options = Options(
            _split(model), _split(variant), _whole(threads, "threads", 1, 256), _split(only), quick,
            spec(data, frames, crop), mlperf=mlperf, profile_ops=profile_ops,
        )  # fmt: skip
        code = run_command(
            devices, options, models=models, results=results, reports=reports, resume=resume, as_json=as_json,
            accept_invalid=accept_invalid, signals=signals,
        )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def report(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, or 'latest'.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where it goes.")] = Path("reports"),
    results: Results = Path("results"),
    plot: Annotated[list[str] | None, typer.Option(help="Only these figures.")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="svg, png.")] = None,
    history: Annotated[bool, typer.Option("--history", help="A page with all runs, one line per cell.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Make tables, plots and the HTML page again from stored results alone."""
    from harness.cli.commands import history_command, report_command

    if history:
        print_answer(history_command(results, out), as_json)
        return
    print_answer(report_command(runs or ["latest"], results, out, _split(plot), _split(formats)), as_json)


@app.command()
def build(
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
    from harness.cli.commands import build_command
    from harness.data.sources import spec
    from harness.training.compress.budget import Targets
    from harness.training.options import BuildOptions

    targets = Targets(
        macs=target_macs, bytes=target_bytes, latency_ratio=target_latency_ratio, reference=reference,
        max_accuracy_drop=max_accuracy_drop, method=importance,
    )  # fmt: skip
    options = BuildOptions(
        names=tuple(names or ()), data=spec(data, frames, crop), split=split, profile=profile, seed=seed, folds=folds,
        only_folds=tuple(_whole(fold, "fold", 0, 999)), repeats=repeats, targets=targets, models=models,
    )  # fmt: skip
    build_command(options)


@app.command()
def doctor(
    devices: Devices = Path("devices.yaml"),
    only: Annotated[list[str] | None, typer.Option(help="Only these devices.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Look for everything that makes a first run fail; each problem with its fix."""
    from harness.cli.commands import doctor_command

    raise typer.Exit(doctor_command(devices, _split(only), as_json=as_json))


@app.command()
def compare(
    run_a: str,
    run_b: str,
    gate: Annotated[str | None, typer.Option(help="Fail on a significant slowdown above this, e.g. 5%.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="What may differ on purpose: runtime, os.")] = None,
    results: Results = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", help="Also a page, compare.html, in this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Compare two runs statistically; with --gate, exit 1 on a significant slowdown or loss of accuracy, and where a
    cell that was VALID isn't any more, is gone, or can't be compared."""
    from harness.cli.commands import compare_command

    raise typer.Exit(compare_command(run_a, run_b, gate, results, allow=_split(allow), out=out, as_json=as_json))


@app.command()
def export(
    run_name: Annotated[str, typer.Argument(metavar="RUN")],
    fmt: Annotated[str, typer.Option("--format", help="csv, parquet or pytest-benchmark.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="A file instead of stdout.")] = None,
    results: Results = Path("results"),
) -> None:
    """Hand a run's results to other tools."""
    from harness.cli.commands import export_command

    export_command(run_name, fmt, out, results)


@emulate_app.command("up")
def emulate_up(
    boards: Annotated[list[str] | None, typer.Argument(help="Names from devices.yaml, or board families.")] = None,
    devices: Devices = Path("devices.yaml"),
    clock: Annotated[str | None, typer.Option(help="instructions or wall.")] = None,
) -> None:
    """Boot boards that stay up until 'emulate down'."""
    from harness.cli.commands import emulate_up_command

    emulate_up_command(boards or [], devices, clock)


@emulate_app.command("down")
def emulate_down(boards: Annotated[list[str] | None, typer.Argument(help="All when none is named.")] = None) -> None:
    """Switch boards off."""
    from harness.cli.commands import emulate_down_command

    emulate_down_command(boards or [])


@emulate_app.command("list")
def emulate_list(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show the boards that are up."""
    from harness.cli.commands import emulate_list_command

    emulate_list_command(as_json=as_json)


@emulate_app.command("ssh", context_settings={"ignore_unknown_options": True})
def emulate_ssh(board: str, command: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Open a shell on a board that is up, or run a command there."""
    from harness.emulate import ssh_argv

    argv = ssh_argv(board)
    try:
        os.execvp(argv[0], [*argv, *(command or [])])  # noqa: S606
    except OSError as error:
        raise EmulatorError(f"{argv[0]} can't be started: {error.strerror}") from error


@data_app.command("check")
def data_check(
    path: Path,
    frames: Frames = "last3",
    crop: Crop = "auto",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say what a CK+ copy holds, which form it is, and what is wrong with it."""
    from harness.cli.commands import data_check_command

    raise typer.Exit(data_check_command(path, frames=frames, crop=crop, as_json=as_json))


def print_answer(answer: dict[str, Any], as_json: bool) -> None:
    """One JSON object, or the ``text`` in it."""
    print(json.dumps(answer) if as_json else answer["text"])


def main() -> None:
    """Entry point: every error becomes one line and an exit code."""
    _prepare_streams()
    print_anything()
    code = _outcome()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = max(_os_error(error), code)
    raise SystemExit(code)


def _outcome() -> int:
    """Run the command; its exit code."""
    try:
        app()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except HarnessError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        _say_error(str(error))
        if "--json" in sys.argv[1:]:
            _say_json(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say_error("interrupted")
        return 130
    except OSError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        return _os_error(error)
    return 0


_STDOUT = "standard output"


def _say_json(error: HarnessError) -> None:
    """``--json`` is one JSON object also where a command came to nothing; one that was printed already is enough."""
    with contextlib.suppress(OSError):  # said when the program ends
        sys.stdout.flush()
        raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
        if not getattr(raw, "used", False):
            print(json.dumps({"error": {"code": error.code, "message": error.message, "fix": error.fix}}))


class _Stdout(io.FileIO):
    """File 1, whose errors say that they are about it."""

    #: something was written
    used = False

    def write(self, data: Any, /) -> int:
        try:
            self.used = True
            return super().write(data)
        except OSError as error:
            error.filename = _STDOUT
            raise


def _prepare_streams() -> None:
    """Have three streams, whatever we were started with.

    Python has None for one that is closed: then print() says nothing and all seems well, what is meant for stderr goes
    to stdout, and the next file that is opened takes the number.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        if number == 1:  # opened for reading: whatever is written there fails, and is noticed
            os.dup2(os.open(os.devnull, os.O_RDONLY), number)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    before = sys.stdout
    if before is None or before is sys.__stdout__:
        if before is not None:
            before.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Stdout(1, "w", closefd=False)), encoding=before.encoding if before else "utf-8",
            errors="replace",  # a name that a terminal's encoding hasn't got costs no result
            line_buffering=before is not None and before.line_buffering,
            write_through=before is not None and before.write_through,
        )  # fmt: skip


def _os_error(error: OSError) -> int:
    """One line on what no room has mapped; the exit code. A reader that has enough, like head, needs no message."""
    ours = error.filename == _STDOUT
    if not (ours and error.errno == errno.EPIPE):
        closed = ours and error.errno == errno.EBADF
        _say_error(f"{error.filename or 'a file'}: {'closed' if closed else error.strerror or error}")
    if ours:
        with contextlib.suppress(OSError, ValueError):
            # what is left in the buffer would fail again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _say_error(message: str) -> None:
    with contextlib.suppress(OSError):
        print(plain(f"harness: {message}"), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
