"""Cells to measure, of our own network."""

from __future__ import annotations

from dataclasses import replace

import yaml

from harness.config.devices import Device, parse
from harness.run.inventory import inventory
from harness.run.plan import CellJob, Options, make
from tests.conftest import MODELS

EMULATED = {"name": "pi4", "board": "raspberry-pi-4", "emulate": True}


def one_device(**keys: object) -> Device:
    """An emulated Pi 4 with such keys."""
    return parse(yaml.safe_dump({"devices": [{**EMULATED, **keys}]})).devices[0]


def job(**keys: object) -> CellJob:
    """A cell of ours on an emulated Pi 4."""
    fleet = parse(yaml.safe_dump({"devices": [EMULATED]}))
    options = Options(models=("resvgg19-pruned",), variants=("fp32",), quick=True)
    plan = make(fleet, inventory(MODELS, options.models, options.variants), options)
    (found,) = [job for job in plan.jobs["pi4"] if job.shipped.artifact.format == "tflite"]
    return replace(found, **keys)
