"""``harness doctor``: find problems before a first run."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from harness.cli.options import Devices, Json, Only, split


def doctor(devices: Devices = Path("devices.yaml"), only: Only = None, as_json: Json = False) -> None:
    """Look for everything that makes a first run fail; each problem with its fix."""
    from harness.config.devices import load
    from harness.doctor.fleet import check_fleet, render

    findings = check_fleet(load(devices).only(list(split(only))))
    print(json.dumps(findings.to_json()) if as_json else render(findings))
    raise typer.Exit(0 if findings.healthy else 1)


COMMAND = doctor
