"""The removal of images and board storage that nobody has used for a month."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from harness.core.errors import StoreError
from harness.emulate.imagestore import take_board_lock

#: Days without a boot after which an image that isn't the present one goes, with the storage that belongs to it.
KEEP_DAYS = 30

_DIGEST = re.compile(r"^[0-9a-f]{16}$")


def mark_used(image: Path) -> None:
    """Note that the image folder is in use today. Where it can't be written, it just ages."""
    with contextlib.suppress(OSError):
        os.utime(image)


def prune(cache: Path, keep: str, *, now: float | None = None) -> list[Path]:
    """Remove old images except ``keep``, and old storage of images that are gone; returns what was removed.

    ``now`` is in seconds since the epoch. Storage that a live board holds stays. Nothing here raises: an old file that
    can't be removed is no reason not to boot.
    """
    oldest = (now or time.time()) - KEEP_DAYS * 86400
    removed = []
    for folder in cache.glob("images/*"):
        if _DIGEST.match(folder.name) and folder.name != keep and _age(folder) < oldest:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    for folder in cache.glob("boards/*-*"):
        digest = folder.name.rpartition("-")[2]
        if not _DIGEST.match(digest) or (cache / "images" / digest).exists():
            continue
        with contextlib.suppress(StoreError):  # LockTakenError among them
            lock = take_board_lock(folder)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                lock.close()
            removed.append(folder)
    return removed


def _age(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()
