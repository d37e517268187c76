"""Folders and users of this machine: the cache, home folders, and the name of whoever runs the harness.

The cache holds files that can be made again: board images, board storage, downloaded runtimes. In a container the user
may have no entry in the list of users, no HOME and no USER, so every lookup here may fail.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import platformdirs

from harness.core.errors import UsageError


def cache_dir() -> Path:
    """The cache root: ``$HARNESS_CACHE`` if set, else the user's cache folder for ``edge-harness``.

    The folder is not created. Deleting it is safe while no board is up: all of it is built again when needed.

    Raises:
        UsageError: the user has no home folder that could hold a cache.
    """
    override = os.environ.get("HARNESS_CACHE")
    if override:
        return expanded(Path(override), "HARNESS_CACHE").absolute()
    try:
        folder = Path(platformdirs.user_cache_dir("edge-harness"))
    except RuntimeError:  # newer versions of platformdirs raise this if the home folder is unknown
        folder = Path("~")
    if not folder.is_absolute():  # older versions leave "~" in the name
        raise UsageError(
            f"user {user_name()} has no home folder, so there is no place for the cache",
            fix="set HARNESS_CACHE to a folder, or HOME",
        )
    return folder


def expanded(path: Path, what: str) -> Path:
    """``path`` with ``~`` and ``~name`` replaced by the home folder.

    Args:
        what: the setting that holds the path, for the message.

    Raises:
        UsageError: that home folder is unknown.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{what} '{path}': whose home folder '{path.parts[0]}' is can't be told", fix="write the whole path"
        ) from error


def user_name() -> str:
    """The name of the user who runs this; ``uid 4242`` if the user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"
