"""Commands as a person types them: at a terminal, answering what is asked."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Sequence

from benchmarks.strangers import Stranger


def type_in(
    stranger: Stranger, command: str, answers: Sequence[tuple[str, str]], *, timeout: float = 300
) -> tuple[int, str]:
    """Run a shell command at a terminal of its own.

    Args:
        answers: what is typed when the output's last line matches a regular expression; the first match counts.

    Returns:
        exit status and everything that was shown.
    """
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setpriv", "--bounding-set=-all", "setsid", "--ctty", "--wait", "bash", "-c", command], cwd=stranger.home,
        env={**stranger.env, "TERM": "dumb", "PS1": "$ "}, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown, answered = "", 0
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:  # the terminal's other side is closed
                    break
                if not data:
                    break
                shown += data.decode(errors="replace")
                continue
            asked = shown[answered:].rpartition("\n")[2]
            for pattern, answer in answers:
                if asked and re.search(pattern, asked):
                    answered = len(shown)
                    os.write(master, answer.encode())
                    break
        return process.wait(10), shown
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{command} goes on:\n{shown}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        os.close(master)
