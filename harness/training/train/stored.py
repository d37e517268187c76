"""Files that a training leaves for its next start: they count only when whole, and a damaged one is made anew."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.core.errors import BuildError
from harness.core.files import sync_folder

T = TypeVar("T")
#: Half-written files of killed processes go after this; another build may be writing a younger one.
_LEFT_S = 86_400.0


def keep(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` make a file, and give it the name ``path`` once it is on the disk.

    A power cut may otherwise leave an empty file of that name: the rename can reach the disk before the content does.

    Raises:
        BuildError: it can't be written.
    """
    fresh = path.with_name(f"next-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"next-*-{path.name}"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_S:
                    left.unlink()
        try:
            write(fresh)
            with fresh.open("rb+") as handle:
                os.fsync(handle.fileno())
            fresh.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise BuildError(
            f"{path}: can't be written: {error.strerror or error}", fix="free space, or set HARNESS_CACHE"
        ) from error


def found(path: Path, read: Callable[[Path], T], say: Callable[[str], None]) -> T | None:
    """What ``read`` makes of a file; None where there is none, and where it is damaged, which ``say`` is told."""
    if not path.exists():
        return None
    try:
        return read(path)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # zipfile, h5py, json and Keras raise nearly anything for half a file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        say(f"{path} is damaged ({reason}); made anew")
        return None
