"""Signals that end a run, such as Ctrl-C: noted at once, acted on at a safe place.

Python's own handler raises KeyboardInterrupt wherever the main thread is: while it holds a lock of threading, during an
import, in a callback that can't raise. This handler only notes the signal, and the working code checks
:attr:`Signals.noted` between two steps. A second signal ends the process at once and prints the message prepared for
it. So does the first if nothing has to be released.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

#: The signals that end a run: Ctrl-C, ``kill`` or ``timeout``, and a closed terminal.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What ``signal.signal`` takes and returns.
_Handler = Callable[[int, FrameType | None], object] | int | None
#: Shows the cursor again, which a live table hides.
_SHOW_CURSOR = b"\x1b[?25h"


class Signals:
    """A context manager that handles :data:`ENDING` for the main thread.

    Args:
        leave: ends the process at once, without cleanup; takes the exit code.

    Attributes:
        noted: a signal has arrived and has not been acted on.
        noting: whether the first signal is only noted; otherwise each signal ends the process at once.
        last_words: written to stderr before the process ends at once.
    """

    def __init__(self, leave: Callable[[int], object]) -> None:
        self.noted = False
        self.noting = False
        self.last_words = "harness: interrupted\n"
        self._leave = leave
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> Signals:
        for number in ENDING:
            # signals ignored from the start stay ignored: nohup, and background jobs of a script
            if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.noting and not self.noted:
            self.noted = True
            return
        words = self.last_words.encode("utf-8", "replace")
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
            # os.write, because the interrupted code may hold the stream's lock
            os.write(2, (_SHOW_CURSOR if self.noting and sys.stderr.isatty() else b"") + words)
        self._leave(130)
