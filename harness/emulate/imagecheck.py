"""Checks that a cached board image is intact, by the size of each file and hashes of both ends.

A hash of the whole image would read a gigabyte at each boot.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

#: Bytes hashed at each end of a file. The first part includes the ext4 superblock.
END_BYTES = 1 << 16
FILES = ("kernel", "initrd", "root.img", "id_ed25519")


def marks(folder: Path) -> dict[str, str]:
    """``{file: size and hash}`` of an image's files.

    Raises:
        OSError: a file is missing.
    """
    return {name: _mark(folder / name) for name in FILES}


def _mark(path: Path) -> str:
    with path.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        digest = hashlib.sha256(handle.read(END_BYTES))
        handle.seek(max(0, size - END_BYTES))
        digest.update(handle.read(END_BYTES))
    return f"{size} {digest.hexdigest()}"


@dataclass(frozen=True)
class ImageFacts:
    """The content of ``image.json``: the boards' public host key, and ``{Debian package: version}``."""

    host_key: str
    packages: dict[str, str]


def read_facts(folder: Path) -> ImageFacts:
    """The content of ``image.json``, if the image is intact.

    Raises:
        FileNotFoundError: there is no image.
        ValueError: the image is damaged; the message says how.
    """
    if not os.path.lexists(folder):
        raise FileNotFoundError(folder)
    try:
        facts = json.loads((folder / "image.json").read_bytes())
        key, packages = facts["host_key"], facts["packages"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError("its image.json can't be read") from error
    if not isinstance(key, str) or not key.startswith("ssh-") or not isinstance(packages, dict):
        raise ValueError("its image.json is not what was written")
    files = facts.get("files")
    if files is None:
        return ImageFacts(key, packages)  # an older image without marks can't be checked
    try:
        present = marks(folder)
    except OSError as error:
        raise ValueError(f"{Path(error.filename or folder).name}: {error.strerror}") from error
    wrong = [name for name in FILES if not isinstance(files, dict) or files.get(name) != present[name]]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} changed since it was built")
    return ImageFacts(key, packages)
