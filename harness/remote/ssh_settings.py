"""The settings in effect for one host, parsed from the output of ``ssh -G``."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.remote.target import SshTarget

#: OpenSSH's own default names, in its order.
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")
_ALGORITHMS = ("hostkeyalgorithms", "kexalgorithms", "ciphers", "macs")


@dataclass(frozen=True)
class Settings:
    """The settings in effect for one host, as OpenSSH resolved them.

    Attributes:
        host_key_name: the host's name in known_hosts files: ``host``, ``[host]:port`` or an alias.
        known_hosts: files in the order in which they are read; they need not exist.
        identity_agent: socket of the agent in use; None where there is none.
        jumps: jump hosts, the first one nearest to this machine; may be empty.
        proxy_command: the user's own command with tokens expanded; None where there is none.
        algorithms: the user's lists of ``hostkeyalgorithms``, ``kexalgorithms``, ``ciphers`` and ``macs``.
        asks_openssh: whether a KnownHostsCommand or DNS decides besides known_hosts (certificates have their own
            rules).
    """

    hostname: str
    port: int
    user: str
    host_key_name: str
    known_hosts: tuple[Path, ...]
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...] = ()
    identity_agent: str | None = None
    identities_only: bool = False
    #: the user's files allow login with a key
    keys_allowed: bool = True
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    #: the same command for all hosts that share it, with tokens unexpanded
    proxy_template: str | None = None
    revoked_host_keys: Path | None = None
    address_family: str = "any"
    bind_address: str | None = None
    compression: bool = False
    algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asks_openssh: bool = False
    #: the user's files disable the check of host keys; the harness checks them all the same
    lax: bool = False

    @property
    def place(self) -> tuple[object, ...]:
        """Where the host is; two names of one board have the same place."""
        return (self.hostname.lower(), self.port, self.jumps, self.proxy_command)

    @property
    def door(self) -> tuple[object, ...]:
        """The server that the connection meets first; for a ProxyCommand, which hides it, the command itself."""
        return ("proxy", self.proxy_template) if self.proxy_template else (self.hostname.lower(), self.port, self.jumps)


def home() -> Path:
    """The home folder as OpenSSH sees it: from the user database, whatever HOME says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path(os.environ.get("HOME") or "/")


def settings_of(target: SshTarget, printed: str, agent: str) -> Settings:
    """The settings that ``ssh -G`` printed for a host.

    Args:
        agent: the value of SSH_AUTH_SOCK.
    """
    values = _Values(printed)
    hostname, user = values.first("hostname") or target.host, values.first("user") or target.user or ""
    port = int(values.first("port") or 22)
    alias = values.first("hostkeyalias")
    tokens = _tokens(target, hostname=hostname, port=port, user=user, alias=alias)
    command = values.first("proxycommand")
    jump = values.first("proxyjump")
    revoked = values.first("revokedhostkeys")
    return Settings(
        hostname=hostname,
        port=port,
        user=user,
        host_key_name=alias or (hostname if port == 22 else f"[{hostname}]:{port}"),
        known_hosts=_known_hosts(values, tokens),
        identities=values.paths("identityfile", tokens),
        certificates=values.paths("certificatefile", tokens),
        identity_agent=_agent((values.all("identityagent") or ["SSH_AUTH_SOCK"])[0], tokens, agent),
        identities_only=values.first("identitiesonly") == "yes",
        keys_allowed=_keys_allowed(values),
        jumps=tuple(part.strip() for part in jump.split(",")) if jump else (),
        proxy_command=expanded(command, tokens, tilde=False) if command else None,
        proxy_template=command,
        revoked_host_keys=Path(expanded(revoked, tokens)) if revoked else None,
        address_family=values.first("addressfamily") or "any",
        bind_address=values.first("bindaddress"),
        compression=values.first("compression") == "yes",
        algorithms={key: tuple(value.split(",")) for key in _ALGORITHMS if (value := values.first(key)) is not None},
        asks_openssh=values.first("knownhostscommand") is not None
        or values.first("verifyhostkeydns") in ("true", "yes"),
        lax=values.first("stricthostkeychecking") in ("false", "no", "off", "accept-new"),
    )


class _Values:
    """The lines of ``ssh -G``: values in order, by keyword."""

    def __init__(self, printed: str) -> None:
        self._values: dict[str, list[str]] = {}
        for line in printed.splitlines():
            key, _, value = line.partition(" ")
            self._values.setdefault(key.lower(), []).append(value.strip())

    def all(self, key: str) -> list[str]:
        """All values of a keyword."""
        return self._values.get(key, [])

    def first(self, key: str) -> str | None:
        """The first value of a keyword; None where there is none, or it is ``none``."""
        value = (self.all(key) or [""])[0]
        return value if value and value.lower() != "none" else None

    def paths(self, key: str, tokens: Mapping[str, str]) -> tuple[Path, ...]:
        """The files of a keyword that occurs once for each."""
        return tuple(Path(expanded(name, tokens)) for name in self.all(key) if name != "none")


def _known_hosts(values: _Values, tokens: Mapping[str, str]) -> tuple[Path, ...]:
    return tuple(
        Path(expanded(name, tokens))
        for key in ("userknownhostsfile", "globalknownhostsfile")
        for name in file_names(values.first(key) or "")
    )


def _keys_allowed(values: _Values) -> bool:
    methods = values.first("preferredauthentications") or "publickey"
    return values.first("pubkeyauthentication") not in ("no", "false") and "publickey" in methods.split(",")


def _tokens(target: SshTarget, *, hostname: str, port: int, user: str, alias: str | None) -> dict[str, str]:
    """The tokens of ssh_config(5), TOKENS; ``%C`` and rarer ones are left unexpanded."""
    local = ""
    with contextlib.suppress(KeyError):
        local = pwd.getpwuid(os.getuid()).pw_name
    name = os.uname().nodename
    return {
        "%%": "%", "%d": str(home()), "%h": hostname, "%i": str(os.getuid()), "%k": alias or target.host,
        "%L": name.split(".")[0], "%l": name, "%n": target.host, "%p": str(port), "%r": user, "%u": local,
        "%j": target.proxy_jump or "",
    }  # fmt: skip


def expanded(text: str, tokens: Mapping[str, str], *, tilde: bool = True) -> str:
    """A value with its tokens, ``${VARIABLES}`` and leading ``~`` expanded as OpenSSH does it."""
    text = re.sub(r"%.", lambda match: tokens.get(match[0], match[0]), text)
    text = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), text)
    if tilde and (text == "~" or text.startswith("~/")):
        return str(home()) + text[1:]
    return os.path.expanduser(text) if tilde and text.startswith("~") else text  # noqa: PTH111 - "~user" alone


def file_names(text: str) -> list[str]:
    """The files of a line that separates them by blanks. ``ssh -G`` prints names with blanks without quotes, so words
    are joined where only together they name an existing file.
    """
    parts, names = re.split(r"(\s+)", text.strip()), []  # words, and the blanks between them
    while parts and parts[0]:
        for end in range(len(parts), 0, -2):
            name = "".join(parts[:end])
            if end == 1 or Path(expanded(name, {})).is_file():
                names.append(name)
                del parts[: end + 1]
                break
    return names


def _agent(value: str, tokens: Mapping[str, str], environment: str) -> str | None:
    """The socket that ``IdentityAgent`` names; ``environment`` is the value of SSH_AUTH_SOCK."""
    if value.lower() == "none":
        return None
    if value == "SSH_AUTH_SOCK":
        return environment or None
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:]) or None
    return expanded(value, tokens) or None
