"""Files that a training leaves for its next start: only complete ones count, and a damaged one is written anew."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from harness.core.errors import BuildError, StoreError
from harness.core.files import sync_folder
from harness.core.locks import take_lock

T = TypeVar("T")
#: Half-written files of killed processes are removed after this many seconds; a younger one may belong to another
#: build.
_LEFT_S = 86_400.0


@contextlib.contextmanager
def reserved(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time work in a folder of training state; another one waits, which ``say`` is told.

    Two would mix their states: each names a checkpoint that the other one may have written since. Machines with one
    file system exclude each other, too, as long as that has locks.

    Raises:
        BuildError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path, waiting = folder / ".lock", f"{folder}: another process trains there; waiting for it"
        lock = take_lock(path, wait=True, waiting=lambda: say(waiting))
    except (OSError, StoreError) as error:
        raise BuildError(f"{folder}: can't be written: {error}", fix="free space, or set HARNESS_CACHE") from error
    try:
        yield
    finally:
        lock.close()


def keep(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file, and rename it to ``path`` once it is on the disk.

    Otherwise a power cut may leave an empty file of that name, since the rename can reach the disk before the content
    does.

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
    """The result of ``read`` on a file; None where the file is missing, or damaged, which is reported to ``say``."""
    if not path.exists():
        return None
    try:
        return read(path)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # zipfile, h5py, json and Keras raise nearly any exception for half a file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        say(f"{path} is damaged ({reason}); made anew")
        return None
