"""``harness export``: results for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.core.errors import ReportError
from harness.core.files import write_output


def export(
    run_name: Annotated[str, typer.Argument(metavar="RUN")],
    fmt: Annotated[str, typer.Option("--format", help="csv, parquet or pytest-benchmark.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="A file instead of stdout.")] = None,
    results: Results = Path("results"),
) -> None:
    """Hand a run's results to other tools."""
    from harness.results import formats, store

    content = formats.export(store.find_run(results, run_name), fmt)
    if out is not None:
        write_output(out, content)
        return
    if fmt == "parquet" and sys.stdout.isatty():
        raise ReportError("Parquet is not for a terminal", fix="--out FILE")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


COMMAND = export
