"""Settings without OpenSSH: for emulated boards, which ignore the user's files, and where ``ssh`` is not installed.

paramiko understands Host, HostName, Port, User, IdentityFile and ProxyCommand. It supports neither Include nor
certificates; :func:`limits` reports that to the doctor.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import os
import re
from pathlib import Path

import paramiko

from harness.core.errors import SshSettingsError
from harness.remote import openssh
from harness.remote.hostkeys import KnownKey, KnownKeys
from harness.remote.ssh_settings import DEFAULT_IDENTITIES, Settings, home
from harness.remote.target import SshTarget

#: A larger file can't be a known_hosts file.
_MAX_BYTES = 16 << 20


def exactly(target: SshTarget) -> Settings:
    """Exactly the target's own settings, without the user's configuration, agent and default keys."""
    port = target.port or 22
    return Settings(
        hostname=target.host,
        port=port,
        user=target.user or _user(),
        host_key_name=target.host if port == 22 else f"[{target.host}]:{port}",
        known_hosts=(target.known_hosts,) if target.known_hosts else (),
        identities=(target.identity_file,) if target.identity_file else (),
        identities_only=True,
    )


def resolve(target: SshTarget) -> Settings:
    """The settings that paramiko reads from ``~/.ssh/config``.

    Raises:
        SshSettingsError: the file can't be read, or needs OpenSSH.
    """
    values = _lookup(target)
    hostname, port = values.get("hostname", target.host), target.port or int(values.get("port", 22))
    alias = values.get("hostkeyalias")
    if target.proxy_jump or "proxyjump" in values:
        raise SshSettingsError(f"{target.shown}: a jump host needs OpenSSH here", fix="sudo apt install openssh-client")
    listed = values.get("userknownhostsfile", "").split() or ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
    known = tuple(_path(name) for name in [*listed, "/etc/ssh/ssh_known_hosts"])
    named = [target.identity_file] if target.identity_file else []
    files = [_path(name) for name in values.get("identityfile", [])]
    return Settings(
        hostname=hostname,
        port=port,
        user=target.user or values.get("user") or _user(),
        host_key_name=alias or (hostname if port == 22 else f"[{hostname}]:{port}"),
        known_hosts=(target.known_hosts,) if target.known_hosts else known,
        identities=tuple([*named, *files] or [home() / ".ssh" / name for name in DEFAULT_IDENTITIES]),
        identity_agent=os.environ.get("SSH_AUTH_SOCK") or None,
        identities_only=values.get("identitiesonly", "no") == "yes",
        proxy_command=values.get("proxycommand"),
        proxy_template=values.get("proxycommand"),
    )


def _lookup(target: SshTarget) -> dict[str, str]:
    file = home() / ".ssh" / "config"
    try:
        if not file.is_file():
            return {}
        text = file.read_text(encoding="utf-8", errors="replace")
        if match := re.search(r"^\s*(Include|Match)\b.*", text, re.MULTILINE | re.IGNORECASE):
            raise SshSettingsError(
                f"{target.shown}: {file}: '{match[0].strip()}' needs OpenSSH", fix="sudo apt install openssh-client"
            )
        return dict(paramiko.SSHConfig.from_text(text).lookup(target.host))
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise SshSettingsError(f"{target.shown}: {file}: {error}", fix="sudo apt install openssh-client") from error


def _path(name: str) -> Path:
    return home() / name[2:] if name.startswith("~/") else Path(name)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root" if os.getuid() == 0 else str(os.getuid())


def known_keys(settings: Settings) -> KnownKeys:
    """The plain lines of known_hosts files for a host, read line by line; an unreadable line is skipped."""
    keys = []
    for file in settings.known_hosts:
        try:
            if file.stat().st_size > _MAX_BYTES:
                continue
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            keys += _key(line, settings.host_key_name, f"{file}", str(number))
    return KnownKeys(tuple(keys))


def _key(line: str, name: str, file: str, number: str) -> list[KnownKey]:
    words = line.split()
    marker = words.pop(0).removeprefix("@") if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#") or marker == "cert-authority":
        return []
    try:
        names = paramiko.hostkeys.HostKeyEntry(words[0].split(","))
        hosts = paramiko.HostKeys()
        matches = hosts._hostname_matches(name, names)  # type: ignore[attr-defined]
        if not matches and not (marker == "revoked" and words[0] == "*"):
            return []
        blob = base64.b64decode(words[2], validate=True)
        return [KnownKey(marker=marker, kind=words[1], blob=blob, file=file, line=number)]
    except (binascii.Error, ValueError, paramiko.SSHException):
        return []


def limits() -> str | None:
    """The limitations without OpenSSH, for the doctor; None where it is installed."""
    if openssh.installed():
        return None
    return "no ssh here: Include, Match, jump hosts, certificates and wildcards in known_hosts are not understood"
