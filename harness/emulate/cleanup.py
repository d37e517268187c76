"""Removes images and board storage that were not used for a month."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from harness.core.errors import StoreError
from harness.emulate.imagestore import take_board_lock

#: Days without a boot after which an old image is removed together with its boards' storage.
KEEP_DAYS = 30

_DIGEST = re.compile(r"^[0-9a-f]{16}$")


def mark_used(image: Path) -> None:
    """Record that the image is in use now. An image in a read-only folder simply ages."""
    with contextlib.suppress(OSError):
        os.utime(image)


def prune(cache: Path, keep: str, *, now: float | None = None) -> list[Path]:
    """Remove old images except ``keep``, and old storage of images that are gone; returns what was removed.

    ``now`` is in seconds since the epoch. Storage of a live board stays. This never raises, because an old file that
    can't be removed must not prevent a boot.
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
