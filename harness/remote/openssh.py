"""What OpenSSH would do with the user's files: ``ssh -G`` prints the settings that count for a host.

OpenSSH reads Include, Match, tokens, aliases and the system's files; nothing here parses an ssh_config. Where no
``ssh`` is installed, :mod:`harness.remote.paramiko_config` reads the little that paramiko understands.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.core.errors import SshSettingsError
from harness.core.safetext import plain
from harness.remote.target import SshTarget

#: Programs of OpenSSH that only read files are done in milliseconds; Match exec runs the user's own programs.
_TIMEOUT_S = 20.0

#: A chain of jump hosts that is longer leads round in a circle.
_MOST_JUMPS = 16

#: OpenSSH's own default names, in its order.
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")


@dataclass(frozen=True)
class Settings:
    """The settings that count for one host, as OpenSSH resolved them.

    Attributes:
        host_key_name: the name under which known_hosts files have the host: ``host``, ``[host]:port`` or an alias.
        known_hosts: files in the order in which they are read; they need not exist.
        identity_agent: socket of the agent that counts; None where there is none.
        jumps: hosts to go through, the first one nearest to this machine; empty where there is none.
        proxy_command: the user's own command, tokens replaced; None where there is none.
        algorithms: the user's lists of ``hostkeyalgorithms``, ``kexalgorithms``, ``ciphers`` and ``macs``.
        asks_openssh: known_hosts alone does not decide (certificates' own rules apart): a KnownHostsCommand or DNS.
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
    #: the user's files allow logging in by a key
    keys_allowed: bool = True
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    #: the same for all hosts that share it, tokens not replaced
    proxy_template: str | None = None
    revoked_host_keys: Path | None = None
    address_family: str = "any"
    bind_address: str | None = None
    compression: bool = False
    algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asks_openssh: bool = False
    #: the user's files say that host keys need not be checked; here they are checked all the same
    lax: bool = False

    @property
    def place(self) -> tuple[object, ...]:
        """Where the host is: two names of one board have the same place."""
        return (self.hostname.lower(), self.port, self.jumps, self.proxy_command)

    @property
    def door(self) -> tuple[object, ...]:
        """What all connections that begin alike have in common: the server that a ProxyCommand meets is not known."""
        return ("proxy", self.proxy_template) if self.proxy_template else (self.hostname.lower(), self.port, self.jumps)


def installed() -> bool:
    """Whether OpenSSH's client is on this machine."""
    return shutil.which("ssh") is not None and shutil.which("ssh-keygen") is not None


def home() -> Path:
    """The home folder as OpenSSH sees it: from the user database, whatever HOME says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path(os.environ.get("HOME") or "/")


def run(argv: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run a program of OpenSSH that must not ask anybody anything: it gets no terminal.

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
    """What devices.yaml says about a host, as options of ``ssh``."""
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
    """A known_hosts file named in devices.yaml is the only one that counts."""
    if target.known_hosts is None:
        return []
    file = f"UserKnownHostsFile={quoted(target.known_hosts)}"
    return ["-o", file, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "KnownHostsCommand=none"]


def hop_known_hosts_options(target: SshTarget, jump: str) -> list[str]:
    """A jump host's key may be in the file that devices.yaml names, or where it is for ``ssh -J``, which knows nothing
    of that file."""
    if target.known_hosts is None:
        return []
    files = [target.known_hosts, *_resolve(_of_hop(target, jump)).known_hosts]
    return ["-o", f"UserKnownHostsFile={' '.join(map(quoted, files))}"]


def _of_hop(target: SshTarget, jump: str) -> SshTarget:
    user, host, port = hop(jump)
    return SshTarget(label=target.label, host=host, user=user or None, port=int(port) if port.isdigit() else None)


def quoted(path: Path) -> str:
    """A path as the value of an ssh option: tokens kept out; blanks, quotes and ``#`` are part of it."""
    text = re.sub(r'(["\\])', r"\\\1", str(path).replace("%", "%%"))
    return f'"{text}"'


def resolve(target: SshTarget) -> Settings:
    """What OpenSSH would do to reach a host, with all hosts that it would jump through.

    Raises:
        SshSettingsError: the user's ssh configuration is wrong; OpenSSH's own words say how.
    """
    settings = _resolve(target)
    jumps = list(settings.jumps)
    # OpenSSH asks the first hop's own settings, too; named here, that hop's key is checked as strictly as the others'
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
    return _settings(target, _values(done.stdout), os.environ.get("SSH_AUTH_SOCK", ""))


def _meant(stderr: str) -> list[str]:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("Pseudo-terminal will not be allocated")]


def _values(text: str) -> dict[str, list[str]]:
    """``ssh -G``'s lines: keyword -> values in order."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key.lower(), []).append(value.strip())
    return values


def _settings(target: SshTarget, values: Mapping[str, list[str]], agent: str) -> Settings:
    def first(key: str) -> str | None:
        value = (values.get(key) or [""])[0]
        return value if value and value.lower() != "none" else None

    hostname, user = first("hostname") or target.host, first("user") or target.user or ""
    port = int(first("port") or 22)
    alias = first("hostkeyalias")
    tokens = _tokens(target, hostname, port, user, alias)
    command = first("proxycommand")
    jump = first("proxyjump")
    revoked = first("revokedhostkeys")
    return Settings(
        hostname=hostname,
        port=port,
        user=user,
        host_key_name=alias or (hostname if port == 22 else f"[{hostname}]:{port}"),
        known_hosts=tuple(
            Path(expanded(name, tokens))
            for key in ("userknownhostsfile", "globalknownhostsfile")
            for name in file_names(first(key) or "")
        ),
        identities=tuple(Path(expanded(name, tokens)) for name in values.get("identityfile", []) if name != "none"),
        certificates=tuple(
            Path(expanded(name, tokens)) for name in values.get("certificatefile", []) if name != "none"
        ),
        identity_agent=_agent((values.get("identityagent") or ["SSH_AUTH_SOCK"])[0], tokens, agent),
        identities_only=first("identitiesonly") == "yes",
        keys_allowed=first("pubkeyauthentication") not in ("no", "false")
        and "publickey" in (first("preferredauthentications") or "publickey").split(","),
        jumps=tuple(part.strip() for part in jump.split(",")) if jump else (),
        proxy_command=expanded(command, tokens, tilde=False) if command else None,
        proxy_template=command,
        revoked_host_keys=Path(expanded(revoked, tokens)) if revoked else None,
        address_family=first("addressfamily") or "any",
        bind_address=first("bindaddress"),
        compression=first("compression") == "yes",
        algorithms={
            key: tuple(value.split(","))
            for key in ("hostkeyalgorithms", "kexalgorithms", "ciphers", "macs")
            if (value := first(key)) is not None
        },
        asks_openssh=first("knownhostscommand") is not None or first("verifyhostkeydns") in ("true", "yes"),
        lax=first("stricthostkeychecking") in ("false", "no", "off", "accept-new"),
    )  # fmt: skip


def _tokens(target: SshTarget, hostname: str, port: int, user: str, alias: str | None) -> dict[str, str]:
    """ssh_config(5), TOKENS; ``%C`` and what is rarer stays as it is."""
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
    """A value with its tokens, ``${VARIABLES}`` and leading ``~`` replaced, as OpenSSH does it."""
    text = re.sub(r"%.", lambda found: tokens.get(found[0], found[0]), text)
    text = re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), text)
    if tilde and (text == "~" or text.startswith("~/")):
        return str(home()) + text[1:]
    return os.path.expanduser(text) if tilde and text.startswith("~") else text  # noqa: PTH111 - "~user" alone


def file_names(text: str) -> list[str]:
    """The files of a line that separates them by blanks. ``ssh -G`` prints names with blanks without quotes, so words
    that only together name a file that exists belong together."""
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
    """The socket that ``IdentityAgent`` names; ``environment`` is SSH_AUTH_SOCK."""
    if value.lower() == "none":
        return None
    if value == "SSH_AUTH_SOCK":
        return environment or None
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:]) or None
    return expanded(value, tokens) or None
