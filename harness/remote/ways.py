"""The route to a board: a socket straight to it, through the user's ProxyCommand, or through jump hosts.

OpenSSH makes every jump, so it verifies each hop's key and logs in there according to the user's files. Boards behind
one jump host share one connection to it, since OpenSSH's servers drop new clients when many connect at once
(MaxStartups).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from harness.core.errors import SshSettingsError, TransportError, UnreachableError
from harness.remote import openssh, sockets
from harness.remote.hops import INNER_ENDED, explained
from harness.remote.ssh_settings import Settings
from harness.remote.target import SshTarget

#: How many connections to one server may be opening at once. MaxStartups allows ten by default.
AT_THE_DOOR = 4

#: How long a shared connection to a jump host outlives its last user, even if this process was killed; in seconds.
_PERSIST_S = 20

#: How long a jump host's refusal is remembered, in seconds, so that not every board behind it has to wait for it.
_REMEMBER_S = 3.0


class Way(Protocol):
    """An open socket towards a board, with an explanation if it breaks."""

    sock: socket.socket

    def explain(self) -> TransportError | None:
        """The error that broke the route, where the board is not at fault; None where nothing is known."""

    def close(self) -> None:
        """End the programs that were started for it; never raises."""


def open_way(target: SshTarget, settings: Settings, *, timeout_s: float) -> Way:
    """Open the route that the settings name.

    Raises:
        TransportError: the route can't be opened; the message names the hop at fault.
    """
    if settings.jumps:
        shared = _shared(target, settings, timeout_s)
        command = [*shared.command(), *_forward(settings), _LABEL]
        alone = _hop_command(target, settings.jumps, timeout_s, _forward(settings))
        return _Proxied(target, command, alone)
    if settings.proxy_command is not None:
        shell = os.environ.get("SHELL") or "/bin/sh"
        return _Proxied(target, [shell, "-c", f"exec {settings.proxy_command}"], None)
    return _direct(target, settings, timeout_s)


@dataclass
class _Direct:
    sock: socket.socket

    def explain(self) -> TransportError | None:
        return None

    def close(self) -> None:
        self.sock.close()


_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def _direct(target: SshTarget, settings: Settings, timeout_s: float) -> _Direct:
    family = _FAMILIES.get(settings.address_family, socket.AF_UNSPEC)
    deadline = time.monotonic() + timeout_s
    try:
        addresses = socket.getaddrinfo(settings.hostname, settings.port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(
            f"{target.shown}: the name '{settings.hostname}' can't be resolved: {getattr(error, 'strerror', error)}",
            fix="is the name right, and does 'ping' know it?",
        ) from error
    failure: OSError | None = None
    for kind_of_address, kind, protocol, _, address in addresses:
        sock = socket.socket(kind_of_address, kind, protocol)
        try:
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            if settings.bind_address is not None:
                sock.bind((settings.bind_address, 0))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        return _Direct(sock)
    assert failure is not None
    where = f" (port {settings.port} of {settings.hostname})"
    raise UnreachableError(
        f"{target.shown}: can't be reached: {failure.strerror or failure}{where}",
        fix="is it switched on, and are name and port right?",
    ) from failure


class _Proxied:
    """A program whose stdin and stdout are the connection, as OpenSSH runs a ProxyCommand."""

    def __init__(self, target: SshTarget, command: Sequence[str], alone: Sequence[str] | None) -> None:
        self._target, self._alone = target, alone
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                list(command), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._stderr,
                start_new_session=True, env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
            )  # fmt: skip
        except OSError as error:
            ours.close()
            self._stderr.close()
            raise SshSettingsError(
                f"{target.shown}: '{command[0]}' can't be started: {error.strerror}",
                fix="see ProxyCommand in ssh_config",
            ) from error
        finally:
            theirs.close()
        self.sock = ours

    def explain(self) -> TransportError | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)  # its last message comes with its end
        if self._process.poll() is None:
            return None  # it still holds the connection, so it isn't the one that broke
        words = self._said()
        if self._alone is not None and "request failed: " in words:
            words = _tried_alone(self._alone) or words  # a shared connection does not pass the reason on
        return explained(self._target, words, jumps=self._alone is not None)

    def _said(self) -> str:
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        return self._stderr.read(1 << 16).decode("utf-8", "replace")

    def close(self) -> None:
        self.sock.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()


def _tried_alone(command: Sequence[str]) -> str:
    with contextlib.suppress(SshSettingsError):
        return openssh.run(command, timeout_s=20).stderr
    return ""


#: A jump host's own settings in the user's files apply, except those that would ask the user, write to known_hosts, or
#: do more than forward the connection. LogLevel: ssh's own messages say what went wrong.
_HOP_OPTIONS = (
    "BatchMode=yes", "StrictHostKeyChecking=yes", "ControlPath=none", "ClearAllForwardings=yes", "ForwardAgent=no",
    "RemoteCommand=none", "PermitLocalCommand=no", "UpdateHostKeys=no", "LogLevel=INFO",
)  # fmt: skip

#: A placeholder for the host's name that ``ssh`` requires although the shared connection decides where it goes.
_LABEL = "harness"


class _Shared:
    """One connection to a jump host, made by OpenSSH and shared through its control socket."""

    def __init__(self, socket_path: Path) -> None:
        self.path = socket_path
        self.lock = threading.Lock()
        self._refused: tuple[float, TransportError] | None = None

    def command(self) -> list[str]:
        # ProxyCommand: where the shared connection has just ended, ssh must not try its own connection to the label
        options = (f"ControlPath={self.path}", "ProxyCommand=false", "BatchMode=yes", "LogLevel=INFO")
        return ["ssh", *(word for option in options for word in ("-o", option))]

    def ensure(self, target: SshTarget, command: Sequence[str], alone: Sequence[str], timeout_s: float) -> None:
        """Open it if needed; other threads wait while it is being opened.

        Args:
            command: opens it.
            alone: takes the same route without sharing, to find out what went wrong.

        Raises:
            TransportError: names the jump host and the reason.
        """
        with self.lock:
            if openssh.run([*self.command(), "-O", "check", _LABEL]).returncode == 0:
                return
            if self._refused and time.monotonic() - self._refused[0] < _REMEMBER_S:
                error = self._refused[1]
                raise type(error)(f"{target.shown}: {error.message.partition(': ')[2]}", fix=error.fix)
            self.path.unlink(missing_ok=True)
            words = _opened(command, timeout_s * 3)
            if words is not None:
                if INNER_ENDED in words:  # a shared connection hides the message of an inner hop's ssh
                    words = _tried_alone(alone) or words
                refused = explained(target, words, jumps=True)
                self._refused = (time.monotonic(), refused)
                raise refused


def _opened(command: Sequence[str], timeout_s: float) -> str | None:
    """Start the shared connection; None when it is open, else OpenSSH's message."""
    with tempfile.TemporaryFile() as stderr:
        try:
            code = subprocess.run(
                list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                timeout=timeout_s, check=False, start_new_session=True,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = -1
        except OSError as error:
            raise SshSettingsError(f"'ssh' can't be started: {error.strerror}") from error
        stderr.seek(0)
        words = stderr.read(1 << 16).decode("utf-8", "replace")
    if code == -1:
        return f"{words}\nthe jump host did not answer within {timeout_s:.0f} s"
    return words if code else None


_SHARED: dict[tuple[str, ...], _Shared] = {}
_SHARED_LOCK = threading.Lock()


def _shared(target: SshTarget, settings: Settings, timeout_s: float) -> _Shared:
    command = _hop_command(target, settings.jumps, timeout_s)
    with _SHARED_LOCK:
        place = sockets.folder() / f"{sockets.SHARED}{len(_SHARED)}"
        shared = _SHARED.setdefault(tuple(command), _Shared(place))
    # first, since ssh uses the first of two equal options
    first = ["-f", "-N", "-M", "-o", f"ControlPersist={_PERSIST_S}", "-o", f"ControlPath={shared.path}"]
    alone = _hop_command(target, settings.jumps, timeout_s, _forward(settings))
    shared.ensure(target, [command[0], *first, *command[1:]], alone, timeout_s)
    return shared


def as_proxy_command(target: SshTarget, settings: Settings, timeout_s: float) -> str:
    """The route through the jump hosts as a ProxyCommand, for a connection of OpenSSH's own."""
    shared = _shared(target, settings, timeout_s)
    words = [*shared.command(), *_forward(settings), _LABEL]
    return shlex.join(words).replace("%", "%%")


def _forward(settings: Settings) -> list[str]:
    """The option of ``ssh`` that connects its stdin and stdout to the board."""
    return ["-W", f"[{settings.hostname}]:{settings.port}"]


def _hop_command(target: SshTarget, jumps: Sequence[str], timeout_s: float, more: Sequence[str] = ()) -> list[str]:
    """``ssh`` to the last jump host, through those before it. Like ``-J``, but with strict options for every hop: with
    ``-J`` the first hops would ask the user at the terminal whether an unknown key is correct.
    """
    *before, last = jumps
    words = ["ssh"]
    for option in (*_HOP_OPTIONS, f"ConnectTimeout={max(1, round(timeout_s))}"):
        words += ["-o", option]
    words += openssh.hop_known_hosts_options(target, last)
    if before:
        *inner, host = (shlex.quote(word).replace("%", "%%") for word in _hop_command(target, before, timeout_s))
        # %h and %p: the address in this hop's own settings
        words += ["-o", f"ProxyCommand={' '.join(inner)} -W '[%h]:%p' {host}"]
    user, host, port = openssh.hop(last)
    words += ["-l", user] if user else []
    words += ["-p", port] if port else []
    return [*words, *more, host]


_DOORS: dict[tuple[object, ...], threading.BoundedSemaphore] = {}


@contextlib.contextmanager
def door(settings: Settings) -> Iterator[None]:
    """Limit how many connections to one server open at once."""
    with _SHARED_LOCK:
        semaphore = _DOORS.setdefault(settings.door, threading.BoundedSemaphore(AT_THE_DOOR))
    with semaphore:
        yield
