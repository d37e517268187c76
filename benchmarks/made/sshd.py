"""The needs of every SSH server on loopback: the program, a free port, keys, and limits that suit a shared machine."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
from pathlib import Path

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
#: Thresholds that don't apply on a shared machine; tests about load and steadiness set their own.
LENIENT = dict.fromkeys(
    ("drift", "dispersion", "waited", "stolen", "others", "memory_stall", "frequency_drop", "machine")
)
#: Ports that this process has given out: what is free now may be promised to a server that has not started yet.
_GIVEN: set[int] = set()


def free_port() -> int:
    """A port for a server, below those that the kernel gives to clients, so that no client can take it first."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


def make_key(path: Path) -> str:
    """A new ed25519 key; returns its public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip()
