"""Standard output and standard error, including the cases where one of them is closed or full."""

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

#: The name of file descriptor 1 in an error's ``filename``.
STDOUT = "standard output"


class Stdout(io.FileIO):
    """File descriptor 1, whose errors name it."""

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
    """Provide all three standard streams, even if some were closed at the start.

    For a closed stream Python has None. Then print() silently does nothing, text for stderr goes to stdout, and the
    next file that is opened takes the descriptor.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        if number == 1:  # opened for reading, so that every write fails and is noticed
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
            errors="replace",  # a name that a terminal's encoding lacks costs no result
            line_buffering=before is not None and before.line_buffering,
            write_through=before is not None and before.write_through,
        )  # fmt: skip


def say_error(message: str) -> None:
    """Print one line on stderr, even if nobody reads it any more."""
    with contextlib.suppress(OSError):
        print(plain(f"harness: {message}"), file=sys.stderr, flush=True)


def print_unless_used(answer: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, unless something was written there: ``--json`` promises a single object."""
    with contextlib.suppress(OSError):  # reported when the program ends
        sys.stdout.flush()
        raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
        if not getattr(raw, "used", False):
            print(json.dumps(answer))


def os_error(error: OSError) -> int:
    """Print one line on an error that no package has mapped; returns the exit code. No message is needed for a reader
    that stops early, such as head.
    """
    ours = error.filename == STDOUT
    if not (ours and error.errno == errno.EPIPE):
        closed = ours and error.errno == errno.EBADF
        say_error(f"{error.filename or 'a file'}: {'closed' if closed else error.strerror or error}")
    if ours:
        with contextlib.suppress(OSError, ValueError):
            # the rest of the buffer would fail again when Python exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
