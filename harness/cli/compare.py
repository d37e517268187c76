"""``harness compare``: two runs against each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Json, Results, one_of, split
from harness.cli.output import say
from harness.core.errors import StoreError, UsageError
from harness.core.files import check_folder


def compare(  # one parameter an option
    run_a: str,
    run_b: str,
    gate: Annotated[str | None, typer.Option(help="Fail on a significant slowdown above this, e.g. 5%.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="What may differ on purpose: runtime, os.")] = None,
    results: Results = "results",
    out: Annotated[Path | None, typer.Option("--out", help="Also a page, compare.html, in this folder.")] = None,
    as_json: Json = False,
    form: Annotated[str, typer.Option("--format", help="text, json, github, bmf or badge.")] = "text",
) -> None:
    """Compare two runs statistically; with --gate, exit 1 on a significant slowdown or loss of accuracy, and where a
    cell that was VALID isn't any more, is gone, or can't be compared."""
    from harness.results import storage
    from harness.results.compare import compare, parse_gate
    from harness.results.comparison_formats.registry import FORMATS

    chosen = one_of("json" if as_json else form, "format", tuple(FORMATS))
    if as_json and form not in ("text", "json"):
        raise UsageError(f"--json and --format {form} are two forms", fix="leave one of them out")
    limit = parse_gate(gate) if gate is not None else None
    if out is not None:
        check_folder(out, "--out")
    place = storage.at(results, say)
    comparison = compare(place.find_run(run_a), place.find_run(run_b), limit, allow=split(allow))
    if out is not None:
        from harness.report import render_comparison

        say(f"page: {render_comparison(comparison, out).index}")
    output = FORMATS[chosen](comparison)
    print(output)
    if chosen == "github":
        _to_summary(output)
    raise typer.Exit(1 if comparison.tripped else 0)


def _to_summary(markdown: str) -> None:
    """Add the Markdown to the summary of a GitHub job, where this is one."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown + "\n")
        except OSError as error:
            raise StoreError(f"{summary}: the job's summary can't be written: {error.strerror or error}") from error


COMMAND = compare
