"""The objects under one address: listed, read and written whole. fsspec is used here and nowhere else.

Every operation is tried several times, since connections are refused and cut. A write may have happened although its
answer was lost, so a conditional write that is refused is held against what is there.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.core.errors import MissingExtraError, StoreError, UsageError
from harness.results.objects import faults

_Answer = TypeVar("_Answer")
#: The pauses between tries, in seconds; each is varied by half, so that several controllers don't come at once.
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
#: Schemes whose stores take an object whole or not at all. Elsewhere it gets its name when it is complete.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "obs", "b2", "memory"})
#: Schemes whose stores replace an object on the condition that it is unchanged.
_CONDITIONAL = frozenset({"s3", "s3a"})
#: Where back ends say that an object changed, the surest first.
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "modified", "created")
_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")


@dataclass(frozen=True)
class Stored:
    """An object's state.

    Attributes:
        size: in bytes.
        mark: a text that changes whenever the object changes.
        modified: when it was written, in seconds since 1970 by the store's clock; 0.0 where it doesn't say.
    """

    size: int
    mark: str
    modified: float = field(default=0.0, compare=False)


class Objects:
    """The objects under an address. Names are relative to it, with slashes between their parts.

    Args:
        url: ``scheme://place/prefix``, without secrets.

    Raises:
        UsageError: there is no such kind of address.
        MissingExtraError: its library is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._scheme = url.partition("://")[0]
        self._fs, self._root = _file_system(url)

    @property
    def endpoint(self) -> str:
        """The server that fsspec's own settings name for this kind of address, or an empty text."""
        options: Mapping[str, Any] = getattr(self._fs, "storage_options", {})
        named = options.get("endpoint_url") or (options.get("client_kwargs") or {}).get("endpoint_url")
        return str(named or "")

    def all(self, under: str = "") -> dict[str, Stored]:
        """All objects under ``under``, by their names relative to it.

        Raises:
            StoreError: they can't be listed.
        """
        place = self._path(under)

        def listed() -> dict[str, Any]:
            self._fs.invalidate_cache()
            try:
                found: dict[str, Any] = self._fs.find(place, detail=True)
            except FileNotFoundError:
                return {}
            return found

        found = self._tried("listed", under, listed)
        start = place.strip("/") + "/"
        named = ((path.strip("/").removeprefix(start), path, info) for path, info in found.items())
        return {name: _stored(info) for name, path, info in named if path.strip("/").startswith(start)}

    def folders(self) -> list[str]:
        """The names that stand directly under the address and hold objects.

        Raises:
            StoreError: they can't be listed.
        """

        def listed() -> list[str]:
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._root, detail=True)
            except FileNotFoundError:
                return []
            return sorted(
                entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "directory"
            )

        return self._tried("listed", "", listed)

    def state(self, name: str) -> Stored | None:
        """An object's state; None where there is none.

        Raises:
            StoreError: the store doesn't tell.
        """

        def told() -> Stored | None:
            self._fs.invalidate_cache()
            try:
                info = self._fs.info(self._path(name))
            except FileNotFoundError:
                return None
            return _stored(info) if info.get("type") == "file" else None

        return self._tried("looked up", name, told)

    def read(self, name: str, limit: int) -> bytes | None:
        """An object's content, at most ``limit + 1`` bytes of it; None where there is none.

        Raises:
            StoreError: it can't be read.
        """

        def content() -> bytes | None:
            try:
                return bytes(self._fs.cat_file(self._path(name), start=0, end=limit + 1))
            except FileNotFoundError:
                return None

        return self._tried("read", name, content)

    def write(self, name: str, data: bytes, pauses: Sequence[float] | None = None) -> Stored:
        """Write an object whole; a reader sees the old one or the new one. Returns its state.

        Args:
            pauses: between tries, in seconds: an empty one for a single try, None for :data:`PAUSES_S`.

        Raises:
            StoreError: it can't be written.
        """
        path = self._path(name)

        def written() -> Stored:
            if self._scheme in _WHOLE:
                answer = self._fs.pipe_file(path, data)
                if isinstance(answer, Mapping) and (mark := _mark(answer)):
                    return Stored(len(data), f"{len(data)}:{mark}")
            else:
                folder, _, leaf = path.rpartition("/")
                fresh = f"{folder}/.{leaf[:100]}.{secrets.token_hex(6)}.tmp"
                self._fs.makedirs(folder, exist_ok=True)
                self._fs.pipe_file(fresh, data)
                self._fs.mv(fresh, path)
            self._fs.invalidate_cache()
            return _stored(self._fs.info(path))

        return self._tried("written", name, written, pauses)

    def create(self, name: str, data: bytes) -> bool:
        """Write an object that does not exist yet; returns whether it is this one that exists now.

        Some stores ignore the condition: a second call with other data tells.

        Raises:
            StoreError: it can't be written.
        """

        def created() -> bool:
            try:
                if self._scheme not in _WHOLE:
                    self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(self._path(name), data, mode="create")
            except OSError:
                found = self.read(name, len(data))
                if found is None:
                    raise
                return found == data
            return True

        return self._tried("written", name, created)

    def replace(self, name: str, data: bytes, known: Stored) -> bool:
        """Replace an object that is as it was ``known``; returns whether it was.

        Stores other than S3 give no guarantee: of two that replace it at once, both may be told that they did.

        Raises:
            StoreError: it can't be written.
        """

        def replaced() -> bool:
            if self._scheme not in _CONDITIONAL:
                if self.state(name) != known:
                    return False
                self.write(name, data, ())
                return True
            try:
                self._fs.pipe_file(self._path(name), data, IfMatch=known.mark.partition(":")[2])
            except OSError:
                if self.read(name, len(data)) == data:
                    return True  # the answer to an earlier try was lost
                now = self.state(name)
                if now is not None and now.mark == known.mark:
                    raise
                return False
            return True

        return self._tried("written", name, replaced)

    def remove(self, name: str, pauses: Sequence[float] | None = None) -> None:
        """Remove an object, if it exists.

        Raises:
            StoreError: it can't be removed.
        """

        def gone() -> None:
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                return

        self._tried("removed", name, gone, pauses)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _tried(
        self, done: str, name: str, call: Callable[[], _Answer], pauses: Sequence[float] | None = None
    ) -> _Answer:
        for pause in (*(PAUSES_S if pauses is None else pauses), None):
            try:
                return call()
            except StoreError:
                raise  # of an operation within, which has been tried often enough
            except Exception as error:
                if pause is None or faults.lasts(error) or isinstance(error, FileNotFoundError):
                    place = f"{self.url}/{name}" if name else self.url
                    raise StoreError(
                        f"{place}: can't be {done}: {faults.reason(error)}", fix=faults.fix(error)
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries, keeps no secret
        raise AssertionError("the last try returns or raises")


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    scheme = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        # settings are read when a client is made, so another one with other settings is no use
        file_system, root = url_to_fs(url, skip_instance_cache=True)
    except ImportError as error:
        python = Path(sys.executable).name
        extra = f"{python} -m pip install -e '.[s3]'" if scheme in _CONDITIONAL else "pip install the library it names"
        raise MissingExtraError(f"--results {url}: {faults.reason(error)}", fix=extra) from error
    except Exception as error:
        raise UsageError(f"--results {url}: {faults.reason(error)}", fix=faults.fix(error)) from error
    root = root.rstrip("/")
    if not root:
        raise UsageError(f"--results {url}: names no bucket or folder", fix=f"{scheme}://bucket/prefix")
    return file_system, root


def _stored(info: Mapping[str, Any]) -> Stored:
    size = int(info.get("size") or 0)
    times = (_seconds(info[key]) for key in _TIMES if info.get(key))
    return Stored(size, f"{size}:{_mark(info)}", next(times, 0.0))


def _mark(info: Mapping[str, Any]) -> str:
    for key in _MARKS:
        if value := info.get(key):
            return repr(value.timestamp()) if isinstance(value, dt.datetime) else str(value)
    return ""


def _seconds(value: object) -> float:
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else 0.0
