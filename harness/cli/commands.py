"""What the commands do, between the command line and the rooms: open, call, print, count the exit code."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.closing import again_argv, closing, summary
from harness.config import devices as config
from harness.config.devices import Fleet
from harness.core.errors import HarnessError, MissingModelError, ReportError, UsageError
from harness.core.files import check_folder, write_output
from harness.core.paths import cache_dir
from harness.core.safetext import plain
from harness.core.signals import Signals
from harness.records.cell import Clock
from harness.results import store
from harness.run.outcome import Outcome
from harness.run.plan import Options
from harness.run.scheduler import Run

if TYPE_CHECKING:
    from harness.boards.registry import BoardFamily
    from harness.results.compare import Comparison
    from harness.training.options import BuildOptions


def say(line: str) -> None:
    """A line for people: stderr, so that stdout stays for data."""
    print(plain(line), file=sys.stderr, flush=True)


def check_places(**folders: Path) -> None:
    """Look whether what a command writes at its end has a place, before it measures or trains for hours.

    Args:
        folders: by the options that named them; the cache is looked at besides.

    Raises:
        UsageError: files can't be put into one of them.
    """
    for option, folder in folders.items():
        check_folder(folder, f"--{option}")
    check_folder(cache_dir(), "the cache", fix="set HARNESS_CACHE to a folder of your own")


def run_command(
    devices: Path,
    options: Options,
    *,
    models: Path,
    results: Path,
    reports: Path,
    resume: str | None,
    as_json: bool,
    accept_invalid: bool,
    signals: Signals,
) -> int:
    """``harness run``; returns its exit code. Nothing is touched before ``signals`` are noted; until then, and while
    the report is made, they end the process at once."""
    fleet = config.load(devices)
    check_places(results=results, reports=reports)
    work = _planned(fleet, options, models, results, resume)
    for note in work.notes:
        say(note)
    again = again_argv(devices, models, results, reports, work.again)
    signals.last_words = f"interrupted; finished cells are stored. To go on:\n  {shlex.join(again)}\n"
    signals.noting = True
    outcome = _execute(work, signals)
    if outcome is None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say(signals.last_words.rstrip())
        return 130
    signals.noting = False
    code = 0 if outcome.all_valid or (accept_invalid and not outcome.failed) else 1
    if not as_json:
        print(plain_lines(closing(outcome, again)), flush=True)  # before the report: that may fail by itself
    found, problem = _reported(outcome, results, reports)
    if as_json:
        print(json.dumps({**summary(outcome, again), "report": found, "report_error": problem}))
    elif problem is None:
        print(f"report: {found}")
    if problem is not None:
        say(f"harness: the results are stored, but there is no report: {problem}")
        return 1
    return code


def _reported(outcome: Outcome, results: Path, reports: Path) -> tuple[str | None, str | None]:
    """Make the report of what was measured: (where it is, what went wrong)."""
    try:
        # by its folder: its name may be another run's under `results`
        return report_command([str(outcome.folder.absolute())], results, reports, (), ())["index"], None
    except HarnessError as error:
        return None, str(error)


def plain_lines(text: str) -> str:
    """What came from boards can't drive a terminal, but lines stay lines."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _planned(fleet: Fleet, options: Options, models: Path, results: Path, resume: str | None) -> Run:
    """Plan; networks asked for and not there are built first where the [train] extra is installed."""
    try:
        return Run(fleet, options, models=models, results=results, resume=resume)
    except MissingModelError as error:
        from harness.training.networks.registry import names

        known = set(names())
        # else they'd be built, for hours, into a folder so called
        if not models.exists() and known.issuperset(str(models).split(",")):
            raise UsageError(
                f"--models {models}: no such folder, but networks are called so",
                fix=f"harness run --model {models} (--models is where artifacts are)",
            ) from error
        if find_spec("tensorflow") is None or not known.issuperset(error.names):
            raise
        say(f"{error.message}; building")
        from harness.training.options import BuildOptions

        build_command(BuildOptions(names=tuple(error.names), data=options.data, models=models))
        return Run(fleet, options, models=models, results=results, resume=resume)


def _execute(work: Run, signals: Signals) -> Outcome | None:
    """Measure; None where that was interrupted."""
    from harness.cli.live import LiveWatcher, PlainWatcher

    watcher = LiveWatcher() if sys.stderr.isatty() else PlainWatcher()
    try:
        with watcher:
            outcome = work.execute(watcher, lambda: signals.noted)
    except KeyboardInterrupt:
        return None
    return None if signals.noted else outcome


def report_command(
    runs: Sequence[str], results: Path, out: Path, plots: Sequence[str], formats: Sequence[str]
) -> dict[str, Any]:
    """``harness report``; the paths of what was made."""
    from harness.report import render

    check_folder(out, "--out")
    folders = [store.find_run(results, name) for name in runs]
    made = render(folders, out, plots=plots or None, formats=formats or ("svg", "png"))
    index = str(made.index or out)
    return {"text": f"report: {index}", "index": index, "tables": [str(p) for p in made.tables]}


def build_command(options: BuildOptions) -> None:
    """``harness build``."""
    from harness.training.pipeline import build, ensure_extra

    ensure_extra()
    check_places(models=options.models)
    made = build(options, cache=cache_dir() / "build", progress=say)
    for manifest in made:
        for artifact in manifest.artifacts:
            print(f"{manifest.name}/{artifact.filename}: accuracy {artifact.accuracy:.2%}, {artifact.bytes} bytes")


def doctor_command(devices: Path, only: Sequence[str], *, as_json: bool) -> int:
    """``harness doctor``; 0 when nothing is wrong."""
    from harness.doctor.fleet import check_fleet, render

    findings = check_fleet(config.load(devices).only(list(only)))
    print(json.dumps(findings.to_json()) if as_json else render(findings))
    return 0 if findings.healthy else 1


def history_command(results: Path, out: Path) -> dict[str, Any]:
    """``harness report --history``: one line per cell over all runs."""
    from harness.report import render_history

    check_folder(out, "--out")
    page = str(render_history(store.list_runs(results), out).index)
    return {"text": f"history: {page}", "index": page}


def compare_command(
    run_a: str, run_b: str, gate: str | None, results: Path, *, allow: Sequence[str], out: Path | None, as_json: bool
) -> int:
    """``harness compare``; 1 where the gate trips."""
    from harness.results.compare import compare, parse_gate, to_json

    limit = parse_gate(gate) if gate is not None else None
    if out is not None:
        check_folder(out, "--out")
    outcome = compare(store.find_run(results, run_a), store.find_run(results, run_b), limit, allow=allow)
    if out is not None:
        from harness.report import render_comparison

        say(f"page: {render_comparison(outcome, out).index}")
    if as_json:
        print(json.dumps(to_json(outcome)))
    else:
        print("\n".join(comparison_lines(outcome)))
    return 1 if outcome.tripped else 0


def comparison_lines(outcome: Comparison) -> list[str]:
    """A comparison for a terminal: a line a cell, then the sums, then what trips the gate."""
    lines = [f"{outcome.b} against {outcome.a}" + (" (synthetic data)" if outcome.synthetic else "")]
    for pair in outcome.pairs:
        if pair.ratio is None:
            lines.append(f"refused  {pair.cell}: {'; '.join(pair.refused)}")
            continue
        interval = f"{pair.ratio.value:.4f} [{pair.ratio.low:.4f}, {pair.ratio.high:.4f}]"
        lines.append(
            f"{pair.verdict:8} {pair.cell}: {pair.median_a:.4g} -> {pair.median_b:.4g} {pair.unit}, ratio {interval}"
        )
    lines += [f"damaged  {file}" for file in outcome.unreadable]
    lines += [f"lost     {cell}: VALID only in {outcome.a}" for cell in outcome.lost]
    lines += [f"new      {cell}: only in {outcome.b}" for cell in outcome.new]
    lines.append(", ".join(f"{count} {name}" for name, count in outcome.counts().items()))
    lines += [f"note: {note}" for note in outcome.notes]
    lines += [f"GATE {reason}" for reason in outcome.reasons]
    if outcome.gate is not None and not outcome.tripped:
        watched = sum(not pair.refused for pair in outcome.pairs)
        lines.append(f"gate of {outcome.gate:.1%}: not tripped, {watched} cells watched")
    return [plain(line) for line in lines]


def export_command(run_name: str, fmt: str, out: Path | None, results: Path) -> None:
    """``harness export``."""
    from harness.results.formats import export

    content = export(store.find_run(results, run_name), fmt)
    if out is not None:
        write_output(out, content)
        return
    if fmt == "parquet" and sys.stdout.isatty():
        raise ReportError("Parquet is not for a terminal", fix="--out FILE")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def emulate_up_command(boards: Sequence[str], devices: Path, clock: str | None) -> None:
    """``harness emulate up``: names from devices.yaml, or families; all emulated devices when none is named."""
    from harness.boards.registry import FAMILIES
    from harness.emulate import up

    check_places()
    if clock not in (None, "instructions", "wall"):
        raise UsageError(f"--clock {clock}: is 'instructions' or 'wall'")
    known = {d.name: d for d in config.load(devices).devices if d.emulate} if devices.exists() else {}
    by_clock: dict[Clock, list[tuple[str, BoardFamily]]] = {}
    for name in boards or list(known):
        if name in known:
            family, wanted = known[name].family, known[name].effective_clock
        elif name in FAMILIES:
            family, wanted = FAMILIES[name], "instructions"
        else:
            raise UsageError(f"no board '{name}' to emulate (there: {', '.join([*known, *FAMILIES])})")
        by_clock.setdefault("wall" if (clock or wanted) == "wall" else "instructions", []).append((name, family))
    for ticking, wanted_boards in by_clock.items():
        for board in up(wanted_boards, clock=ticking, progress=say):
            print(f"{board.name}: up on 127.0.0.1:{board.port}; harness emulate ssh {board.name}")


def emulate_down_command(boards: Sequence[str]) -> None:
    """``harness emulate down``."""
    from harness.emulate import down, list_boards

    for name in down(list(boards) or None):
        print(f"{name}: down")
    for board in [] if boards else list_boards():
        say(f"{board.name}: left alone, it was booted in another container ({board.booted_on})")


def emulate_list_command(*, as_json: bool) -> None:
    """``harness emulate list``."""
    from harness.emulate import list_boards

    boards = list_boards()
    if as_json:
        print(json.dumps({"boards": [asdict(board) for board in boards]}))
        return
    for board in boards:
        where = "" if board.is_here() else f"\tin another container ({board.booted_on})"
        print(f"{board.name}\t{board.family}\t127.0.0.1:{board.port}\tpid {board.pid}\t{board.clock}{where}")


def data_check_command(path: Path, *, frames: str, crop: str, as_json: bool) -> int:
    """``harness data check``; 1 when something is an error."""
    from harness.data.ckplus import check, render, to_json
    from harness.data.sources import choices

    mode, cropping = choices(frames, crop)
    findings = check(path, mode=mode, crop=cropping)
    print(json.dumps(to_json(findings)) if as_json else render(findings))
    return 1 if findings.errors else 0
