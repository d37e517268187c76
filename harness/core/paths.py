"""Where the harness keeps what it can make again: board images, board storage, downloaded runtimes. And who we are.

In a container, the user may have no entry in the list of users, no HOME and no USER.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import platformdirs

from harness.core.errors import UsageError


def cache_dir() -> Path:
    """The cache root: ``$HARNESS_CACHE`` if set, else the user's cache folder for ``edge-harness``.

    Nothing is created. Deleting the folder while no board is up is safe: all of it is built again when needed.

    Raises:
        UsageError: there is no home folder to have a cache in.
    """
    override = os.environ.get("HARNESS_CACHE")
    if override:
        return expanded(Path(override), "HARNESS_CACHE").absolute()
    try:
        folder = Path(platformdirs.user_cache_dir("edge-harness"))
    except RuntimeError:  # what newer versions do where nobody knows the home folder
        folder = Path("~")
    if not folder.is_absolute():  # older ones leave "~" in the name
        raise UsageError(
            f"user {user_name()} has no home folder, so there is no place for the cache",
            fix="set HARNESS_CACHE to a folder, or HOME",
        )
    return folder


def expanded(path: Path, what: str) -> Path:
    """``path`` with ``~`` and ``~name`` replaced by the home folder.

    Args:
        what: where the path was written, for the message.

    Raises:
        UsageError: nobody knows that home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{what} '{path}': whose home folder '{path.parts[0]}' is can't be told", fix="write the whole path"
        ) from error


def user_name() -> str:
    """Who runs this, for people; ``uid 4242`` where the user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"
