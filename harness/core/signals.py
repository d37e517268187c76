"""Ctrl-C and its kin: a signal is noted, and acted on at a safe place.

Python's own handler raises KeyboardInterrupt wherever the main thread stands: in the middle of a lock of
threading, of an import, of a callback that can't raise. So a signal is only noted here; whoever works looks at
:attr:`Signals.noted` between two steps. A second signal, or the first where nothing has to be let go, ends the process
at once, with the last words that were prepared for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

#: What ends a run: Ctrl-C, ``kill`` and ``timeout``, a terminal that closes.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Shows the cursor again, which a live table hides.
_SHOW_CURSOR = b"\x1b[?25h"


class Signals:
    """A context manager that handles :data:`ENDING` for the main thread.

    Args:
        leave: ends the process with this exit code, at once and without clearing up.

    Attributes:
        noted: a signal came and has still to be acted on.
        noting: signals are noted the first time; else each ends the process at once.
        last_words: written to stderr when the process is ended at once.
    """

    def __init__(self, leave: Callable[[int], Any]) -> None:
        self.noted = False
        self.noting = False
        self.last_words = "harness: interrupted\n"
        self._leave = leave
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in ENDING:
            # what is ignored from the start stays so: nohup, and jobs in the background of a script
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
            # os.write: the stream's own lock may be held by the code that this handler interrupts
            os.write(2, (_SHOW_CURSOR if self.noting and sys.stderr.isatty() else b"") + words)
        self._leave(130)
