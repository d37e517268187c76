"""Walks through an unchecked copy of a data set: within limits, and over regular files only.

The walk reads nothing outside the given folder and follows no symbolic links to folders. Content of the copy raises no
error: each refusal goes to the :class:`~harness.data.findings.FaultLog`.
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
#: CK+ with its landmarks has about 33,000 files and folders. Far more means that the wrong folder was named.
MAX_ENTRIES = 200_000
MAX_DEPTH = 8

_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".git", ".ipynb_checkpoints"}


@dataclass(frozen=True)
class RegularFile:
    """A regular file: its path, its path relative to the checked folder, and its size in bytes."""

    path: Path
    rel: str
    size: int

    @property
    def parents(self) -> tuple[str, ...]:
        """The names of the folders above the file, outermost first."""
        return tuple(self.rel.split("/")[:-1])

    @property
    def name(self) -> str:
        return self.rel.rpartition("/")[2]


@dataclass
class Walk:
    """The content of a folder, in an order that does not depend on the file system."""

    files: list[RegularFile] = field(default_factory=list)
    #: folders that are empty or hold only litter, as relative paths
    empty: list[str] = field(default_factory=list)
    #: number of images, by their names, that were refused unopened (links, devices...)
    refused_images: int = 0


def is_litter(name: str) -> bool:
    """Whether a file is a leftover of an operating system or a tool, such as ``.DS_Store`` or ``._name``."""
    return name.lower() in _LITTER or name.startswith("._")


def walk(
    root: Path,
    faults: FaultLog,
    *,
    is_image: Callable[[str], bool] = lambda _: False,
    most: int | None = None,
    data: str = "CK+",
) -> Walk:
    """All regular files below ``root``, sorted by relative path without regard to case, then by relative path.

    Litter, links that leave the folder, loops, and other entries that are no regular files are reported and left out.

    Args:
        is_image: takes a relative path; tells whether a refused entry counts as an image left out.
        most: number of files and folders at which the walk ends; :data:`MAX_ENTRIES` by default.
        data: what the folder should hold, for the message.

    Raises:
        DataError: there are more than ``most`` files and folders, so the wrong folder was named.
    """
    walker = _Walker(root, faults, is_image, _Limit(MAX_ENTRIES if most is None else most, data))
    walker.descend(root, "")
    result = walker.result
    result.files.sort(key=lambda f: (f.rel.lower(), f.rel))
    result.empty.sort(key=lambda rel: (rel.lower(), rel))
    return result


@dataclass(frozen=True)
class _Limit:
    """The largest number of entries, and what the folder should hold."""

    most: int
    data: str


class _Walker:
    """The state of one walk below ``root``: its result so far, and the number of entries seen."""

    def __init__(self, root: Path, faults: FaultLog, is_image: Callable[[str], bool], limit: _Limit) -> None:
        self.root, self.faults, self.is_image, self.limit = root, faults, is_image, limit
        self.result = Walk()
        self.entries_seen = 0

    def descend(self, folder: Path, rel: str) -> None:
        """Walk through ``folder``, whose relative path is ``rel``."""
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
        if self.entries_seen > self.limit.most:
            raise DataError(
                f"{self.root}: more than {self.limit.most} files and folders, which {self.limit.data} does not have",
                fix=f"name the folder that holds {self.limit.data} itself",
            )
        taken = 0
        for name in names:
            place = f"{rel}/{name}" if rel else name
            if is_litter(name):
                self.faults.note("litter", place, "left by an operating system or a tool; ignored")
                continue
            taken += 1
            self.take(folder / name, place)
        if not taken:
            self.result.empty.append(rel or ".")

    def take(self, path: Path, rel: str) -> None:
        """Handle one entry of a folder: a file, a folder to descend into, or an entry to refuse."""
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
        """Report an entry that is not read; count it if its name is that of an image."""
        image = int(self.is_image(rel))
        self.result.refused_images += image
        self.faults.error(code, rel, text, fix=fix, images=image)


def _link_refusal(root: Path, path: Path) -> tuple[str, str] | None:
    """The code and text for a symbolic link that is not followed; None for a link to a regular file in ``root``."""
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
    """The first bytes of a file; empty if it can't be read."""
    try:
        with file.path.open("rb") as handle:
            return handle.read(length)
    except OSError:
        return b""


def read_bytes(file: RegularFile, limit: int) -> bytes:
    """The content of a file of at most ``limit`` bytes. The limit also holds if the file grows meanwhile.

    Raises:
        OSError: the file can't be read.
        ValueError: the file is larger.
    """
    with file.path.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return data
