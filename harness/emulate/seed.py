"""Fills the storage of a new board with files before its first boot, so that large files skip the emulated cipher.

A real board gets its runtimes and models over SSH. An emulated board would spend more processor time on decrypting and
unpacking them than on measuring. Its storage is a disk like an SD card, so the controller writes the large files to it
before the first boot, as the owner of a real card could. The board still checks all files by hash, and missing files go
over SSH.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import py_compile
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core.errors import EmulatorError, StoreError
from harness.core.locks import locked
from harness.core.paths import cache_dir
from harness.emulate import disk, recipe

#: Version of the disk's format. It changes when the same files give another disk.
FORMAT = "1"

#: Seconds after which an image that nobody booted needs no seed any more.
_LATELY_S = 86_400.0

#: Parts of packages that the runner never imports. To compile them would take longer than all the rest.
_NOT_IMPORTED = frozenset(
    ("tests", "f2py", "distutils", "testing", "transformers", "tools", "quantization", "datasets", "backend")
)


def seed(contents: Mapping[str, Path], digest: str, say: Callable[[str], None]) -> Path | None:
    """A file system with ``contents``, made once for an image and kept in the cache; None if it can't be made.

    Args:
        contents: files on this machine by their name in the board's store, ``object:SHA`` or ``wheel:SHA``. The caller
            has checked their hashes.
        digest: hash of the board's image.
        say: called with one line of progress.
    """
    folder = cache_dir() / "seeds"
    key = hashlib.sha256("\n".join([FORMAT, digest, *sorted(contents)]).encode()).hexdigest()[:16]
    path = folder / f"{digest}-{key}.img"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            if not path.is_file():
                say(f"putting {len(contents)} files on the boards' storage")
                _build(contents, path)
                _remove_others(path, digest)
    except (OSError, StoreError, EmulatorError, zipfile.BadZipFile, KeyError, ValueError) as error:
        say(f"the boards' storage can't be filled beforehand ({error}): files go over SSH")
        return None
    return path


def _remove_others(path: Path, digest: str) -> None:
    """Remove the seeds of this image's earlier contents, and of images that nobody boots any more.

    Boards with other systems have images of their own, and may be booting from these seeds right now.
    """
    for old in path.parent.glob("*.img"):
        image = old.name.rpartition("-")[0]
        if old != path and (image in ("", digest) or not _booted_lately(cache_dir() / "images" / image)):
            old.unlink()


def _booted_lately(image: Path) -> bool:
    """Whether a board booted from this image within the last day."""
    try:
        return image.stat().st_mtime > time.time() - _LATELY_S
    except OSError:
        return False


def _build(contents: Mapping[str, Path], path: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=".seed-", dir=path.parent))
    try:
        tree, fresh = work / "tree", work / "seed.img"
        for name, source in contents.items():
            kind, _, digest = name.partition(":")
            target = tree / f"{kind}s" / digest
            if kind == "wheel":
                target.mkdir(parents=True)
                with zipfile.ZipFile(source) as archive:
                    archive.extractall(target)
                _compile(target, f"{recipe.STORE_MOUNT}/wheels/{digest}")
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        for place, folders, files in os.walk(tree):  # independent of this process's umask
            for entry in folders:
                (Path(place) / entry).chmod(0o755)
            for entry in files:
                (Path(place) / entry).chmod(0o644)
        disk.make(fresh, tree)
        disk.owned(fresh)
        with fresh.open("rb") as handle:
            os.fsync(handle.fileno())
        fresh.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(folder: Path, shown: str) -> None:
    """Compile modules as the board's Python would at their first import, if this Python has the same version."""
    if sys.version_info[:2] != recipe.PYTHON:
        return
    for source in sorted(folder.rglob("*.py")):
        inside = source.relative_to(folder)
        if _NOT_IMPORTED.isdisjoint(inside.parts):
            with contextlib.suppress(py_compile.PyCompileError):
                py_compile.compile(
                    str(source), dfile=f"{shown}/{inside}", quiet=2,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )  # fmt: skip
