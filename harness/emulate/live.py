"""The folder of a live board. It is not removed as long as its lock is held."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from harness.core.errors import StoreError
from harness.core.locks import Lock, locked
from harness.emulate.imagestore import take_board_lock


def own_folder(live: Path) -> tuple[Path, Lock]:
    """Make a folder for one board, and lock it. Folders of killed guards are removed first."""
    live.mkdir(parents=True, exist_ok=True)
    with locked(live / ".lock"):  # a new folder must not be removed before it is locked
        for left in live.glob("board-*"):
            _sweep(left)
        folder = Path(tempfile.mkdtemp(prefix="board-", dir=live))
        try:
            return folder, take_board_lock(folder)
        except StoreError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _sweep(folder: Path) -> None:
    """Remove a board's folder unless a live guard or QEMU holds its lock."""
    with contextlib.suppress(StoreError):  # LockTakenError among them
        lock = take_board_lock(folder)
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.close()
