"""A comparison as the JSON that https://shields.io draws a badge from (its "endpoint badge")."""

from __future__ import annotations

import json

from harness.results.compare import Comparison


def rendered(comparison: Comparison) -> str:
    """One JSON object: ``schemaVersion``, ``label``, ``message``, ``color``."""
    message, color = _said(comparison)
    return json.dumps({"schemaVersion": 1, "label": "benchmark", "message": message, "color": color})


def _said(comparison: Comparison) -> tuple[str, str]:
    counts = comparison.counts()
    compared = sum(counts.values()) - counts["refused"]
    if comparison.tripped:
        trips = len(comparison.reasons)
        return f"{trips} {'regression' if trips == 1 else 'regressions'}", "red"
    if not compared:
        return "nothing compared", "lightgrey"
    if counts["slower"]:
        return f"{counts['slower']} of {compared} slower", "orange"
    if unsure := counts["can't tell"]:
        return f"can't tell {unsure} of {compared}", "yellow"
    if counts["faster"]:
        return f"{counts['faster']} of {compared} faster", "brightgreen"
    return f"{compared} unchanged", "brightgreen"
