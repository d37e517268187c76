"""Walking through a copy of CK+ that nobody has checked: bounded, and regular files only.

Nothing outside the given folder is read, symbolic links to folders are not followed, and nothing here raises
for what a copy holds: every refusal goes to the :class:`~harness.data.findings.FaultLog`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import DataError
from harness.data.findings import FaultLog

MAX_TEXT_BYTES = 4096
#: CK+ has about 33,000 files and folders with its landmarks; more means that the wrong folder was named.
MAX_ENTRIES = 200_000
MAX_DEPTH = 8

_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".git", ".ipynb_checkpoints"}


@dataclass(frozen=True)
class RegularFile:
    """A regular file: where it is, and its place relative to the checked folder, for people."""

    path: Path
    rel: str
    size: int

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the folders above it, outermost first."""
        return tuple(self.rel.split("/")[:-1])

    @property
    def name(self) -> str:
        return self.rel.rpartition("/")[2]


@dataclass
class Walk:
    """Everything found under a folder, in an order that does not depend on the file system."""

    files: list[RegularFile] = field(default_factory=list)
    #: folders in which nothing is but litter, relative
    empty: list[str] = field(default_factory=list)
    #: images, by their names, that were refused before they were opened (links, devices...)
    refused_images: int = 0


def is_litter(name: str) -> bool:
    """Files that operating systems and tools leave behind, such as ``.DS_Store`` and ``._name``."""
    return name.lower() in _LITTER or name.startswith("._")


def walk(root: Path, faults: FaultLog, *, is_image: Callable[[str], bool] = lambda _: False) -> Walk:
    """Every regular file below ``root``, sorted by name without regard to case, then by name.

    Litter, links that leave the folder, loops, and anything that is no regular file are reported and not
    returned.
    ``is_image`` tells by a place whether what was refused there counts as an image left out.

    Raises:
        DataError: more than :data:`MAX_ENTRIES` files and folders: surely not CK+.
    """
    walker = _Walker(root, faults, is_image)
    walker.descend(root, "")
    result = walker.result
    result.files.sort(key=lambda f: (f.rel.lower(), f.rel))
    result.empty.sort(key=lambda rel: (rel.lower(), rel))
    return result


class _Walker:
    """One walk below ``root``: what it has found so far, and how much it has seen."""

    def __init__(self, root: Path, faults: FaultLog, is_image: Callable[[str], bool]) -> None:
        self.root, self.faults, self.is_image = root, faults, is_image
        self.result = Walk()
        self.entries_seen = 0

    def descend(self, folder: Path, rel: str) -> None:
        """Look at everything in ``folder``, whose place is ``rel``."""
        if rel.count("/") > MAX_DEPTH:
            text = f"more than {MAX_DEPTH} folders deep; not looked into"
            self.faults.error("too-deep", rel, text, fix="remove it")
            return
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            text = f"the folder can't be read: {error.strerror}"
            self.faults.error("unreadable", rel or ".", text, fix="check its permissions")
            return
        self.entries_seen += len(names)
        if self.entries_seen > MAX_ENTRIES:
            raise DataError(
                f"{self.root}: more than {MAX_ENTRIES} files and folders, which CK+ does not have",
                fix="name the folder that holds CK+ itself",
            )
        kept = 0
        for name in names:
            place = f"{rel}/{name}" if rel else name
            if is_litter(name):
                self.faults.note("litter", place, "left by an operating system or a tool; ignored")
                continue
            kept += 1
            self.take(folder / name, place)
        if not kept:
            self.result.empty.append(rel or ".")

    def take(self, path: Path, rel: str) -> None:
        """One entry of a folder: a file, a folder to descend into, or something that is refused."""
        try:
            info = path.lstat()
            if stat.S_ISLNK(info.st_mode):
                refusal = _link_refusal(self.root, path)
                if refusal:
                    self.refuse(rel, *refusal, fix="put the file or folder itself there")
                    return
                info = path.stat()
            if stat.S_ISDIR(info.st_mode):
                self.descend(path, rel)
            elif stat.S_ISREG(info.st_mode):
                self.result.files.append(RegularFile(path, rel, info.st_size))
            else:
                self.refuse(rel, "special-file", "is no regular file; not opened", fix="remove it")
        except OSError as error:
            self.refuse(rel, "unreadable", f"can't be read: {error.strerror}", fix="check its permissions")

    def refuse(self, rel: str, code: str, text: str, *, fix: str) -> None:
        """Report what is not read, and count it where it is an image by its name."""
        image = int(self.is_image(rel))
        self.result.refused_images += image
        self.faults.error(code, rel, text, fix=fix, images=image)


def _link_refusal(root: Path, path: Path) -> tuple[str, str] | None:
    """Why a symbolic link is not followed, as code and text; None for one to a regular file inside
    ``root``."""
    try:
        target = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "symlink-loop", "a symbolic link that leads back to itself"
        return "symlink-broken", "a symbolic link to nothing"
    if not target.is_relative_to(root):
        return "symlink-escape", "a symbolic link that leaves the checked folder; not followed"
    if target.is_dir():
        if path.is_relative_to(target):
            return "symlink-loop", "a symbolic link to a folder above it; not followed"
        return (
            "symlink-folder",
            "a symbolic link to another folder; not followed, its files count where they are",
        )
    return None


def read_start(file: RegularFile, length: int) -> bytes:
    """The first bytes of a file; none where it can't be read."""
    try:
        with file.path.open("rb") as handle:
            return handle.read(length)
    except OSError:
        return b""


def read_bytes(file: RegularFile, limit: int) -> bytes:
    """The whole of a file of at most ``limit`` bytes, even if it grows meanwhile.

    Raises:
        OSError: it can't be read.
        ValueError: it is larger.
    """
    with file.path.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return data
