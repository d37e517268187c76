"""A comparison as one JSON object, for scripts."""

from __future__ import annotations

import json

from harness.results.compare import Comparison, to_json


def rendered(comparison: Comparison) -> str:
    """The comparison with its verdicts and reasons."""
    return json.dumps(to_json(comparison))
