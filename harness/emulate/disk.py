"""The file system of a board's storage, and the copy of such a sparse file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness.core.errors import EmulatorError
from harness.emulate import recipe, tools

#: Size of the disk for the board, in MiB. The file is sparse.
STORE_MIB = 2048


def make(path: Path, tree: Path | None = None) -> None:
    """Make an ext4 file system in the file ``path``, with a copy of ``tree`` in it.

    Raises:
        EmulatorError: mke2fs failed.
        OSError: the file can't be written.
    """
    with path.open("wb") as handle:
        handle.truncate(STORE_MIB << 20)
    options = f"root_owner={recipe.UID}:{recipe.UID},lazy_itable_init=1,lazy_journal_init=1"
    given = ["-d", str(tree)] if tree is not None else []
    tools.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", options, *given, str(path)])


def owned(path: Path) -> None:
    """Make the board's user the owner of all files, because mke2fs copies the owners of this machine.

    Raises:
        EmulatorError: debugfs could not change an owner, or the files span more than one group.
    """
    numbers = inodes(path)
    orders = [f"sif <{number}> {kind} {recipe.UID}" for number in numbers for kind in ("uid", "gid")]
    output = tools.run(["debugfs", "-w", "-f", "-", str(path)], stdin="\n".join(orders) + "\n")
    if "denied" in output or "not found" in output:
        raise EmulatorError(f"debugfs could not set the owners: {output[-300:]}")


def inodes(image: Path) -> list[int]:
    """The numbers of the inodes of all files: the root (2), and those from 11 on; ext4 reserves the others.

    Raises:
        EmulatorError: the files span more than the first group, so their numbers are not consecutive.
    """
    facts = dict(line.split(":", 1) for line in tools.run(["dumpe2fs", "-h", str(image)]).splitlines() if ":" in line)
    total, free = int(facts["Inode count"]), int(facts["Free inodes"])
    used = total - free
    if used > int(facts["Inodes per group"]):
        raise EmulatorError(f"{used} files are more than fit one group of the file system")
    return [2, *range(11, used + 1)]


def copy(source: Path, target: Path) -> None:
    """Copy a sparse file and keep its holes.

    Raises:
        OSError: the disk is full, or the file system fails.
    """
    with source.open("rb") as reader, target.open("wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(reader.fileno(), offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # the rest is a hole
                    return
                raise
            end = os.lseek(reader.fileno(), offset, os.SEEK_HOLE)
            os.lseek(reader.fileno(), offset, os.SEEK_SET)
            os.lseek(writer.fileno(), offset, os.SEEK_SET)
            while offset < end:
                offset += os.sendfile(writer.fileno(), reader.fileno(), None, min(end - offset, 1 << 24))
