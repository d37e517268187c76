"""A real OpenSSH server on loopback, one per test, with keys and a home folder of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.made.sshd import LENIENT, SSHD, free_port, make_key


@dataclass
class Sshd:
    """``home`` is what logged-in programs see as $HOME; ``bin`` comes first on their PATH."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    most_sessions: int = 100

    def __post_init__(self) -> None:
        self.home = self.folder / "home with space"
        self.bin = self.folder / "bin"
        for path in (self.home, self.bin):
            path.mkdir(parents=True)
        self.host_key = make_key(self.folder / "host")
        self.client_key = self.folder / "client"
        (self.folder / "authorized").write_text(make_key(self.client_key) + "\n")
        self.known_hosts = self.folder / "known_hosts"
        self.pin(self.host_key)
        Path("/run/sshd").mkdir(exist_ok=True)
        self.start()

    @property
    def store(self) -> Path:
        """The harness's folder on the board."""
        return self.home / ".cache/harness"

    def forget(self) -> None:
        """Be a board that the harness has never been on: its runtimes are not there yet."""
        shutil.rmtree(self.home / ".cache")

    def pin(self, key: str) -> None:
        kind, body = key.split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {body}\n")

    def start(self) -> None:
        config = self.folder / "sshd_config"
        path = f"{self.bin}:{os.environ['PATH']}"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f'SetEnv "HOME={self.home}" "PATH={path}"\nPermitRootLogin yes\nMaxStartups 500\n'
            f"MaxSessions {self.most_sessions}\n"
        )
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(config)], stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise AssertionError((self.folder / "log").read_text())

    def sessions(self) -> list[int]:
        """Processes of this server's open sessions."""
        assert self.process is not None
        done = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]

    def kill_sessions(self) -> None:
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self.process is not None:
            sessions = self.sessions()
            self.process.kill()
            self.process.wait()
            for pid in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process = None

    def device(self, name: str = "loop", **more: object) -> dict[str, object]:
        """This server as an entry of devices.yaml."""
        return {
            "name": name,
            "board": "generic",
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "identity_file": str(self.client_key),
            "known_hosts": str(self.known_hosts),
            "thresholds": dict(LENIENT),
            **more,
        }
