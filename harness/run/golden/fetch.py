"""Takes what a runner left on a board: its answer, and the file of outputs beside it. Both are bounded."""

from __future__ import annotations

from harness.core.errors import RunnerError
from harness.core.files import sha256_bytes
from harness.core.safetext import plain
from harness.records.answer import RESULT_LIMIT, OutputsAnswer
from harness.remote.base import Command, Completed, Connection

_TAKE = 'head -c "$1" "$2" && rm -f "$2"'


def result_of(connection: Connection, result: str, done: Completed) -> bytes:
    """The answer of a runner that has ended.

    Raises:
        RunnerError: it left none.
    """
    size = RESULT_LIMIT + 1
    taken = connection.run(Command(["sh", "-c", _TAKE, "sh", str(size), result], timeout_s=120, stdout_limit=size))
    if taken.returncode:
        stderr = plain(done.stderr.decode("utf-8", "replace"))[-3000:]
        raise RunnerError(f"the runner {how_it_ended(done.returncode)}: {stderr.strip()[-800:] or 'nothing said'}")
    return taken.stdout


def how_it_ended(status: int) -> str:
    """A runner's end without a result, for people."""
    signal = status - 128 if status > 128 else -status
    how = f"was ended by signal {signal}" if signal > 0 else f"ended with status {status}"
    killed = " (kill: often the kernel's, when memory runs out)" if signal == 9 else ""
    return f"{how}{killed} and left no result"


def fetched(connection: Connection, file: str, about: OutputsAnswer) -> bytes:
    """The file of outputs, which is removed there.

    Raises:
        RunnerError: it is missing, or is not what the answer says.
    """
    command = Command(
        ["sh", "-c", _TAKE, "sh", str(about.bytes), file],
        timeout_s=120 + about.bytes / 50_000,
        stdout_limit=about.bytes + 1,
    )
    taken = connection.run(command)
    if taken.returncode or len(taken.stdout) != about.bytes or sha256_bytes(taken.stdout) != about.sha256:
        raise RunnerError("the file of outputs is not what the runner's answer says")
    return taken.stdout


def removed(connection: Connection, file: str) -> None:
    """Remove a file of outputs that nobody needs."""
    connection.run(Command(["rm", "-f", file], timeout_s=120))
