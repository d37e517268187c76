"""Creates boards, servers and strangers, and removes them again."""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from benchmarks.made import runtimes
from benchmarks.strangers import accounts
from benchmarks.strangers.accounts import Account
from benchmarks.strangers.servers import KEY_TYPES, SSHD, Server
from benchmarks.strangers.stranger import Stranger

#: A raised limit, so that boards don't refuse connections more often than real ones do: many names share one server
#: here.
MANY = ("MaxStartups 500",)


def missing() -> str:
    """The reason why no such world can be created here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root, to make accounts for boards"
    lacking = [name for name in ("ssh", "ssh-keygen", "ssh-agent", "setpriv", "useradd") if shutil.which(name) is None]
    if SSHD is None:
        lacking.append("sshd")
    if ctypes.util.find_library("nss_wrapper") is None:
        lacking.append("libnss-wrapper")
    return f"missing: {', '.join(lacking)} (tools/system-packages sshd)" if lacking else ""


class World:
    """A world; use it in a ``with`` block. Everything created is removed at its end."""

    def __init__(self) -> None:
        accounts.remove_abandoned()
        self.folder = Path(tempfile.mkdtemp(prefix="strange-"))
        self.folder.chmod(0o755)  # the accounts of boards live in it
        self._accounts: list[str] = []
        self._servers: list[Server] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._mounts: list[Path] = []
        self._strangers = 0

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for server in self._servers:
            server.stop()
        for process in self._processes:
            process.kill()
            process.wait()
        accounts.remove(*self._accounts)
        for mount in reversed(self._mounts):
            subprocess.run(["umount", "-l", str(mount)], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def account(self, *, shell: str = "/bin/bash", home: str = "", uid: int | None = None) -> Account:
        """Create a board's user; ``home`` names the folder where it matters."""
        made = accounts.make(self.folder, shell=shell, home=self.folder / home if home else None, uid=uid)
        self._accounts.append(made.name)
        return made

    def supply(self, account: Account) -> None:
        """Let a board have the usual runtimes already, which a run would send to it."""
        runtimes.lend(self.folder / "runtimes", account.home / ".cache/harness", (account.uid, account.uid))

    def server(self, *options: str, key_types: Sequence[str] = KEY_TYPES, port: int = 22, many: bool = True) -> Server:
        """Start a server with OpenSSH's defaults; ``many`` lets many connections in at once."""
        made = Server(self.folder, [*options, *(MANY if many else ())], key_types=key_types, port=port)
        self._servers.append(made)
        return made

    def stranger(self, names: Mapping[str, str] | None = None) -> Stranger:
        """Create a stranger with a fresh home folder."""
        self._strangers += 1
        return Stranger(self.folder / f"home-{self._strangers}", names)

    def agent(self, *keys: Path) -> Path:
        """Start an ssh-agent with these keys, in this order; returns its socket."""
        socket = self.folder / f"agent-{len(self._processes)}"
        self._processes.append(subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL))
        for _ in range(200):
            if socket.exists():
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes[-1].wait(0.02)
        for key in keys:
            subprocess.run(
                ["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True,
                stdin=subprocess.DEVNULL, capture_output=True,
            )  # fmt: skip
        return socket

    def mount(self, path: Path, options: str, owner: Account | None = None) -> bool:
        """Mount a file system in memory at ``path``; returns false where that is not permitted."""
        path.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return False
        self._mounts.append(path)
        if owner is not None:
            os.chown(path, owner.uid, owner.uid)
        return True

    def remount(self, path: Path, options: str) -> None:
        """Change the options of a file system made by :meth:`mount`."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True, capture_output=True)
