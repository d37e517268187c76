"""Standard output and standard error, also where one of them is closed or full."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.core.safetext import plain

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: The name of file 1 in an error's ``filename``.
STDOUT = "standard output"


class Stdout(io.FileIO):
    """File 1, whose errors say that they are about it."""

    #: something was written
    used = False

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            self.used = True
            return super().write(data)
        except OSError as error:
            error.filename = STDOUT
            raise


def prepare_streams() -> None:
    """Have three streams, whatever we were started with.

    For a stream that is closed Python has None: then print() says nothing and all seems well, what is meant for stderr
    goes to stdout, and the next file that is opened takes the number.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        if number == 1:  # opened for reading: whatever is written there fails, and is noticed
            os.dup2(os.open(os.devnull, os.O_RDONLY), number)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    before = sys.stdout
    if before is None or before is sys.__stdout__:
        if before is not None:
            before.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(Stdout(1, "w", closefd=False)), encoding=before.encoding if before else "utf-8",
            errors="replace",  # a name that a terminal's encoding hasn't got costs no result
            line_buffering=before is not None and before.line_buffering,
            write_through=before is not None and before.write_through,
        )  # fmt: skip


def say_error(message: str) -> None:
    """One line on stderr; nobody may be listening any more."""
    with contextlib.suppress(OSError):
        print(plain(f"harness: {message}"), file=sys.stderr, flush=True)


def print_unless_used(answer: Mapping[str, object]) -> None:
    """One JSON object on stdout, unless something was written there: ``--json`` promises a single one."""
    with contextlib.suppress(OSError):  # said when the program ends
        sys.stdout.flush()
        raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
        if not getattr(raw, "used", False):
            print(json.dumps(answer))


def os_error(error: OSError) -> int:
    """One line on an error that no room has mapped; the exit code. A reader that has enough, like head, needs no
    message."""
    ours = error.filename == STDOUT
    if not (ours and error.errno == errno.EPIPE):
        closed = ours and error.errno == errno.EBADF
        say_error(f"{error.filename or 'a file'}: {'closed' if closed else error.strerror or error}")
    if ours:
        with contextlib.suppress(OSError, ValueError):
            # what is left in the buffer would fail again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
