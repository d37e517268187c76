"""A storage that already holds files, for a board that is new: what is large does not go through an emulated cipher.

A real board gets its runtimes and models over SSH. An emulated one spends more of this machine's processor time on
decrypting and unpacking them than on measuring. Its storage is a disk like an SD card, so the controller writes the
large files to it before the board is first switched on, as the owner of a real card could. The board still checks
everything by hash when it is asked what it has, and whatever is missing is sent over SSH.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import py_compile
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.core.errors import EmulatorError, StoreError
from harness.core.locks import locked
from harness.core.paths import cache_dir
from harness.emulate import disk, recipe

#: Changes when the same files would make another disk.
FORMAT = "1"

#: Parts of packages that an interpreter never imports: compiling them would take longer than all the rest.
_NOT_IMPORTED = frozenset(
    ("tests", "f2py", "distutils", "testing", "transformers", "tools", "quantization", "datasets", "backend")
)


def seed(contents: Mapping[str, Path], digest: str, say: Callable[[str], None]) -> Path | None:
    """A file system with ``contents``, made once and kept in the cache; None where it can't be made.

    Args:
        contents: ``object:SHA`` and ``wheel:SHA``, as the board's store calls them, and the files on this machine,
            whose hashes the caller has checked.
        digest: of the board's image.
    """
    folder = cache_dir() / "seeds"
    key = hashlib.sha256("\n".join([FORMAT, digest, *sorted(contents)]).encode()).hexdigest()[:16]
    path = folder / f"{key}.img"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            if not path.is_file():
                say(f"putting {len(contents)} files on the boards' storage")
                _build(contents, path)
                for old in folder.glob("*.img"):
                    if old != path:
                        old.unlink()
    except (OSError, StoreError, EmulatorError, zipfile.BadZipFile, KeyError, ValueError) as error:
        say(f"the boards' storage can't be filled beforehand ({error}): files go over SSH")
        return None
    return path


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
        for place, folders, files in os.walk(tree):  # whatever umask this process has
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
    """As the board's Python would when it first imports a module. Only where ours is the same version."""
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
