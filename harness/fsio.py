"""Files: atomic writes and content hashes. Nothing finished is ever lost or half there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from harness.errors import StoreError

_CHUNK = 1 << 20


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the whole new one, even after a crash.

    Raises:
        StoreError: the disk is full, the folder can't be written...; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: can't be written: {error.strerror}", fix="free space or check the folder") from error


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable (fsync of the directory itself)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
