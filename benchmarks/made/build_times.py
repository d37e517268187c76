"""What two builds of one network may differ in: when they ran, and how long it took."""

from __future__ import annotations

import json
from pathlib import Path


def timeless(models: Path, name: str) -> object:
    """A network's manifest without its times: ``created``, each step's ``seconds``, and the latency ratios of zeroed
    files. All the rest, hashes of files included, is the same for the same inputs.
    """
    manifest = json.loads((models / name / "manifest.json").read_text(encoding="utf-8"))
    del manifest["created"]
    for step in manifest["chain"]:
        del step["seconds"]
    for row in manifest["zeroed"]:
        del row["latency_ratio"]
    return manifest
