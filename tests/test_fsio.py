"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.fsio import sha256_bytes, sha256_file, write_atomic


def test_writes_and_hashes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, "text")
    write_atomic(path, b"other")
    assert path.read_bytes() == b"other"
    assert sha256_file(path) == sha256_bytes(b"other")
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
