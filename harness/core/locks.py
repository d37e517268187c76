"""Locks between processes. Each is a kernel lock on a file, so the kernel releases it when its process ends.

File systems differ, and a missing feature is not the user's fault:

* NFS locks only files that are open for writing, so a lock is a separate file and never a folder.
* Some file systems have no locks at all. A socket of this machine's kernel replaces the lock there, see :class:`Lock`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.core.errors import LockTakenError, StoreError
from harness.core.files import UNSUPPORTED

#: Errors of a file system without locks. NFS answers ENOLCK if the server's lock service doesn't run.
_NO_LOCKS = UNSUPPORTED | {errno.EBADF, errno.ENOLCK, errno.EREMOTEIO, errno.EPROTONOSUPPORT}
_POLL_S = 0.1


class Lock:
    """A lock that ends with the process that holds it, or earlier by :meth:`close`.

    It is a kernel lock on a file. On a file system without locks it is a socket whose name contains the file's device
    and inode number; the kernel gives that name to one process at a time. A socket does not exclude other machines.

    Attributes:
        number: the descriptor of the open file or socket. A child process that inherits it holds the lock too.
        shared: whether other machines with the same file system respect the lock.
    """

    def __init__(self, number: int, *, shared: bool) -> None:
        self.number = number
        self.shared = shared

    def close(self) -> None:
        """Release the lock. A second call does nothing."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)


def take_lock(path: Path, *, wait: bool = False, waiting: Callable[[], None] | None = None, mode: int = 0o666) -> Lock:
    """Lock the file ``path``. A missing file is created; it stays there, empty.

    Args:
        wait: wait until others release the lock; otherwise a lock that is taken is an error.
        waiting: called once before waiting.
        mode: permissions of a new file, before the umask.

    Raises:
        LockTakenError: another process holds the lock.
        StoreError: the file can't be opened, or the lock fails for another reason; the message says which.
    """
    try:
        number = _open_to_lock(path, mode)
        try:
            try:
                free = _flock(number)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                return _take_socket(path, number, wait, waiting)
            if not free:
                if not wait:
                    raise LockTakenError(f"{path}: another process has it")
                if waiting:
                    waiting()
                fcntl.flock(number, fcntl.LOCK_EX)
            held, number = number, -1
            return Lock(held, shared=True)
        finally:
            if number >= 0:
                os.close(number)
    except OSError as error:
        raise StoreError(f"{path}: can't be locked: {error.strerror or error}") from error


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True, waiting: Callable[[], None] | None = None) -> Iterator[Lock]:
    """:func:`take_lock` for the length of a ``with``."""
    lock = take_lock(path, wait=wait, waiting=waiting)
    try:
        yield lock
    finally:
        lock.close()


def _open_to_lock(path: Path, mode: int) -> int:
    """Open the file for writing, as NFS demands, or another user's file for reading, which suffices elsewhere."""
    flags = os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | flags, mode)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise error from None


def _flock(number: int) -> bool:
    """Take the lock if it is free; return whether it was. Other errors are raised."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            return False
        raise
    return True


def _take_socket(path: Path, number: int, wait: bool, waiting: Callable[[], None] | None) -> Lock:
    state = os.fstat(number)
    name = f"\0edge-harness-lock-{os.getuid()}-{state.st_dev}-{state.st_ino}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while True:
            try:
                listener.bind(name)
                return Lock(listener.detach(), shared=False)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            if not wait:
                raise LockTakenError(f"{path}: another process has it")
            if waiting:
                waiting()
                waiting = None
            time.sleep(_POLL_S)
    finally:
        listener.close()
