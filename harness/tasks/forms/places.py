"""Finds the files and folders that a task names, within bounds."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import DataError
from harness.core.paths import expanded


def located(folder: Path, written: str, *, kind: str) -> Path:
    """The file or folder at ``written``, relative to the task's folder, without symbolic links.

    Args:
        kind: ``file`` or ``folder``.

    Raises:
        DataError: it is not there, or of the other kind.
    """
    path = folder / expanded(Path(written), "path")
    try:
        found = path.resolve(strict=True)
        right = found.is_dir() if kind == "folder" else found.is_file()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: {reason}", fix="paths in a task are relative to the task's file") from error
    if not right:
        raise DataError(f"{path}: is no {kind}", fix=f"'path' names a {kind} here")
    return found
