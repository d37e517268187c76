"""Files: atomic writes, reading files that a user names, and content hashes.

A write is complete or has not happened. File systems differ, and a missing feature is not the user's fault: CIFS,
vboxsf and many FUSE file systems can't sync a folder. The rename has succeeded there nevertheless, so this is no error.
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
#: How long to wait for a pipe's first bytes: some programs take a while before they print a device list.
_PIPE_WAIT_S = 30
#: Errors of a file system that lacks an operation.
UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
#: The same for the sync of a folder. Some file systems don't even open a folder.
_NO_FOLDER_SYNC = UNSUPPORTED | {errno.EBADF, errno.EISDIR, errno.EACCES, errno.EPERM}
_OWN_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/(?:self|thread-self)/fd/(\d+)")


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the whole new one, even after a crash.

    Args:
        mode: permissions of a new file, before the umask or the folder's default ACL.
        durable: False skips the wait for the disk. It suits files that can be made again.

    Raises:
        StoreError: the file can't be written, e.g. because the disk is full. The old file is untouched.
    """
    data = _bytes(content)
    # a suffix on a long name could exceed the file system's limit
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
    """Write a file that a user asked for by its path. Like :func:`write_atomic`, but it replaces only regular files.

    It writes into a pipe, a device, ``/dev/stdout`` or another open file. It follows a symbolic link and keeps it. An
    existing file keeps its mode.

    Raises:
        StoreError: the file can't be written; the message says why.
    """
    data = _bytes(content)
    try:
        target = _resolved(path)
        state = None if isinstance(target, int) else _stat(target)
        if isinstance(target, Path) and (state is None or stat.S_ISREG(state.st_mode)) and not _in_proc(target):
            write_atomic(target, data, durable=durable)
            if state is not None:
                with contextlib.suppress(OSError):
                    target.chmod(stat.S_IMODE(state.st_mode))
            return
        if state is not None and stat.S_ISDIR(state.st_mode):
            raise StoreError(f"{path}: is a folder", fix="name a file in it")
        _write_through(target, data)
    except OSError as error:
        raise StoreError(f"{path}: can't be written: {error.strerror or error}") from error


def _bytes(content: bytes | str) -> bytes:
    # a text may contain a file name that is not UTF-8; finished results must not be lost because of it
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _resolved(path: Path) -> Path | int:
    """The end of a chain of symbolic links, or the descriptor of a file that this process has open."""
    target = path
    for _ in range(40):
        if own := _OWN_DESCRIPTOR.fullmatch(os.path.abspath(target)):  # noqa: PTH100 - a Path would resolve the link
            return int(own[1] or own[2])
        if _in_proc(target) or not target.is_symlink():
            return target
        target = target.parent / target.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _in_proc(path: Path) -> bool:
    """Whether a path is in ``/proc``. Its entries only look like files and links."""
    return os.path.abspath(path).startswith("/proc/")  # noqa: PTH100 - a Path would resolve the link


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _write_through(target: Path | int, data: bytes) -> None:
    number = os.dup(target) if isinstance(target, int) else os.open(target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(number, "wb", buffering=0) as handle:
        rest = memoryview(data)
        while rest:
            rest = rest[handle.write(rest) or 0 :]


def check_folder(folder: Path, option: str, *, fix: str = "name another one") -> None:
    """Check that files can be written into a folder before long work begins. The folder is not created.

    Args:
        option: the option that named the folder, for the message.

    Raises:
        UsageError: the folder, or its nearest existing parent, can't be written.
    """
    nearest = folder.absolute()
    try:
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise UsageError(f"{option} {folder}: {nearest} is no folder", fix=fix)
        with tempfile.TemporaryFile(prefix=".harness-", dir=nearest):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{option} {folder}: nothing can be written in {nearest}: {why}", fix=fix) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable (fsync of the directory itself) if the file system supports it."""
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
    """Read a text file that a user names: UTF-8 in any locale, with or without a byte order mark.

    Raises:
        ConfigError: the file is missing, is no text, or is larger than ``limit`` bytes; or it is a pipe without a
            writer.
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
    """At most ``limit`` bytes of a file or of a pipe that has a writer (a shell's ``<(...)``, ``/dev/stdin``)."""
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
            if more is None:  # there is a writer, but no data yet
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
