"""What this machine last knew of a run's objects, each beside the state of its file here.

A file that has another state than the journal says was written here and is not at its place yet. So a process that was
killed at any moment leaves nothing behind that the next one would overlook. A lost journal costs one comparison of
contents.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import NamedTuple

from harness.core.errors import StoreError
from harness.core.files import write_atomic
from harness.results import jsonfile

NAME = ".objects.jsonl"
_MAX_BYTES = 256 << 20


class Entry(NamedTuple):
    """An object's mark, and the file's size in bytes and time of modification in ns; both -1 for a removed file."""

    mark: str
    size: int
    mtime_ns: int

    @property
    def removed(self) -> bool:
        """Whether the file was removed here, and the object should be."""
        return self.mtime_ns < 0

    def is_of(self, state: os.stat_result) -> bool:
        """Whether the file is still as it was."""
        return (self.size, self.mtime_ns) == (state.st_size, state.st_mtime_ns)


class Journal:
    """The entries of one run, by the objects' names; appended to at each change, from any thread."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NAME
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        lines = self._lines()
        for line in lines:
            self._take(line)
        if len(lines) > 2 * len(self.entries) + 100:
            with contextlib.suppress(StoreError):
                text = "".join(_line(name, entry) for name, entry in self.entries.items())
                write_atomic(self._path, text, durable=False)

    def note(self, name: str, mark: str, state: os.stat_result) -> None:
        """Record that the object is what the file was in this state."""
        self._add(name, Entry(mark, state.st_size, state.st_mtime_ns))

    def note_removed(self, name: str) -> None:
        """Record that a file is removed here, and its object is to be."""
        known = self.entries.get(name)
        self._add(name, Entry(known.mark if known else "", -1, -1))

    def forget(self, name: str) -> None:
        """Record that there is neither a file nor an object."""
        if name in self.entries:
            self._add(name, None)

    def _add(self, name: str, entry: Entry | None) -> None:
        with self._lock:
            if entry is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = entry
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(name, entry))
            except OSError as error:
                raise StoreError(f"{self._path}: can't be written: {error.strerror or error}") from error

    def _lines(self) -> list[bytes]:
        try:
            return jsonfile.read(self._path, _MAX_BYTES).splitlines()
        except StoreError:
            return []

    def _take(self, line: bytes) -> None:
        """Take over a line; one that a crash cut short counts for nothing."""
        try:
            match json.loads(line):
                case [str(name), str(mark), int(size), int(mtime_ns)]:
                    self.entries[name] = Entry(mark, size, mtime_ns)
                case [str(name)]:
                    self.entries.pop(name, None)
        except ValueError:
            return


def _line(name: str, entry: Entry | None) -> str:
    return json.dumps([name, *entry] if entry else [name]) + "\n"
