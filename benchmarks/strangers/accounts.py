"""Accounts of this machine that act as boards: a login shell, a home folder, and its contents."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

#: Marks our accounts in the user database, so that those of a killed process can be found and removed.
COMMENT = "made by the harness's tests"
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Account:
    """One board's user."""

    name: str
    home: Path
    uid: int

    def write(self, name: str, content: str | bytes, *, mode: int = 0o644) -> Path:
        """Write a file owned by the account, ``name`` relative to its home folder."""
        path = self.home / name
        for folder in reversed(path.relative_to(self.home).parents):
            if not (self.home / folder).exists():
                (self.home / folder).mkdir()
                os.chown(self.home / folder, self.uid, self.uid)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        os.chown(path, self.uid, self.uid)
        return path

    def authorize(self, *public_lines: str) -> None:
        """Do the board's side of ``ssh-copy-id``."""
        listed = self.home / ".ssh/authorized_keys"
        before = listed.read_text(encoding="utf-8") if listed.exists() else ""
        self.write(".ssh/authorized_keys", before + "".join(f"{line.strip()}\n" for line in public_lines), mode=0o600)
        (self.home / ".ssh").chmod(0o700)


def make(folder: Path, *, shell: str = "/bin/bash", home: Path | None = None, uid: int | None = None) -> Account:
    """Create an account whose home is inside ``folder``, which must be accessible to everybody.

    ``uid`` lets several accounts share one number, so that they can share files.
    """
    name = f"strange{os.getpid()}-{next(_NUMBERS)}"
    home = home or folder / name
    home.mkdir(parents=True, exist_ok=True)
    words = ["useradd", "-M", "-d", str(home), "-s", shell, "-c", COMMENT, "-p", "*", name]
    if uid is not None:
        words[1:1] = ["-o", "-u", str(uid), "-g", str(uid)]
    _database(words)
    entry = pwd.getpwnam(name)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    home.chmod(0o755)
    return Account(name, home, entry.pw_uid)


def remove(*names: str) -> None:
    """End the processes of these accounts and delete the accounts; their homes stay."""
    uids = set()
    for name in names:
        with contextlib.suppress(KeyError):
            uids.add(pwd.getpwnam(name).pw_uid)
    _end(uids)
    for name in names:
        with contextlib.suppress(subprocess.CalledProcessError):
            _database(["userdel", "-f", name])


def remove_abandoned() -> None:
    """Delete accounts left by processes that have ended."""
    left = []
    for entry in pwd.getpwall():
        owner = re.fullmatch(r"strange(\d+)-\d+", entry.pw_name)
        if owner and entry.pw_gecos == COMMENT and not Path(f"/proc/{owner[1]}").exists():
            left.append(entry.pw_name)
    remove(*left)


def _database(words: list[str]) -> None:
    """Change the user database; another process may lock it for a moment."""
    for attempt in range(20):
        done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
        if done.returncode == 0 or (words[0] == "userdel" and done.returncode == 6):
            return
        if "lock" not in done.stderr or attempt == 19:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        time.sleep(0.25)


def _end(uids: set[int]) -> None:
    """Kill the processes of these accounts, one by one."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if process.stat().st_uid in uids:
                    os.kill(int(process.name), signal.SIGKILL)
