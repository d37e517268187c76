"""``harness data``: data sets looked at."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from harness.cli.options import Crop, Frames, Json

COMMAND = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Data sets.")


@COMMAND.command("check")
def check(path: Path, frames: Frames = "last3", crop: Crop = "auto", as_json: Json = False) -> None:
    """Say what a CK+ copy holds, which form it is, and what is wrong with it."""
    from harness.data import ckplus
    from harness.data.sources import choices

    mode, cropping = choices(frames, crop)
    findings = ckplus.check(path, mode=mode, crop=cropping)
    print(json.dumps(ckplus.to_json(findings)) if as_json else ckplus.render(findings))
    raise typer.Exit(1 if findings.errors else 0)
