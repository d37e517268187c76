"""Connections: the same promises from the local one and from SSH to a real server."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.made.sshd import free_port, make_key
from harness.core.errors import (
    AuthenticationError,
    ConnectionLostError,
    HostKeyError,
    OutputLimitError,
    RemoteCommandError,
    RemoteTimeoutError,
    TransportError,
    UnreachableError,
)
from harness.core.files import sha256_file
from harness.remote.base import Command, Completed, Connection
from harness.remote.local import LocalConnection
from harness.remote.ssh import SshConnection
from harness.remote.target import SshTarget
from tests.support.loopback import target
from tests.support.sshd_fixtures import Sshd


@pytest.fixture(params=["local", "ssh"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    if request.param == "local":
        yield LocalConnection("here", tmp_path / "root")
        return
    made = SshConnection(target(request.getfixturevalue("sshd")))
    yield made
    made.close()


def test_runs_programs_with_every_word_quoted(connection: Connection) -> None:
    words = ["a b", "$(id)", "`id`", "it's", '"', "\\", "*", "~", ";", "", "ä\n€"]
    code = "import sys; sys.stdout.write('|'.join(sys.argv[1:])); sys.stderr.write('E'); sys.exit(3)"
    done = connection.run(Command(["python3", "-c", code, *words], timeout_s=30))
    assert done == Completed(3, "|".join(words).encode(), b"E")
    with pytest.raises(RemoteCommandError, match="ended with status 3: E"):
        done.check("it")


def test_feeds_stdin_and_environment(connection: Connection, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3_000_000))
    done = connection.run(Command(["sha256sum"], timeout_s=60, stdin=big))
    assert done.stdout.split()[0].decode() == sha256_file(big)
    done = connection.run(Command(["sh", "-c", 'printf %s "$THING"'], timeout_s=30, env={"THING": "a 'b' $c"}))
    assert done.stdout == b"a 'b' $c"


def test_a_hung_program_is_left_after_its_time(connection: Connection) -> None:
    started = time.monotonic()
    with pytest.raises(RemoteTimeoutError, match="did not end within 1 s"):
        connection.run(Command(["sleep", "60"], timeout_s=1))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("end", ["yes", "head -c 50000000 /dev/zero"])
def test_output_is_bounded(connection: Connection, end: str) -> None:
    with pytest.raises((OutputLimitError, RemoteTimeoutError)):
        connection.run(Command(["sh", "-c", end], timeout_s=5, stdout_limit=100_000))


def test_stderr_keeps_its_end_only(connection: Connection) -> None:
    done = connection.run(Command(["sh", "-c", "yes 2>/dev/null | head -c 3000000 >&2; echo last >&2"], timeout_s=60))
    assert done.stderr.endswith(b"last\n")
    assert len(done.stderr) <= 64 << 10


def test_a_held_stdin_ends_with_the_command(connection: Connection) -> None:
    code = "import sys; sys.stdin.readline(); print('read', flush=True)"
    held = Command(["python3", "-c", code], timeout_s=30, stdin=b"x\n", hold_stdin=True)
    assert connection.run(held).stdout == b"read\n"


def test_a_missing_program_is_told(connection: Connection) -> None:
    try:
        done = connection.run(Command(["no-such-program-here"], timeout_s=30))
    except TransportError as error:
        assert "no-such-program-here" in str(error)
    else:
        assert done.returncode == 127


def _another_key(sshd: Sshd) -> dict[str, object]:
    sshd.pin(make_key(sshd.folder / "other"))
    return {}


def _no_key(sshd: Sshd) -> dict[str, object]:
    sshd.known_hosts.write_text("")
    return {}


def _stranger(sshd: Sshd) -> dict[str, object]:
    make_key(sshd.folder / "stranger")
    return {"identity_file": sshd.folder / "stranger"}


def _nobody(sshd: Sshd) -> dict[str, object]:
    return {"port": free_port()}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (_another_key, HostKeyError, "host key CHANGED"),
        (_no_key, HostKeyError, "host key is not known"),
        (_stranger, AuthenticationError, "does not let user"),
        (_nobody, UnreachableError, "can't be reached"),
    ],
)
def test_a_connection_that_must_not_be(
    sshd: Sshd, change: Callable[[Sshd], dict[str, object]], error: type[TransportError], said: str
) -> None:
    with pytest.raises(error, match=said):
        SshConnection(target(sshd, **change(sshd)), connect_timeout_s=5)


def test_an_unknown_key_is_not_learnt(sshd: Sshd) -> None:
    sshd.known_hosts.write_text("")
    for _ in range(2):
        with pytest.raises(HostKeyError):
            SshConnection(target(sshd))
    assert sshd.known_hosts.read_text() == ""


def test_a_killed_server_is_a_lost_connection(sshd: Sshd) -> None:
    connection = SshConnection(target(sshd))
    killer = threading.Timer(1, sshd.kill_sessions)
    killer.start()
    with pytest.raises(ConnectionLostError):
        connection.run(Command(["sleep", "20"], timeout_s=15))
    killer.join()
    connection.close()


def test_ssh_config_is_honoured(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh takes the home folder from the user database, so its configuration is given to it by a wrapper here;
    tests/strange has users of their own."""
    config, wrapper = tmp_path / "config", tmp_path / "bin/ssh"
    config.write_text(
        f"Host board-alias\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.client_key}\n"
        f"  UserKnownHostsFile {sshd.known_hosts}\n"
    )
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    connection = SshConnection(SshTarget("alias", "board-alias"))
    assert connection.root == f"{sshd.home}/.cache/harness"
    connection.close()
