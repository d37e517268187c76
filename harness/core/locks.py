"""Locks between processes. Each is the kernel's lock on a file, and ends with the process that holds it.

File systems differ, and what one of them can't do is no fault of the user's:

* NFS locks only files that are open for writing, so a lock is a file of its own and never a folder.
* Some have no locks at all. Then the kernel of this machine is asked to keep others off, see :class:`Lock`.
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

#: What a file system answers that has no locks; NFS says ENOLCK where the server's lock service doesn't run.
_NO_LOCKS = UNSUPPORTED | {errno.EBADF, errno.ENOLCK, errno.EREMOTEIO, errno.EPROTONOSUPPORT}
_POLL_S = 0.1


class Lock:
    """A lock that ends with the process which holds it, or earlier by :meth:`close`.

    It is the kernel's lock on a file. A file system without locks is no reason to stop: then the lock is a socket
    with a name made of the file's device and number, which this machine's kernel gives to one process at a time.
    Other machines are not kept off by it.

    Attributes:
        number: the open file or socket; a child that inherits it holds the lock too.
        shared: whether other machines with the same file system respect the lock.
    """

    def __init__(self, number: int, *, shared: bool) -> None:
        self.number = number
        self.shared = shared

    def close(self) -> None:
        """Let go; the second time does nothing."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)


def take_lock(path: Path, *, wait: bool = False, waiting: Callable[[], None] | None = None, mode: int = 0o666) -> Lock:
    """Lock the file ``path``, made where it is missing; it stays there, empty.

    Args:
        wait: wait until others let go; else a lock that is taken is an error.
        waiting: called once when there is something to wait for.
        mode: of a new file, before the umask.

    Raises:
        LockTakenError: another process has it.
        StoreError: the file can't be opened, or the lock fails for another reason; says which.
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
            kept, number = number, -1
            return Lock(kept, shared=True)
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
    """Open the file for writing, as NFS demands; a file of somebody else for reading, which is enough elsewhere."""
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
    """Take the lock if it is free, and say whether it was. Other errors are raised."""
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
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while True:
            try:
                keeper.bind(name)
                return Lock(keeper.detach(), shared=False)
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
        keeper.close()
