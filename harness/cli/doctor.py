"""``harness doctor``: find problems before a first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Devices, Json, Models, Only, files_of, split


def doctor(
    devices: Devices = Path("devices.yaml"),
    only: Only = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Also whether the boards can run this network or model file.")
    ] = None,
    shape: Annotated[list[str] | None, typer.Option(help="Sizes of its open inputs: input=1x3x224x224.")] = None,
    models: Models = Path("models"),
    as_json: Json = False,
) -> None:
    """Look for everything that makes a first run fail; each problem with its fix."""
    from harness.config.devices import load
    from harness.doctor.fleet import check_fleet, render
    from harness.modelfile.shapes import given

    fleet, sizes = load(devices).only(list(split(only))), given(shape or [])
    files = [file for word in split(model) for file in files_of(word, models, sizes)]
    findings = check_fleet(fleet, files)
    print(json.dumps(findings.to_json()) if as_json else render(findings))
    raise typer.Exit(0 if findings.healthy else 1)


COMMAND = doctor
