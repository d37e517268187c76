"""``harness data``: inspect data sets."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from harness.cli.options import Crop, Frames, Json

COMMAND = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Data sets.")


@COMMAND.command("check")
def check_data(path: Path, frames: Frames = "last3", crop: Crop = "auto", as_json: Json = False) -> None:
    """Say what a CK+ copy holds, which form it is, and what is wrong with it."""
    from harness.data.findings import render, to_json
    from harness.data.registry import check, choose

    findings = check(choose(str(path), frames, crop))
    print(json.dumps(to_json(findings)) if as_json else render(findings))
    raise typer.Exit(1 if findings.errors else 0)
