"""Programs on a board over SSH, with bounded output and mapped errors. :mod:`harness.remote.login` logs in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

import paramiko

from harness.core.errors import ConnectionLostError, LoginShellError, TransportError, UnreachableError
from harness.remote import place
from harness.remote.base import Command, Completed, Held
from harness.remote.channel import Dialogue, ShellEndedError
from harness.remote.login import Carried, connect
from harness.remote.shell import Frame
from harness.remote.target import SshTarget

#: Pauses before a refused session is requested again, in seconds; later in the list, a second connection may help.
_REFUSED_S = (0.0, 0.05, 0.2, 0.5, 1.0, 1.0)
_SECOND_LINK_S = 0.2

#: Prints the home folder if it exists. Where no locale is set, fish takes a non-ASCII letter in HOME for two letters;
#: then the login shell's own environment (that of the parent shell) has the correct value.
_HOME = """
if [ -n "$HOME" ] && [ ! -d "$HOME" ] && [ -n "$(printf %s "$HOME" | LC_ALL=C tr -d ' -~')" ]; then
  login=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$PPID/status")
  HOME=$(tr '\\0' '\\n' <"/proc/$login/environ" | sed -n 's/^HOME=//p')
fi
[ -d "$HOME" ] && printf %s "$HOME"
exit 0
"""


class SshConnection:
    """An open SSH connection.

    Args:
        folder: where the harness's files go on the board, absolute or beginning with ``~/``.

    Raises (on creation): UnreachableError, HostKeyError, AuthenticationError, TransportError. LoginShellError: the
        login succeeds, but no command is run. PlaceError: there is no home folder.
    """

    def __init__(self, target: SshTarget, *, folder: str | None = None, connect_timeout_s: float = 20.0) -> None:
        self.label = target.label
        self._target, self._connect_s = target, connect_timeout_s
        #: the second one is opened only where the server allows one session at a time on each
        self._links: list[Carried] = [connect(target, connect_timeout_s)]
        self._closed = False
        self._sh = "sh"
        try:
            self.home = self._home()
            self.root = place.folder(self.label, self.home, folder)
        except BaseException:
            self.close()  # the caller never receives it
            raise

    def _home(self) -> str | None:
        """The home folder; None where there is none. Bytes that are not UTF-8 are kept as surrogates."""
        again: Completed | None = None
        try:
            done = self._ask_home()
        except ShellEndedError:
            # A start-up file may have replaced PATH. The full path is only a fallback, since a restricted shell refuses
            # a program with a slash.
            self._sh = "/bin/sh"
            with contextlib.suppress(ShellEndedError):
                again = self._ask_home()
            if again is None:
                raise
            done = again
        home = done.check("asking for the home folder").stdout.decode("utf-8", "surrogateescape")
        return home if home.startswith("/") and "\n" not in home else None

    def _ask_home(self) -> Completed:
        """Print the home folder. Stdin stays open until the answer, to reveal a start-up file that awaits input."""
        given_s = self._start_s + 10
        return self.run(Command(["sh", "-c", _HOME], timeout_s=given_s, stdout_limit=4096, hold_stdin=True))

    @property
    def _start_s(self) -> float:
        """The seconds that start-up files may take: as long as logging in."""
        return self._connect_s * 3

    def run(self, command: Command) -> Completed:
        frame = Frame()
        try:
            dialogue = self._begin(frame, command.name, frame.command(command.argv, command.env, sh=self._sh))
            try:
                return dialogue.drive(command)
            finally:
                dialogue.close()
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLostError(f"{self.label}: the connection broke: {error}") from error

    def hold(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Held:
        """See :class:`harness.remote.base.Connection`."""
        frame = Frame()
        try:
            dialogue = self._begin(frame, argv[0], frame.command(argv, env, sh=self._sh))
            try:
                dialogue.await_start(self._start_s)
            except BaseException:
                dialogue.close()
                raise
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLostError(f"{self.label}: the connection broke: {error}") from error
        return dialogue

    def _begin(self, frame: Frame, name: str, line: str) -> Dialogue:
        """A channel with a running program; ``line`` is the login shell's command that starts it."""
        channel = self._session()
        channel.settimeout(30)
        try:
            channel.exec_command(line)
        except paramiko.SSHException as error:
            transport = channel.get_transport()
            channel.close()
            if transport is None or not transport.is_active():
                raise
            raise LoginShellError(
                f"{self.label}: the SSH server there refuses to run a command: {error}",
                fix="the account must be allowed to run commands, not only to copy files",
            ) from error
        return Dialogue(channel, frame, label=self.label, name=name, start_s=self._start_s)

    def _session(self) -> paramiko.Channel:
        """A new session.

        A refused session is requested again, since the server may still be closing the last one. Where the server
        allows one session at a time (``MaxSessions 1``) and the lease uses it, a second connection is opened.
        """
        refused: Exception | None = None
        for pause in _REFUSED_S:
            time.sleep(pause)
            for link in reversed(self._links):
                transport = link.client.get_transport()
                if transport is None or not transport.is_active():
                    raise ConnectionLostError(f"{self.label}: the connection is gone")
                try:
                    channel: paramiko.Channel = transport.open_session(timeout=30)
                    return channel
                except paramiko.ChannelException as error:
                    refused = error
            if len(self._links) == 1 and pause >= _SECOND_LINK_S and not self._closed:
                try:
                    self._links.append(connect(self._target, self._connect_s))
                except UnreachableError as error:
                    raise ConnectionLostError(f"{self.label}: {error.message}") from error
        raise TransportError(
            f"{self.label}: the SSH server there allows no further session: {refused}",
            fix="set 'MaxSessions 10' (OpenSSH's default) in its sshd_config",
        ) from refused

    def close(self) -> None:
        self._closed = True
        for link in self._links:
            with contextlib.suppress(Exception):
                link.close()
