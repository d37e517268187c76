"""Where runs are kept: in a folder of this machine, or at any address that fsspec reaches, such as ``s3://bucket/runs``.

All that reads or writes results works on a folder. For an address elsewhere that folder is a mirror in the cache
(:mod:`harness.results.objects.mirror`), so that nothing else needs to know. A folder is used as it is, and fsspec is
not imported for it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from harness.core.errors import UsageError
from harness.core.files import check_folder
from harness.results import store

Say: TypeAlias = Callable[[str], object]
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
#: Schemes of folders of this machine. They need no mirror, and kernel locks hold there.
_LOCAL = ("file", "local")
_PRINTABLE = re.compile(r"[^\s\x00-\x1f\x7f]+")


class Storage:
    """Runs in a folder of this machine.

    Attributes:
        folder: the folder, with one folder for each run.
        address: the value of ``--results`` that means this place.
    """

    def __init__(self, folder: Path, address: str | None = None) -> None:
        self.folder = folder
        self.address = str(folder) if address is None else address

    def check(self) -> None:
        """Check that results can be written, before anything is measured.

        Raises:
            UsageError: they can't.
        """
        check_folder(self.folder, "--results")

    def find_run(self, name: str = store.LATEST) -> Path:
        """The folder of a run, up to date; see :func:`harness.results.store.find_run`."""
        return store.find_run(self.folder, name)

    def list_runs(self) -> list[Path]:
        """The folders of all readable runs, up to date; oldest first."""
        return store.list_runs(self.folder)

    @contextlib.contextmanager
    def claimed(self, run_dir: Path, say: Say) -> Iterator[None]:
        """Reserve a run for this process; files are written only meanwhile.

        Args:
            say: receives lines for people, from any thread.

        Raises:
            LockTakenError: another process, or another controller, works on this run.
            StoreError: the place can't be written.
        """
        del say  # a folder needs no words
        with store.claimed(run_dir):
            yield

    def kept(self, path: Path) -> None:
        """Take note that a file of the claimed run was written. It may be called from several threads.

        Raises:
            LockTakenError: another controller has taken the run over.
        """

    def removed(self, path: Path) -> None:
        """Remove a file of the claimed run, if it exists."""
        path.unlink(missing_ok=True)

    def settled(self) -> tuple[str, ...]:
        """Bring everything of the claimed run to its place; returns the names of files that are not there yet."""
        return ()


def at(address: str | os.PathLike[str] | Storage, say: Say = lambda _line: None) -> Storage:
    """The storage at an address.

    Args:
        address: a path, or a URL that fsspec knows.
        say: receives lines for people about an address elsewhere.

    Raises:
        UsageError: the URL holds a password or a key, or there is no such kind of address.
        MissingExtraError: the library for this kind of address is not installed.
    """
    if isinstance(address, Storage):
        return address
    text = os.fspath(address)
    parts = _URL.fullmatch(text)
    if parts is None or isinstance(address, os.PathLike):
        return Storage(Path(text))
    scheme, rest = parts[1].lower(), parts[2]
    if scheme in _LOCAL:
        return Storage(_local(text, rest))
    _check(scheme, rest)
    from harness.results.objects.mirror import Mirror

    return Mirror(f"{scheme}://{rest.rstrip('/')}", say)


def _local(url: str, rest: str) -> Path:
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    if not path.startswith("/"):
        raise UsageError(f"--results {url}: names no absolute path", fix="file:///the/whole/path")
    return Path(path)


def _check(scheme: str, rest: str) -> None:
    """Refuse secrets in a URL: it stands in the shell's history, in the list of processes and in our output.

    Raises:
        UsageError: it holds one, or it is no plain address. The message doesn't repeat it.
    """
    shown = f"--results {scheme}://..."
    place = rest.partition("/")[0]
    if ":" in place.rpartition("@")[0]:
        raise UsageError(
            f"{shown}: a password or key stands in the URL", fix="leave it to the library's own settings or environment"
        )
    if "?" in rest or "#" in rest:
        raise UsageError(
            f"{shown}: has a query, which may hold a secret",
            fix="leave it to the library's own settings or environment",
        )
    if "::" in rest or "://" in rest:
        raise UsageError(f"{shown}: is a chain of addresses", fix="name one place")
    if not _PRINTABLE.fullmatch(rest) or {".", ".."} & set(rest.split("/")):
        raise UsageError(f"{shown}: is not a plain address", fix="s3://bucket/prefix")
