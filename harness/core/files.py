"""Files: atomic writes, reading what a user names, and content hashes. Nothing finished is ever lost or half there.

File systems differ, and what one of them can't do is no fault of the user's: CIFS, vboxsf and many FUSE file systems
can't sync a folder; the rename has happened all the same.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import select
import stat
import tempfile
from pathlib import Path

from harness.core.errors import ConfigError, StoreError, UsageError

_CHUNK = 1 << 20
#: Some programs take a while before they print a device list.
_PIPE_WAIT_S = 30
#: What a file system answers that has no such operation.
UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
#: The same for the sync of a folder; some don't even open one.
_NO_FOLDER_SYNC = UNSUPPORTED | {errno.EBADF, errno.EISDIR, errno.EACCES, errno.EPERM}
_OWN_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/(?:self|thread-self)/fd/(\d+)")


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the whole new one, even after a crash.

    Args:
        mode: of a new file; the umask (or the folder's default ACL) takes rights away as usual.
        durable: false leaves out the wait for the disk, for what can always be made again.

    Raises:
        StoreError: the disk is full, the folder can't be written...; the old file is untouched.
    """
    data = _bytes(content)
    # a long name with something added would be too long for the file system
    fresh = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(number, "wb") as handle:
                handle.write(data)
                handle.flush()
                if durable:
                    _sync(handle.fileno(), UNSUPPORTED)
            fresh.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path}: can't be written: {error.strerror or error}", fix="free space or check the folder"
        ) from error


def write_output(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a file that a user asked for by its path; like :func:`write_atomic`, but only a plain file is replaced.

    A pipe, a device, ``/dev/stdout`` or another open file is written to. A symbolic link stays, and what it points to
    is written. A file that is there keeps its mode.

    Raises:
        StoreError: it can't be written; says why.
    """
    data = _bytes(content)
    try:
        goal = _end_of_links(path)
        state = None if isinstance(goal, int) else _stat(goal)
        if isinstance(goal, Path) and (state is None or stat.S_ISREG(state.st_mode)) and not _kernels(goal):
            write_atomic(goal, data, durable=durable)
            if state is not None:
                with contextlib.suppress(OSError):
                    goal.chmod(stat.S_IMODE(state.st_mode))
            return
        if state is not None and stat.S_ISDIR(state.st_mode):
            raise StoreError(f"{path}: is a folder", fix="name a file in it")
        _write_through(goal, data)
    except OSError as error:
        raise StoreError(f"{path}: can't be written: {error.strerror or error}") from error


def _bytes(content: bytes | str) -> bytes:
    # a text may hold a file's name that is no UTF-8; finished work must not be lost for that
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _end_of_links(path: Path) -> Path | int:
    """Where symbolic links lead, or the number of a file that this process has open."""
    here = path
    for _ in range(40):
        if own := _OWN_DESCRIPTOR.fullmatch(os.path.abspath(here)):  # noqa: PTH100 - a Path would resolve the link
            return int(own[1] or own[2])
        if _kernels(here) or not here.is_symlink():
            return here
        here = here.parent / here.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _kernels(path: Path) -> bool:
    """Whether a path is in ``/proc``: what is there only looks like files and links."""
    return os.path.abspath(path).startswith("/proc/")  # noqa: PTH100 - a Path would resolve the link


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _write_through(goal: Path | int, data: bytes) -> None:
    number = os.dup(goal) if isinstance(goal, int) else os.open(goal, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(number, "wb", buffering=0) as handle:
        rest = memoryview(data)
        while rest:
            rest = rest[handle.write(rest) or 0 :]


def check_folder(folder: Path, option: str, *, fix: str = "name another one") -> None:
    """Check that files can be put into a folder, before work begins that ends with that; the folder isn't made.

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
    """Make a rename in ``folder`` durable (fsync of the directory itself), where the file system can do that."""
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FOLDER_SYNC:
            return
        raise
    try:
        _sync(number, _NO_FOLDER_SYNC)
    finally:
        os.close(number)


def _sync(number: int, unsupported: set[int]) -> None:
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in unsupported:
            raise


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
