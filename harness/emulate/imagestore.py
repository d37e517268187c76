"""A board's persistent storage: an ext4 disk that outlives the board, as a real board's SD card does.

Deployed files stay there, so a second run sends nothing. The rest of the board is new at each boot.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import EmulatorError, LockTakenError, StoreError
from harness.core.locks import Lock, take_lock
from harness.emulate import disk, tools


@dataclass(frozen=True)
class Store:
    """A disk to attach. ``lock`` excludes other boards; None for a temporary disk."""

    path: Path
    lock: Lock | None
    #: why the earlier content is gone, if it was damaged
    lost: str | None = None

    @property
    def persistent(self) -> bool:
        return self.lock is not None


def store_folder(cache: Path, name: str, family: str, digest: str) -> Path:
    """The folder of a board's storage. Each image has separate storage, because its Python may differ."""
    return cache / "boards" / re.sub(r"[^A-Za-z0-9._-]", "-", f"{name}-{family}-{digest}")


def there(folder: Path) -> bool:
    """Whether ``folder`` already has a storage."""
    return (folder / "store.img").is_file()


def open_store(folder: Path, spare: Path, seed: Path | None = None) -> Store:
    """Lock and check the storage in ``folder``. A missing or damaged one is made anew.

    If a live board holds it, a temporary one is made in the folder ``spare`` instead. A new storage is a copy of
    ``seed`` if that is given.

    Raises:
        EmulatorError: the file system can't be made (no space, no mke2fs).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_board_lock(folder)
    except LockTakenError:
        return Store(_made(spare / "store.img", seed), None)
    except OSError as error:
        raise EmulatorError(f"the board's storage in {folder} can't be used: {error.strerror}") from error
    except StoreError as error:
        raise EmulatorError(f"the board's storage in {folder} can't be used: {error.message}") from error
    path = folder / "store.img"
    if not os.path.lexists(path):
        return Store(_made(path, seed), lock)
    lost = _damage(path)
    return Store(path, lock) if lost is None else Store(_made(path, seed), lock, lost)


def take_board_lock(folder: Path) -> Lock:
    """Take the lock on a board's folder, which all machines and containers with this cache respect.

    Raises:
        LockTakenError: a live board holds it.
        StoreError: the file system has no locks. A lock of this machine alone is not enough: another machine, or a
            container with a separate network, would remove the board's files.
    """
    lock = take_lock(folder / "lock", mode=0o600)
    if not lock.shared:
        lock.close()
        raise StoreError(f"{folder}: the file system has no locks", fix="set HARNESS_CACHE to a folder on another one")
    return lock


def _damage(path: Path) -> str | None:
    """Replay the journal and make safe repairs. Returns the damage that remains, or None."""
    if not path.is_file():
        return "it is no file"
    if path.stat().st_size != disk.STORE_MIB << 20:
        return "it has another size than it was made with"
    try:
        # status 1: repaired, which includes a replayed journal
        tools.run(["e2fsck", "-p", str(path)], ok=(0, 1))
    except EmulatorError as error:
        return f"its file system is damaged: {error.message[-200:]}"
    return None


def _made(path: Path, seed: Path | None = None) -> Path:
    """Make a file system at ``path``, empty or a copy of ``seed``.

    It is renamed into place, so an incomplete one never appears there.
    """
    fresh = path.with_suffix(".new")
    try:
        if seed is not None and seed.is_file():
            disk.copy(seed, fresh)
        else:
            disk.make(fresh)
        fresh.replace(path)
    except OSError as error:
        raise EmulatorError(f"the board's storage {path} can't be made: {error.strerror}", fix="free space") from error
    return path
