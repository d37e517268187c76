"""The host key that OpenSSH itself accepts, where certificates, a KnownHostsCommand or DNS decide.

The output of ``ssh`` is no proof: a server may print lines of its own before its key is checked. So ``ssh`` is given an
SSH agent of ours that holds no key. ``ssh`` contacts its agent only after it has accepted the server's key, and tells
the agent which key that is.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import shlex
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

import paramiko

from harness.core.safetext import plain
from harness.remote import openssh, sockets
from harness.remote.hostkeys import Answer, fingerprint
from harness.remote.identities import certified_key
from harness.remote.target import SshTarget

#: Only the server's identity is needed, so everything else in the user's settings is switched off.
_OPTIONS = (
    "ControlPath=none", "BatchMode=yes", "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "RemoteCommand=none",
    "PermitLocalCommand=no", "ClearAllForwardings=yes", "PubkeyAuthentication=yes", "PreferredAuthentications=none",
)  # fmt: skip

_MAX_MESSAGE = 256 << 10
_EXTENSION = 27
_FAILURE = b"\0\0\0\1\5"
_BIND = b"session-bind@openssh.com"
#: ``struct ucred``
_CREDENTIALS = struct.Struct("3i")


def ask_openssh(target: SshTarget, way: str | None, *, timeout_s: float) -> Answer:
    """Let OpenSSH connect, verify the host key by all its rules, and stop before it logs in.

    Args:
        way: a ProxyCommand to the server, with its tokens unexpanded; None where none is needed.
    """
    agent = sockets.folder() / f"agent-{secrets.token_hex(4)}"
    words = ["ssh", "-v", "-o", f"IdentityAgent={openssh.quoted(agent)}"]
    if way is not None:
        words += ["-o", f"ProxyCommand={_with_own_agent(way)}"]
    for option in (*_OPTIONS, f"ConnectTimeout={max(1, round(timeout_s))}"):
        words += ["-o", option]
    words += [*openssh.options(target), "-T", "--", target.host, "exit"]
    try:
        with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryFile() as stderr:
            listener.bind(str(agent))
            listener.listen()
            accepted = _accepted(words, listener, stderr, time.monotonic() + timeout_s * 3)
            stderr.seek(0)
            printed = stderr.read(1 << 18).decode("utf-8", "replace")
    except OSError as error:
        return Answer(None, None, f"ssh can't be started: {error.strerror or error}")
    finally:
        agent.unlink(missing_ok=True)
    if accepted is None:
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        complaints = [line for line in lines if not line.startswith(("debug", "@", "OpenSSH"))]
        return Answer(None, None, plain("; ".join(complaints))[:400])
    return _named(accepted) if accepted else _shown(printed)


def _with_own_agent(way: str) -> str:
    """The ProxyCommand with the user's agent and shell, so that its ``ssh`` uses the user's agent as usual."""
    shell, agent = os.environ.get("SHELL") or "/bin/sh", os.environ.get("SSH_AUTH_SOCK")
    given = [f"SSH_AUTH_SOCK={agent}"] if agent else ["-u", "SSH_AUTH_SOCK"]
    before = shlex.join(["env", *given, f"SHELL={shell}", shell, "-c"]).replace("%", "%%")
    return f"{before} {shlex.quote(f'exec {way}')}"


def _accepted(words: Sequence[str], listener: socket.socket, stderr: IO[bytes], deadline: float) -> bytes | None:
    """The key that ``ssh`` accepts; empty (but not None) where it accepts one and is too old to report which."""
    process = subprocess.Popen(
        list(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        env={**os.environ, "SHELL": "/bin/sh", "SSH_ASKPASS_REQUIRE": "never"},
    )  # fmt: skip
    accepted: bytes | None = None
    try:
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            if not select.select([listener], [], [], 0.0 if ended else 0.05)[0]:
                if ended:
                    break
                continue
            caller, _ = listener.accept()
            with caller, contextlib.suppress(OSError):
                caller.settimeout(5)
                if _process_of(caller) == process.pid:  # another caller would be the user's own, for a jump host
                    accepted = _converse(caller) or accepted or b""
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
        process.kill()
        process.wait()
    return accepted


def _process_of(caller: socket.socket) -> int:
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[0])


def _converse(caller: socket.socket) -> bytes | None:
    """Refuse every request to the agent; return the host key when ``ssh`` sends it."""
    key = None
    while head := caller.recv(4, socket.MSG_WAITALL):
        size = int.from_bytes(head, "big")
        if len(head) < 4 or not 0 < size <= _MAX_MESSAGE:
            break
        body = caller.recv(size, socket.MSG_WAITALL)
        message = paramiko.Message(body[1:])
        if body[0] == _EXTENSION and message.get_binary() == _BIND:
            key = message.get_binary()
        caller.sendall(_FAILURE)
    return key


def _named(blob: bytes) -> Answer:
    key = certified_key(blob) or blob
    return Answer(paramiko.Message(key).get_text(), fingerprint(key))


def _shown(printed: str) -> Answer:
    """The accepted key as printed by ssh before OpenSSH 8.9, its only source there. If a server had such a line printed
    as well, there are two, and neither counts.
    """
    shown = set(re.findall(r"^debug1: Server host (?:key|certificate): (\S+) (SHA256:\S+)", printed, re.MULTILINE))
    if len(shown) != 1:
        return Answer(None, None, "its words about the host key are ambiguous")
    ((kind, digest),) = shown
    return Answer(kind.removesuffix("-cert-v01@openssh.com"), digest.rstrip(","))
