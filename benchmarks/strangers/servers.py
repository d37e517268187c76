"""OpenSSH servers with their defaults, each on its own address, so that most can have port 22 as boards do."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
KEY_TYPES = ("rsa", "ecdsa", "ed25519")
_NUMBERS = itertools.count()


def make_key(path: Path, kind: str = "ed25519", *options: str, passphrase: str = "") -> str:
    """A new key pair; returns its public line."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path), *options]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(f"{path.name}.pub").read_text(encoding="utf-8").strip()


def _address() -> str:
    return f"127.{random.randrange(64, 128)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"


def _free(address: str, port: int) -> bool:
    with socket.socket() as sock, contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        return True
    return False


class Server:
    """One sshd. ``address`` and ``port`` are where it listens; ``keys`` maps each type to its public line.

    ``options`` are further lines of sshd_config; otherwise only paths and addresses are set. ``port`` 22 becomes a free
    one where another program listens on every address of this machine.
    """

    def __init__(
        self, folder: Path, options: Sequence[str] = (), *, key_types: Sequence[str] = KEY_TYPES, port: int = 22
    ) -> None:
        assert SSHD is not None
        self.folder = folder / f"sshd-{next(_NUMBERS)}"
        self.folder.mkdir()
        self.options = list(options)
        self.address = _address()
        self.port = next(p for p in (port, *range(20022, 20922, 7)) if _free(self.address, p))
        self.keys = {kind: make_key(self.folder / f"host_{kind}", kind) for kind in key_types}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def name(self) -> str:
        """The server's name in known_hosts."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def place(self) -> dict[str, object]:
        """``host`` and, where needed, ``port`` of a device."""
        return {"host": self.address, **({} if self.port == 22 else {"port": self.port})}

    def known(self, kind: str = "ed25519", name: str = "") -> str:
        """A line of known_hosts."""
        return f"{name or self.name} {' '.join(self.keys[kind].split()[:2])}\n"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def logins(self) -> int:
        """The number of successful logins so far."""
        return self.log.count("Accepted publickey")

    def start(self) -> None:
        lines = [f"Port {self.port}", f"ListenAddress {self.address}", "PidFile none"]
        lines += [f"HostKey {self.folder}/host_{kind}" for kind in self.keys]
        config = self.folder / "sshd_config"
        config.write_text("\n".join([*lines, *self.options]) + "\n", encoding="utf-8")
        Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(SSHD), "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as sock:
                if sock.connect_ex((self.address, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(self.log)

    def stop(self) -> None:
        if self.process is None:
            return
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            sessions = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
            self.process.kill()
            for pid in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
