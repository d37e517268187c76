"""OpenSSH's treatment of the user's files: ``ssh -G`` prints the settings in effect for a host.

OpenSSH reads Include, Match, tokens, aliases and the system's files; nothing here parses an ssh_config. Where no
``ssh`` is installed, :mod:`harness.remote.paramiko_config` reads the part that paramiko understands.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.errors import SshSettingsError
from harness.core.safetext import plain
from harness.remote.ssh_settings import Settings, settings_of
from harness.remote.target import SshTarget

#: OpenSSH's programs that only read files take milliseconds, but Match exec runs the user's own programs.
_TIMEOUT_S = 20.0

#: A longer chain of jump hosts is taken for a loop.
_MOST_JUMPS = 16


def installed() -> bool:
    """Whether OpenSSH's client is on this machine."""
    return shutil.which("ssh") is not None and shutil.which("ssh-keygen") is not None


def run(argv: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run a program of OpenSSH without a terminal, so that it can't ask the user anything.

    Raises:
        SshSettingsError: it can't be started, or hangs.
    """
    try:
        return subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            timeout=timeout_s, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SshSettingsError(f"'{argv[0]}' did not end within {timeout_s:.0f} s", fix=_BY_HAND) from error
    except (OSError, ValueError) as error:
        raise SshSettingsError(f"'{argv[0]}' can't be started: {error}", fix=_BY_HAND) from error


_BY_HAND = "try 'ssh -G HOST' by hand"


def options(target: SshTarget) -> list[str]:
    """The settings of a host in devices.yaml, as options of ``ssh``."""
    words = []
    if target.user is not None:
        words += ["-l", target.user]
    if target.port is not None:
        words += ["-p", str(target.port)]
    if target.identity_file is not None:
        words += ["-o", f"IdentityFile={quoted(target.identity_file)}"]
    if target.proxy_jump is not None:
        words += ["-o", f"ProxyJump={target.proxy_jump}"]
    return [*words, *known_hosts_options(target)]


def hop(text: str) -> tuple[str, str, str]:
    """(user, host, port) of ``[user@]host[:port]`` or ``ssh://[user@]host[:port]``; missing parts are empty."""
    text = text.removeprefix("ssh://").rstrip("/")
    user, _, place = text.rpartition("@")
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return user, host, port.removeprefix(":")
    if place.count(":") == 1:
        host, _, port = place.partition(":")
        return user, host, port
    return user, place, ""


def known_hosts_options(target: SshTarget) -> list[str]:
    """Options that make a known_hosts file named in devices.yaml the only one that counts."""
    if target.known_hosts is None:
        return []
    file = f"UserKnownHostsFile={quoted(target.known_hosts)}"
    return ["-o", file, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "KnownHostsCommand=none"]


def hop_known_hosts_options(target: SshTarget, jump: str) -> list[str]:
    """The files that may hold a jump host's key: the one that devices.yaml names, and those that ``ssh -J`` reads."""
    if target.known_hosts is None:
        return []
    files = [target.known_hosts, *_resolve(_of_hop(target, jump)).known_hosts]
    return ["-o", f"UserKnownHostsFile={' '.join(map(quoted, files))}"]


def _of_hop(target: SshTarget, jump: str) -> SshTarget:
    user, host, port = hop(jump)
    return SshTarget(label=target.label, host=host, user=user or None, port=int(port) if port.isdigit() else None)


def quoted(path: Path) -> str:
    """A path as the value of an ssh option: tokens are escaped; blanks, quotes and ``#`` are part of it."""
    text = re.sub(r'(["\\])', r"\\\1", str(path).replace("%", "%%"))
    return f'"{text}"'


def resolve(target: SshTarget) -> Settings:
    """How OpenSSH would reach a host, with all its jump hosts.

    Raises:
        SshSettingsError: the user's ssh configuration is wrong; OpenSSH's own message says how.
    """
    settings = _resolve(target)
    jumps = list(settings.jumps)
    # OpenSSH also reads the first hop's own settings; named here, that hop's key is checked as strictly as the others
    while jumps and len(jumps) < _MOST_JUMPS:
        before = _resolve(_of_hop(target, jumps[0])).jumps
        if not before:
            return replace(settings, jumps=tuple(jumps))
        jumps = [*before, *jumps]
    if jumps:
        raise SshSettingsError(
            f"{target.shown}: its jump hosts lead round in a circle: {', '.join(jumps[-3:])}",
            fix="see ProxyJump in ssh_config",
        )
    return settings


def _resolve(target: SshTarget) -> Settings:
    done = run(["ssh", "-G", *options(target), "--", target.host])
    if done.returncode:
        words = plain("; ".join(_meant(done.stderr))) or f"'ssh -G' ended with status {done.returncode}"
        raise SshSettingsError(
            f"{target.label} ({target.host}): ssh does not take your configuration: {words[:800]}",
            fix=f"mend it until this prints settings: ssh -G {target.host}",
        )
    return settings_of(target, done.stdout, os.environ.get("SSH_AUTH_SOCK", ""))


def _meant(stderr: str) -> list[str]:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("Pseudo-terminal will not be allocated")]
