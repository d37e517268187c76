"""Brings one run of a mirror up to date with its objects: what changed is read, what is gone is removed.

A file that was written here and is not at its place yet stays. Where its object was changed by another controller
meanwhile, that one counts, and the file is put aside under a name that is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import LockTakenError, StoreError
from harness.core.files import write_atomic
from harness.core.locks import take_lock
from harness.results.objects import layout
from harness.results.objects.journal import Journal
from harness.results.objects.store import Objects, Stored
from harness.results.objects.writer import AT_ONCE
from harness.results.storage import Say

ASIDE = ".aside"
#: How often an object is read anew that changed while it was read.
_CHANGES = 5


@dataclass(frozen=True)
class Refresh:
    """Brings one run up to date.

    Attributes:
        run_dir: the run's folder in the mirror; its name is the run's.
    """

    objects: Objects
    run_dir: Path
    journal: Journal
    say: Say

    def take(self, there: Mapping[str, Stored]) -> None:
        """Make the files here what the objects are.

        Args:
            there: the run's objects by their names relative to the run; others than the run's files are left out.

        Raises:
            StoreError: an object can't be read, or a file can't be written.
        """
        here = dict(layout.files(self.run_dir))
        due = [(name, there[name], here.get(name)) for name in sorted(there) if self._is_due(name, there[name], here)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: self._fetch(*each), due))
        for name in [name for name in here if name not in there]:
            entry = self.journal.entries.get(name)
            if entry is not None and entry.is_of(here[name]):
                (self.run_dir / name).unlink(missing_ok=True)
                self.journal.forget(name)

    def take_one(self, name: str, stored: Stored) -> None:
        """Make one file what its object is; see :meth:`take`."""
        here = {found: state for found, state in layout.files(self.run_dir) if found == name}
        if self._is_due(name, stored, here):
            self._fetch(name, stored, here.get(name))

    def _is_due(self, name: str, stored: Stored, here: Mapping[str, os.stat_result]) -> bool:
        """Whether an object is to be read: it is not what this machine last knew, or its file is missing."""
        entry = self.journal.entries.get(name)
        if entry is None or entry.mark != stored.mark:
            return True
        return name not in here and not entry.removed

    def _fetch(self, name: str, stored: Stored, state: os.stat_result | None) -> None:
        path, entry = self.run_dir / name, self.journal.entries.get(name)
        written_here = state is not None and (entry is None or not entry.is_of(state))
        if stored.size > layout.limit(name):
            if written_here:
                self._put_aside(path, name)
            _stand_in(path, layout.limit(name) + 1)
        else:
            found = self._read(name, stored)
            if found is None:
                return
            stored, data = found
            if not written_here or path.read_bytes() != data:
                if written_here:
                    self._put_aside(path, name)
                write_atomic(path, data, durable=False)
        self.journal.note(name, stored.mark, path.stat())

    def _read(self, name: str, stored: Stored) -> tuple[Stored, bytes] | None:
        """An object's state and content; None if it is gone."""
        place = f"{self.run_dir.name}/{name}"
        for _ in range(_CHANGES):
            data = self.objects.read(place, layout.limit(name)) if stored.size else b""
            if data is None or len(data) == stored.size:
                return None if data is None else (stored, data)
            now = self.objects.state(place)
            if now is None:
                return None
            stored = now
        raise StoreError(f"{self.objects.url}/{place}: changes all the time", fix="try again later")

    def _put_aside(self, path: Path, name: str) -> None:
        aside = self.run_dir / ASIDE / f"{path.stat().st_mtime_ns}-{name.replace('/', '-')}"
        aside.parent.mkdir(exist_ok=True)
        path.replace(aside)
        self.say(
            f"{self.objects.url}/{self.run_dir.name}/{name}: another controller wrote it meanwhile, and that "
            f"one counts; what was measured here is kept as {aside}"
        )


def worked_on_here(run_dir: Path) -> bool:
    """Whether a process of this machine works on the run. Its files here are newer than the objects then."""
    if not run_dir.is_dir():
        return False
    try:
        take_lock(run_dir / ".lock").close()
    except LockTakenError:
        return True
    return False


def _stand_in(path: Path, size: int) -> None:
    """A file that is as much too large as can be told without its content; it takes no space on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
