"""Files: atomic writes and content hashes. Nothing finished is ever lost or half there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import select
import stat
import tempfile
from pathlib import Path

from harness.errors import ConfigError, StoreError, UsageError

_CHUNK = 1 << 20
#: Some programs take a while before they print a device list.
_PIPE_WAIT_S = 30


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the whole new one, even after a crash.

    Raises:
        StoreError: the disk is full, the folder can't be written...; the old file is untouched.
    """
    # a file's name that is no UTF-8 may be part of a text; nothing that is finished is lost for it
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: can't be written: {error.strerror}", fix="free space or check the folder") from error


def check_folder(folder: Path, option: str, *, fix: str = "name another one") -> None:
    """Look whether files can be put into a folder, before work begins that ends with that; the folder isn't made.

    Args:
        option: by which the user named it, for the message.

    Raises:
        UsageError: it, or the nearest folder above it that is there, takes no files.
    """
    there = folder.absolute()
    try:
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise UsageError(f"{option} {folder}: {there} is no folder", fix=fix)
        with tempfile.TemporaryFile(prefix=".harness-", dir=there):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{option} {folder}: nothing can be written in {there}: {why}", fix=fix) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable (fsync of the directory itself)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_text(path: Path, limit: int) -> str:
    """A text file that a user names: UTF-8 whatever the locale, with or without a byte order mark.

    Raises:
        ConfigError: it isn't there, is no text, or is larger than ``limit`` bytes. A pipe that nobody writes into is
            not waited for.
    """
    name = str(path)
    try:
        data = _read_some(path, limit + 1)
    except FileNotFoundError as error:
        raise ConfigError("not there", file=name, fix="name your list with --devices FILE") from error
    except IsADirectoryError as error:
        raise ConfigError("is a folder", file=name, fix="name the file in it") from error
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", file=name) from error
    if len(data) > limit:
        raise ConfigError(f"is over {limit >> 20} MiB", file=name, fix="is it the right file?")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("is UTF-16", file=name, line=1, fix="save it as UTF-8")
    if b"\0" in data:
        raise ConfigError("is no text file", file=name, line=data[: data.index(0)].count(b"\n") + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError("is not UTF-8", file=name, line=line, fix="save it as UTF-8") from error


def _read_some(path: Path, limit: int) -> bytes:
    """At most ``limit`` bytes of a file, or of a pipe somebody writes into (``<(...)`` of a shell, ``/dev/stdin``)."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb", buffering=0) as handle:
        kind = os.fstat(fd).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
            raise OSError(errno.EINVAL, "neither a file nor a pipe")
        data = b""
        while len(data) < limit:
            more = handle.read(min(limit - len(data), _CHUNK))
            if more is None:  # a writer is there and has nothing yet
                if not select.select([fd], [], [], _PIPE_WAIT_S)[0]:
                    raise OSError(errno.ETIMEDOUT, f"a pipe into which nobody wrote for {_PIPE_WAIT_S} s")
                continue
            if not more:
                break
            data += more
        if stat.S_ISFIFO(kind) and not data:
            raise OSError(errno.ENODATA, "a pipe into which nobody writes")
        return data


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
