"""``harness export``: results for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.cli.output import say
from harness.core.errors import ReportError, UsageError
from harness.core.files import check_folder, write_output

#: Not a file but a folder of many runs.
DATASET = "dataset"


def export(
    run_name: Annotated[str, typer.Argument(metavar="RUN")],
    fmt: Annotated[
        str, typer.Option("--format", help="csv, parquet, pytest-benchmark, chrome-trace or dataset.")
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", help="A file instead of stdout; of a dataset, its folder.")
    ] = None,
    results: Results = "results",
) -> None:
    """Hand a run's results to other tools."""
    from harness.results import formats, storage

    run = storage.at(results, say).find_run(run_name)
    if fmt == DATASET:
        _add_to_dataset(run, out)
        return
    content = formats.export(run, fmt)
    if out is not None:
        write_output(out, content)
        return
    if fmt == "parquet" and sys.stdout.isatty():
        raise ReportError("Parquet is not for a terminal", fix="--out FILE")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _add_to_dataset(run: Path, out: Path | None) -> None:
    from harness.results import dataset

    if out is None:
        raise UsageError("a dataset is a folder of many files", fix="--out FOLDER")
    check_folder(out, "--out")
    files = dataset.add_run(run, out)
    say(f"{run.name}: {len(files)} files in {out}")


COMMAND = export
