"""``harness report``: tables, plots and pages from stored results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, Results, split
from harness.cli.output import print_answer, say
from harness.core.files import check_folder

if TYPE_CHECKING:
    from harness.results.storage import Storage


def report(  # one parameter an option
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, or 'latest'.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where it goes.")] = Path("reports"),
    results: Results = "results",
    plot: Annotated[list[str] | None, typer.Option(help="Only these figures.")] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="svg, png.")] = None,
    history: Annotated[bool, typer.Option("--history", help="A page with all runs, one line per cell.")] = False,
    as_json: Json = False,
) -> None:
    """Make tables, plots and the HTML page again from stored results alone."""
    if history:
        print_answer(_history(results, out), as_json)
        return
    made = make_report(runs or ["latest"], results, out, plots=split(plot), formats=split(formats))
    print_answer(made, as_json)


def make_report(
    runs: Sequence[str],
    results: str | Path | Storage,
    out: Path,
    *,
    plots: Sequence[str] = (),
    formats: Sequence[str] = (),
) -> dict[str, object]:
    """Make a report; the answer names the results: ``text``, ``index`` and ``tables``.

    Args:
        runs: names under ``results``, or paths.
        results: where runs are kept.
        plots, formats: all figures, and both SVG and PNG, where none are named.

    Raises:
        UsageError, StoreError, ReportError: it can't be made.
    """
    from harness.report import render
    from harness.results import storage

    check_folder(out, "--out")
    place = storage.at(results, say)
    folders = [place.find_run(name) for name in runs]
    processes = len(os.sched_getaffinity(0))
    made = render(folders, out, plots=plots or None, formats=formats or ("svg", "png"), processes=processes)
    index = str(made.index or out)
    return {"text": f"report: {index}", "index": index, "tables": [str(table) for table in made.tables]}


def _history(results: str, out: Path) -> dict[str, object]:
    """The page with one line per cell over all runs."""
    from harness.report import render_history
    from harness.results import storage

    check_folder(out, "--out")
    page = str(render_history(storage.at(results, say).list_runs(), out).index)
    return {"text": f"history: {page}", "index": page}


COMMAND = report
