"""Boards of other people: real accounts with login shells and start-up files of their own, behind a real sshd.

The accounts are unprivileged users of this machine, made for one test and removed after it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from benchmarks.made import runtimes
from benchmarks.made.sshd import LENIENT, SSHD, free_port, make_key
from harness.config import devices as config
from harness.core.errors import HarnessError
from harness.doctor.fleet import check_device
from harness.remote.target import SshTarget
from harness.run.session import open_session

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Account:
    """One user of the board."""

    name: str
    home: Path

    def write(self, path: str, text: str) -> Path:
        """A file in the home folder, the user's own."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        user = pwd.getpwnam(self.name)
        for part in (file, *file.parents):
            if self.home in part.parents:
                os.chown(part, user.pw_uid, user.pw_gid)
        return file


@dataclass
class Board:
    """An sshd for accounts. ``settings`` are lines of its configuration."""

    settings: tuple[str, ...] = ()
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="harness-board-")))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)  # its users go through it to their home folders
        kind, body = make_key(self.folder / "host").split()[:2]
        self.client_key, self.known_hosts = self.folder / "client", self.folder / "known_hosts"
        (self.folder / "authorized").write_text(make_key(self.client_key) + "\n")
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {body}\n")
        Path("/run/sshd").mkdir(exist_ok=True)

    def start(self, *settings: str) -> Board:
        """Also anew, with other settings."""
        self.halt()
        config = self.folder / "sshd_config"
        lines = (
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder}/host", "PidFile none",
            f"AuthorizedKeysFile {self.folder}/authorized", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
            "PasswordAuthentication no", "PermitUserEnvironment yes", *self.settings, *settings,
        )  # fmt: skip
        config.write_bytes(os.fsencode("\n".join(lines) + "\n"))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(SSHD), "-D", "-e", "-f", str(config)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def account(self, shell: str, *, home: str = "", make_home: bool = True) -> Account:
        """A new user with that login shell; ``home`` is the folder's name, or a path."""
        name = f"hb{os.getpid()}x{next(_NUMBERS)}"
        place = self.folder / (home or name)
        command = ["useradd", "--no-create-home", "--home-dir", str(place), "--shell", shell, "--password", "*", name]
        for _ in range(50):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 1:  # 1: another process changes /etc/passwd just now
                break
            time.sleep(0.1)
        assert not done.returncode, done.stderr
        self.names.append(name)
        if make_home and not place.exists():
            place.mkdir(mode=0o755)
            user = pwd.getpwnam(name)
            os.chown(place, user.pw_uid, user.pw_gid)
        return Account(name, place)

    def supply(self, account: Account) -> None:
        """Let a user have the usual runtimes already, which a run would send."""
        user = pwd.getpwnam(account.name)
        runtimes.lend(self.folder / "runtimes", account.home / ".cache/harness", (user.pw_uid, user.pw_gid))

    def target(self, account: Account) -> SshTarget:
        return SshTarget(
            label="board",
            host="127.0.0.1",
            user=account.name,
            port=self.port,
            identity_file=self.client_key,
            known_hosts=self.known_hosts,
        )

    def device(self, account: Account, name: str = "board", **more: object) -> dict[str, object]:
        """The board as an entry of devices.yaml."""
        return {
            "name": name, "board": "generic", "host": "127.0.0.1", "port": self.port, "user": account.name,
            "identity_file": str(self.client_key), "known_hosts": str(self.known_hosts),
            "thresholds": dict(LENIENT), **more,
        }  # fmt: skip

    def halt(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.halt()
        for name in self.names:
            subprocess.run(["pkill", "-KILL", "-u", name], check=False)
            subprocess.run(["userdel", "--force", name], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def board() -> Iterator[Board]:
    """A board without accounts yet; :meth:`Board.start` it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts")
    if SSHD is None or shutil.which("useradd") is None:
        pytest.skip("no sshd or no useradd here: apt-get install openssh-server passwd")
    made = Board()
    try:
        yield made
    finally:
        made.close()


def login_shell(board: Board, name: str) -> str:
    """The path of a shell, as /etc/passwd would have it."""
    if name == "ash":
        found = shutil.which("busybox")
        if found is None:
            pytest.skip("no busybox here")
        link = board.folder / "ash"  # busybox goes by the name that it is called with
        link.symlink_to(found)
        return str(link)
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def tried(board: Board, account: Account, **more: object) -> tuple[str, str]:
    """The code and the text of what ``doctor`` finds, which ``run`` must find, too."""
    (device,) = config.parse(yaml.safe_dump({"devices": [board.device(account, **more)]})).devices
    wrong = [check for check in check_device(device) if check.severity == "error"]
    try:
        with open_session(device, lambda _: None, lambda _: False):
            pass
    except HarnessError as error:
        assert [(check.code, check.text, check.fix) for check in wrong[:1]] == [
            (error.code, error.message, error.fix or "")
        ]
        return error.code, error.message
    assert not wrong
    return "", ""
