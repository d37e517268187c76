"""Helpers of the tests that boot QEMU boards. They share the user's own image cache, so it is built at most once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from harness.emulate import Board

#: Nanoseconds, which are instructions by the instruction clock, that a fixed piece of Python takes; the least of five.
COUNT = (
    "python3 -c 'import time\n"
    "def work():\n"
    "    start = time.monotonic_ns(); total = 0\n"
    "    for i in range(100000): total += i * i\n"
    "    return time.monotonic_ns() - start\n"
    "print(min(work() for _ in range(5)))'"
)


def ssh(board: Board, command: str, *, stdin: str = "", timeout: float = 60) -> str:
    """Standard output of ``command`` on ``board``, by the OpenSSH client, against the pinned host key."""
    argv = ["ssh", "-F", "none", "-p", str(board.port), "-i", str(board.identity_file), "-o", "BatchMode=yes"]
    argv += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={board.known_hosts}"]
    argv += ["-o", "GlobalKnownHostsFile=none", f"{board.user}@{board.host}", command]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


def running(pid: int) -> bool:
    """Whether a process has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids: int, within_s: float = 10) -> bool:
    """Wait until none of ``pids`` runs."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def boards_of(parent: Path) -> list[int]:
    """QEMU processes whose command line names the given cache folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"qemu-system" in line.split(b"\0")[0] and str(parent).encode() in line:
                found.append(int(entry.name))
    return found
