"""The files of a run on a worker: the controller's own where both see the same ones, else copies by their hash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import ClusterError
from harness.core.files import sha256_bytes, sha256_file, write_atomic
from harness.core.paths import cache_dir
from harness.run.workers.mail import Line, Message
from harness.run.workers.parcel import Shared

#: Bytes of a file in one message.
PART_BYTES = 4 << 20
#: Runs whose files were looked for in this process, each with what was found; one that is over is forgotten.
_KNOWN: dict[str, Shared] = {}
_MOST_KNOWN = 2
_LOCK = threading.Lock()


def at_hand(shared: Shared, line: Line) -> Shared:
    """What the devices of a run share, with files of this machine. They are looked for once in a process.

    Raises:
        ClusterError: the controller can't be reached, or a file is not there any more.
    """
    with _LOCK:
        if (known := _KNOWN.get(shared.key)) is not None:
            return known
        places: dict[str, Path] = {}

        def place(sha256: str, path: Path) -> Path:
            if sha256 not in places:
                places[sha256] = path if _is(path, sha256) else _copied(sha256, line)
            return places[sha256]

        while len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[shared.key] = shared.moved(place)
        return _KNOWN[shared.key]


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and sha256_file(path) == sha256
    except OSError:
        return False


def _copied(sha256: str, line: Line) -> Path:
    """The file in this machine's cache, fetched where it isn't there."""
    path = cache_dir() / "controller" / sha256
    if not _is(path, sha256):
        content = b"".join(_parts(sha256, line))
        if sha256_bytes(content) != sha256:
            raise ClusterError(f"a file of the run has changed on the controller: SHA-256 {sha256[:12]} is not there")
        write_atomic(path, content)
    return path


def _parts(sha256: str, line: Line) -> Iterator[bytes]:
    offset = 0
    while True:
        data = line.ask("file", sha256=sha256, offset=offset).get("data")
        if not isinstance(data, bytes) or not data:
            return
        yield data
        offset += len(data)


def part(path: Path, offset: int) -> Message:
    """A part of a file, as the controller answers; empty behind its end, and where it can't be read."""
    try:
        with path.open("rb") as handle:
            handle.seek(offset)
            return {"data": handle.read(PART_BYTES)}
    except OSError:
        return {"data": b""}
