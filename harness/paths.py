"""Where the harness keeps what it can make again: board images, board storage, downloaded runtimes."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """The cache root: ``$HARNESS_CACHE`` if set, else the user's cache folder for ``edge-harness``.

    Nothing is created. Deleting the folder while no board is up is safe: all of it is built again when needed.
    """
    override = os.environ.get("HARNESS_CACHE")
    if override:
        return Path(override).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("edge-harness"))
