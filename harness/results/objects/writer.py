"""Brings the files of a claimed run to their objects: each at once, and what failed as soon as the store answers again.

A store that doesn't answer must not hold up measuring. So a file is tried once when it was written; after a failure
the next try waits, longer each time. All files that wait are tried with patience at the end of the run.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.core.errors import LockTakenError, StoreError
from harness.results.objects import layout
from harness.results.objects.journal import Journal
from harness.results.objects.store import Objects
from harness.results.storage import Say

#: The wait after the first failure, in seconds; it doubles with each further one.
WAIT_S = 15.0
MOST_WAIT_S = 300.0
#: The pauses between tries at the end of a run, in seconds.
PATIENT_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
#: How many objects are read or written at once.
AT_ONCE = 16


class Writer:
    """Writes one run.

    Attributes:
        run_dir: the run's folder in the mirror; its name is the run's.

    Args:
        confirm: raises LockTakenError where the run is not this process's any more.
    """

    def __init__(
        self, objects: Objects, run_dir: Path, journal: Journal, confirm: Callable[[], None], say: Say
    ) -> None:
        self._objects, self.run_dir, self._journal = objects, run_dir, journal
        self._confirm, self._say = confirm, say
        self._one_at_a_time: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._failures = 0
        self._quiet_until = 0.0

    def put(self, name: str) -> None:
        """Bring a file to its object, unless the store has failed lately.

        Raises:
            LockTakenError: another controller has taken the run over.
        """
        with self._lock:
            if time.monotonic() < self._quiet_until:
                return
            behind = self._failures > 0
            if behind:  # one thread tries, the others wait for how that ends
                self._quiet_until = time.monotonic() + WAIT_S
        try:
            self._confirm()
            self._send(name, ())
        except LockTakenError:
            raise
        except StoreError as error:
            self._failed(error)
            return
        self._worked()
        if behind:
            self.settle(())

    def remove(self, path: Path, name: str) -> None:
        """Remove a file and its object. The object may have to wait."""
        self._journal.note_removed(name)
        path.unlink(missing_ok=True)
        self.put(name)

    def waiting(self) -> tuple[str, ...]:
        """The files that are not at their place yet, and those whose objects are still to be removed."""
        entries = self._journal.entries
        here = {
            name
            for name, state in layout.files(self.run_dir)
            if (entry := entries.get(name)) is None or not entry.is_of(state)
        }
        gone = {name for name, entry in list(entries.items()) if entry.removed}
        # run.json comes last: a run that is listed has what it names
        return tuple(sorted(here | gone, key=lambda name: (name == "run.json", name)))

    def settle(self, pauses: Sequence[float] | None = None) -> tuple[str, ...]:
        """Bring everything that waits to its place; returns the names of what still waits.

        Args:
            pauses: between tries of one file, in seconds; None for :data:`PATIENT_S`.

        Raises:
            LockTakenError: another controller has taken the run over.
        """
        names = self.waiting()
        if not names:
            return ()
        stop = threading.Event()

        def send(name: str) -> None:
            if not stop.is_set():
                try:
                    self._send(name, PATIENT_S if pauses is None else pauses)
                except StoreError as error:
                    stop.set()
                    self._failed(error)

        try:
            self._confirm()
        except LockTakenError:
            raise
        except StoreError as error:
            self._failed(error)
            return names
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(send, [name for name in names if name != "run.json"]))
        if "run.json" in names:
            send("run.json")
        if not stop.is_set():
            self._worked()
        return self.waiting()

    def _send(self, name: str, pauses: Sequence[float]) -> None:
        """Make the object what the file is now: its content, or nothing."""
        with self._lock:
            lock = self._one_at_a_time[name]
        with lock:
            path = self.run_dir / name
            try:
                state, data = path.stat(), path.read_bytes()
            except FileNotFoundError:
                self._objects.remove(f"{self.run_dir.name}/{name}", pauses)
                self._journal.forget(name)
                return
            except OSError as error:
                raise StoreError(f"{path}: can't be read: {error.strerror or error}") from error
            stored = self._objects.write(f"{self.run_dir.name}/{name}", data, pauses)
            self._journal.note(name, stored.mark, state)

    def _worked(self) -> None:
        with self._lock:
            self._failures, self._quiet_until = 0, 0.0

    def _failed(self, error: StoreError) -> None:
        with self._lock:
            self._failures += 1
            wait = min(MOST_WAIT_S, WAIT_S * 2 ** (self._failures - 1))
            self._quiet_until = time.monotonic() + wait
        self._say(f"{error}; it is kept here and tried again later")
