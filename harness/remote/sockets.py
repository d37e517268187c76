"""The folder of this process's OpenSSH sockets: shared connections to jump hosts, and the agent of
:mod:`harness.remote.asked`.

A killed process cleans nothing up. So a shell waits for the end of this process, then closes the shared connections and
removes the folder.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path

#: The names of shared connections' sockets begin with this.
SHARED = "hop-"

#: Argument: the folder. The script reads until the pipe from this process is closed, by the process or by its end.
_TIDY = (
    f'read -r _; for socket in "$1"/{SHARED}*; do '
    '[ -S "$socket" ] && ssh -F /dev/null -o "ControlPath=$socket" -O exit harness; done; rm -rf "$1"'
)
_LOCK = threading.Lock()
_OPEN: list[tuple[Path, subprocess.Popen[bytes]]] = []


def folder() -> Path:
    """The folder. Its path is short whatever TMPDIR is, since OpenSSH allows 104 bytes less a random suffix."""
    with _LOCK:
        if not _OPEN:
            made = tempfile.mkdtemp(prefix="harness-")
            if len(made) > 60:
                with contextlib.suppress(OSError):
                    Path(made).rmdir()
                made = tempfile.mkdtemp(prefix="harness-", dir="/tmp")
            tidy = subprocess.Popen(
                ["sh", "-c", _TIDY, "sh", made], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
            )  # fmt: skip
            _OPEN.append((Path(made), tidy))
            atexit.register(close)
        return _OPEN[0][0]


def close() -> None:
    """End the shared connections and remove the folder; never raises."""
    with _LOCK:
        while _OPEN:
            _, tidy = _OPEN.pop()
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                tidy.communicate(timeout=10)
