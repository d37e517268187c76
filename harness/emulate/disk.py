"""The file system of a board's storage, and copying it without its holes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness.core.errors import EmulatorError
from harness.emulate import recipe, tools

#: Size the board sees, in MiB; the file is sparse.
STORE_MIB = 2048


def make(path: Path, tree: Path | None = None) -> None:
    """A new ext4 file system in the file ``path``, with a copy of ``tree`` in it.

    Raises:
        EmulatorError: mke2fs failed. OSError: the file can't be written.
    """
    with path.open("wb") as handle:
        handle.truncate(STORE_MIB << 20)
    options = f"root_owner={recipe.UID}:{recipe.UID},lazy_itable_init=1,lazy_journal_init=1"
    given = ["-d", str(tree)] if tree is not None else []
    tools.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", options, *given, str(path)])


def owned(path: Path) -> None:
    """Give everything in the file system to the board's user: mke2fs copies the owners that files have here.

    Raises:
        EmulatorError: not all of it can be reached.
    """
    numbers = inodes(path)
    orders = [f"sif <{number}> {kind} {recipe.UID}" for number in numbers for kind in ("uid", "gid")]
    output = tools.run(["debugfs", "-w", "-f", "-", str(path)], stdin="\n".join(orders) + "\n")
    if "denied" in output or "not found" in output:
        raise EmulatorError(f"debugfs could not set the owners: {output[-300:]}")


def inodes(image: Path) -> list[int]:
    """Numbers of the inodes in use by files: the root (2) and all from 11 on (below 11 is ext4's own).

    Raises:
        EmulatorError: they are spread over more than the first group, where they don't lie side by side.
    """
    facts = dict(line.split(":", 1) for line in tools.run(["dumpe2fs", "-h", str(image)]).splitlines() if ":" in line)
    total, free = int(facts["Inode count"]), int(facts["Free inodes"])
    used = total - free
    if used > int(facts["Inodes per group"]):
        raise EmulatorError(f"{used} files are more than fit one group of the file system")
    return [2, *range(11, used + 1)]


def copy(source: Path, target: Path) -> None:
    """Copy a sparse file: what was never written there takes no room here.

    Raises:
        OSError: no space, or a file system that fails.
    """
    with source.open("rb") as given, target.open("wb") as made:
        size = os.fstat(given.fileno()).st_size
        made.truncate(size)
        place = 0
        while place < size:
            try:
                place = os.lseek(given.fileno(), place, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole from here on
                    return
                raise
            end = os.lseek(given.fileno(), place, os.SEEK_HOLE)
            os.lseek(given.fileno(), place, os.SEEK_SET)
            os.lseek(made.fileno(), place, os.SEEK_SET)
            while place < end:
                place += os.sendfile(made.fileno(), given.fileno(), None, min(end - place, 1 << 24))
