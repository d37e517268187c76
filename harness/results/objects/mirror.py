"""Runs at an address of fsspec, worked on in a folder of the cache.

Before reading, the folder is brought up to date: only objects that changed are read, several at once. A file that is
written goes into the folder first, whole, and then to its place as one object. What could not be brought there stays
in the folder, and the next command that uses the run brings it there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.core.errors import LockTakenError, StoreError, UsageError
from harness.core.locks import locked
from harness.core.paths import cache_dir
from harness.core.safetext import slug
from harness.results import store
from harness.results.objects import layout
from harness.results.objects.claim import Claim, place_of
from harness.results.objects.journal import Journal
from harness.results.objects.refresh import ASIDE, Refresh, worked_on_here
from harness.results.objects.store import Objects, Stored
from harness.results.objects.writer import AT_ONCE, Writer
from harness.results.storage import Say, Storage

#: What decides, besides the URL, which server an address means.
_SETTINGS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE")


class Mirror(Storage):
    """Runs at a URL.

    Args:
        url: without secrets.
        say: receives lines for people.

    Raises:
        UsageError, MissingExtraError: fsspec can't use such a URL here.
    """

    def __init__(self, url: str, say: Say) -> None:
        self._objects = Objects(url)
        means = [url, self._objects.endpoint, *(os.environ.get(name, "") for name in _SETTINGS)]
        name = f"{slug(url.partition('://')[2])}-{hashlib.sha256(repr(means).encode()).hexdigest()[:16]}"
        super().__init__((cache_dir() / "results" / name).resolve(), url)
        self._say = say
        self._writer: Writer | None = None

    def check(self) -> None:
        probe = f".harness-{os.urandom(6).hex()}"
        try:
            self._objects.write(probe, b"can results be written?\n", (0.5, 1.0, 2.0))
            self._objects.remove(probe)
        except StoreError as error:
            raise UsageError(f"--results {error.message}", fix=error.fix) from error

    def find_run(self, name: str = store.LATEST) -> Path:
        if name != store.LATEST and not store.can_name(name):
            return store.find_run(self.folder, name)  # a path
        with self._named(), self._alone():
            if name == store.LATEST:
                return self._latest()
            self._fetch(name, self._objects.all(name))
            with contextlib.suppress(StoreError):
                return store.find_run(self.folder, name)
            self._index()
            return store.find_run(self.folder, name)

    def list_runs(self) -> list[Path]:
        with self._named(), self._alone():
            runs: dict[str, dict[str, Stored]] = {}
            for name, stored in self._objects.all().items():
                run, _, rest = name.partition("/")
                runs.setdefault(run, {})[rest] = stored
            for run in sorted({*filter(store.can_name, runs), *self._here()}):
                self._fetch(run, runs.get(run, {}))
            return store.list_runs(self.folder)

    @contextlib.contextmanager
    def claimed(self, run_dir: Path, say: Say) -> Iterator[None]:
        if run_dir.parent != self.folder:  # a run that is kept elsewhere, given by its path
            with super().claimed(run_dir, say):
                yield
            return
        with contextlib.ExitStack() as stack:
            with self._alone():
                stack.enter_context(store.claimed(run_dir))
            journal = Journal(run_dir)
            claim = stack.enter_context(Claim(self._objects, run_dir.name, place_of(self.folder), say))
            self._check_unchanged(run_dir.name, journal)
            self._writer = writer = Writer(self._objects, run_dir, journal, confirm=claim.confirm, say=say)
            writer.settle(())
            try:
                yield
            finally:
                self._writer = None
                with contextlib.suppress(LockTakenError):
                    writer.settle(())

    def kept(self, path: Path) -> None:
        if self._writer is not None:
            self._writer.put(path.relative_to(self._writer.run_dir).as_posix())

    def removed(self, path: Path) -> None:
        if self._writer is None:
            super().removed(path)
        else:
            self._writer.remove(path, path.relative_to(self._writer.run_dir).as_posix())

    def settled(self) -> tuple[str, ...]:
        return self._writer.settle() if self._writer is not None else ()

    def _alone(self) -> contextlib.AbstractContextManager[object]:
        """Keep other processes from changing the mirror's files meanwhile; those of a claimed run are its holder's."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.folder}: can't be made: {error.strerror}", fix="set HARNESS_CACHE") from error

        def waiting() -> None:
            self._say(f"waiting for another process that reads {self.address}")

        return locked(self.folder / ".lock", waiting=waiting)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Let errors name the address instead of the mirror."""
        try:
            yield
        except StoreError as error:
            here = str(self.folder)
            fix = error.fix.replace(here, self.address) if error.fix else None
            raise type(error)(error.message.replace(here, self.address), fix=fix) from error

    def _here(self) -> list[str]:
        """The runs that the mirror has."""
        return [path.name for path in self.folder.iterdir() if path.is_dir() and store.can_name(path.name)]

    def _fetch(self, run: str, there: Mapping[str, Stored]) -> None:
        """Bring a run's files up to date, and what waits here to its place."""
        run_dir = self.folder / run
        if worked_on_here(run_dir):
            return
        objects = {name: stored for name, stored in there.items() if layout.belongs(name)}
        if not objects and not run_dir.is_dir():
            return
        (run_dir / "cells").mkdir(parents=True, exist_ok=True)  # a run without cells has that folder, too
        journal = Journal(run_dir)
        Refresh(self._objects, run_dir, journal, self._say).take(objects)
        self._bring_what_waits(run_dir, journal)
        if not objects and not any(layout.files(run_dir)) and not (run_dir / ASIDE).exists():
            shutil.rmtree(run_dir, ignore_errors=True)

    def _bring_what_waits(self, run_dir: Path, journal: Journal) -> None:
        """Bring to its place what an earlier process left; where that can't be done now, it is only said."""
        waiting = Writer(self._objects, run_dir, journal, confirm=lambda: None, say=self._say).waiting()
        if not waiting:
            return
        many = f"{len(waiting)} files of run {run_dir.name} are not at {self.address} yet ({waiting[0]}...)"
        try:
            with (
                store.claimed(run_dir),
                Claim(self._objects, run_dir.name, place_of(self.folder), self._say) as claim,
            ):
                left = Writer(self._objects, run_dir, journal, confirm=claim.confirm, say=self._say).settle(())
        except StoreError as error:
            self._say(f"{many}: {error}")
            return
        if not left:
            self._say(f"{len(waiting)} files of run {run_dir.name} were brought to {self.address}")

    def _check_unchanged(self, run: str, journal: Journal) -> None:
        """Make sure that no other controller wrote to the run between the reading of it and the claim on it.

        Raises:
            StoreError: one did.
        """
        there = {name: stored for name, stored in self._objects.all(run).items() if layout.belongs(name)}
        known = {name: entry.mark for name, entry in journal.entries.items() if entry.mark}
        if {name: stored.mark for name, stored in there.items()} != known:
            fix = "the same command again" if known else "another name"
            raise StoreError(f"{self.address}/{run}: another controller wrote to it meanwhile", fix=fix)

    def _index(self) -> dict[str, Stored]:
        """Bring every ``run.json`` up to date; returns their objects by the runs' names."""
        names = sorted(filter(store.can_name, self._objects.folders()))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            states = dict(zip(names, pool.map(lambda run: self._objects.state(f"{run}/run.json"), names), strict=True))
        found = {run: state for run, state in states.items() if state is not None}
        for run in set(self._here()) - found.keys():
            self._fetch(run, self._objects.all(run))
        due = [run for run in found if not worked_on_here(self.folder / run)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda run: self._fetch_head(run, found[run]), due))
        return found

    def _fetch_head(self, run: str, state: Stored) -> None:
        run_dir = self.folder / run
        Refresh(self._objects, run_dir, Journal(run_dir), self._say).take_one("run.json", state)

    def _latest(self) -> Path:
        """The newest run.

        Raises:
            StoreError: there is none, or the newest one is damaged: the run before it is not the latest.
        """
        found = self._index()
        runs = store.list_runs(self.folder)
        if not runs:
            return store.find_run(self.folder, store.LATEST)  # says so
        latest = runs[-1]
        made = found[latest.name].modified if latest.name in found else (latest / "run.json").stat().st_mtime
        for run in (run for run, state in found.items() if state.modified > made and self.folder / run not in runs):
            try:
                store.read_run(self.folder / run)
            except StoreError as error:
                raise StoreError(f"{error.message}; it is the newest run", fix="remove it, or say which run") from error
        self._fetch(latest.name, self._objects.all(latest.name))
        return latest
