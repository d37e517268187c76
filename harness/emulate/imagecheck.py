"""Is a cached board image still what was built? Sizes, and hashes of both ends of each file: a gigabyte is not read."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

#: How much of each end of a file is hashed. An ext4 superblock is in the first of them.
END_BYTES = 1 << 16
FILES = ("kernel", "initrd", "root.img", "id_ed25519")


def marks(folder: Path) -> dict[str, str]:
    """``{file: size and hash}`` of an image's files.

    Raises:
        OSError: one isn't there.
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
    """What ``image.json`` says: the boards' public host key, and Debian package -> version."""

    host_key: str
    packages: dict[str, str]


def read_facts(folder: Path) -> ImageFacts:
    """What ``image.json`` says, if the image is whole.

    Raises:
        FileNotFoundError: there is no image at all.
        ValueError: it is damaged; the message says how.
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
        return ImageFacts(key, packages)  # nothing to compare with was noted
    try:
        present = marks(folder)
    except OSError as error:
        raise ValueError(f"{Path(error.filename or folder).name}: {error.strerror}") from error
    wrong = [name for name in FILES if not isinstance(files, dict) or files.get(name) != present[name]]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} changed since it was built")
    return ImageFacts(key, packages)
