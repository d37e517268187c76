"""Files on the board: small files with its state, the files that the controller sent, and the result."""

import hashlib
import json
import os
from typing import List, Optional

from .shapes import Json


class RunnerError(Exception):
    """The reason why there is no measurement. ``code`` becomes the code of the cell's reason."""

    def __init__(self, code: str, text: str) -> None:
        Exception.__init__(self, text)
        self.code = code


def read(path: str, limit: int = 4096) -> Optional[str]:
    """At most ``limit`` bytes of a small file as text; None if it can't be read."""
    try:
        with open(path, "rb") as handle:
            return handle.read(limit).decode("utf-8", "replace").strip("\0\n ")
    except (OSError, ValueError):
        return None


def names_in(folder: str) -> List[str]:
    """The sorted names in a folder; none if it can't be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def native(path: str) -> str:
    """A path from the job, converted from UTF-8 to the encoding of this Python's locale."""
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def near(path: str) -> str:
    """A path for a runtime, whose own code may accept only ASCII if the locale is C.

    Such a path is relative to the runner's folder, which also holds all files that were sent.
    """
    path = native(path)
    try:
        path.encode("ascii")
        return path
    except UnicodeError:
        return os.path.relpath(path)


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def clear(path: str) -> None:
    """Make the result's folder, and remove an old result, which must never pass for the new one."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder)
    if os.path.exists(path):
        os.remove(path)


def write_result(path: str, answer: Json) -> None:
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as handle:
        json.dump(answer, handle)
        handle.flush()
        os.fsync(handle.fileno())
    os.rename(part, path)
