"""The path of this checkout, and the environment in which a child process imports the harness from it."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MODELS = REPOSITORY / "models"


def environment() -> dict[str, str]:
    """The environment for a Python child process that imports the harness from this checkout."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
