"""The host keys that count for a host. OpenSSH's own programs read the known_hosts files; no key is added here.

``ssh-keygen -F`` finds a host's lines by every rule of known_hosts (hashes, wildcards, ``[host]:port``, markers,
unreadable lines). Where a certificate, a KnownHostsCommand or DNS decides, :mod:`harness.remote.asked` lets OpenSSH
connect once itself and learns which key it accepts, since paramiko supports none of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HostKeyError
from harness.remote import openssh
from harness.remote.ssh_settings import Settings
from harness.remote.target import SshTarget

#: A larger file can't be a list of revoked keys.
_MAX_REVOKED_BYTES = 16 << 20

_KEY_TYPE = re.compile(r"^(ssh|ecdsa|sk)-[a-zA-Z0-9@.-]+$")


@dataclass(frozen=True)
class KnownKey:
    """One line of a known_hosts file that is for this host. ``marker``: ``cert-authority``, ``revoked`` or empty."""

    marker: str
    kind: str
    blob: bytes
    file: str
    line: str


@dataclass(frozen=True)
class Answer:
    """OpenSSH's verdict on a server: type and fingerprint of the key that it accepts, else its message."""

    kind: str | None
    fingerprint: str | None
    words: str = ""


@dataclass(frozen=True)
class KnownKeys:
    """All lines for one host, and OpenSSH's own answer if it was asked."""

    keys: tuple[KnownKey, ...]
    answer: Answer | None = None

    def kinds(self) -> tuple[str, ...]:
        """Types of the keys known for the host, in order; ssh requests these from a server first."""
        accepted = [self.answer.kind] if self.answer is not None and self.answer.kind else []
        return tuple(dict.fromkeys([*accepted, *(key.kind for key in self.keys if not key.marker)]))

    @property
    def authorities(self) -> bool:
        """Whether a certificate authority is listed for the host."""
        return any(key.marker == "cert-authority" for key in self.keys)


def fingerprint(blob: bytes) -> str:
    """A public key's SHA-256 fingerprint, in the format of ``ssh-keygen -l``."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def known_keys(settings: Settings) -> KnownKeys:
    """The lines of all known_hosts files for a host. A missing or unreadable file has none.

    Where no line names the port, OpenSSH uses a line for the host without a port, and so does this function.

    Raises:
        SshSettingsError: ``ssh-keygen`` can't be started.
    """
    names = [settings.host_key_name]
    if bare := re.fullmatch(r"\[(.*)\]:\d+", settings.host_key_name):
        names.append(bare[1])
    keys: list[KnownKey] = []
    for name in names:
        keys += [key for file in settings.known_hosts if file.is_file() for key in _lines(name, file)]
        if any(key.marker != "revoked" for key in keys):
            break
    return KnownKeys(tuple(keys))


def _lines(name: str, file: Path) -> list[KnownKey]:
    done = openssh.run(["ssh-keygen", "-F", name, "-f", str(file)])
    keys = []
    number = "?"
    for line in done.stdout.splitlines():
        if line.startswith("# Host "):
            number = match[1] if (match := re.search(r"found: line (\d+)", line)) else "?"
            continue
        words = line.split()
        marker = words.pop(0).removeprefix("@") if words and words[0].startswith("@") else ""
        if len(words) < 3 or not _KEY_TYPE.match(words[1]):
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        keys.append(KnownKey(marker=marker, kind=words[1], blob=blob, file=str(file), line=number))
    return keys


def check(target: SshTarget, settings: Settings, known: KnownKeys, key: tuple[str, bytes]) -> None:
    """Accept a server's key, or refuse it.

    Args:
        key: the type and the public half of a key that the server has proved to hold.

    Raises:
        HostKeyError: the key is unknown, differs from the known one, or is revoked.
    """
    kind, blob = key
    shown, got = target.shown, fingerprint(blob)
    if any(key.marker == "revoked" and key.blob == blob for key in known.keys) or _revoked(settings, kind, blob):
        raise HostKeyError(
            f"{shown}: the host key {got} is REVOKED in your known_hosts",
            fix="do not connect; give the board a new host key, or find out why it was revoked",
        )
    answer = known.answer
    if answer is not None and answer.fingerprint == got:
        return
    plain = [key for key in known.keys if not key.marker]
    if any(key.blob == blob for key in plain):
        return
    if answer is not None and answer.fingerprint is not None:
        raise HostKeyError(f"{shown}: OpenSSH accepted key {answer.fingerprint}, and now the server shows {got}")
    if same := [key for key in plain if key.kind == kind]:
        first = same[0]
        raise HostKeyError(
            f"{shown}: the host key CHANGED: expected {fingerprint(first.blob)} ({first.file}:{first.line}), got {got}",
            fix="find out why before anything else; then remove the old one: "
            f"ssh-keygen -R '{settings.host_key_name}' -f {first.file}",
        )
    notes = _notes(settings, plain, answer)
    raise HostKeyError(f"{shown}: its host key is not known ({kind} {got}){notes}", fix=_learn(target))


def _learn(target: SshTarget) -> str:
    return f"connect once by hand, and compare the fingerprint: {target.by_hand}"


def _notes(settings: Settings, plain: Sequence[KnownKey], answer: Answer | None) -> str:
    notes = [f"OpenSSH does not accept it: {answer.words}"] if answer is not None and answer.words else []
    if plain:
        kinds = ", ".join(dict.fromkeys(key.kind for key in plain))
        notes.append(f"only a key of another type is known: {kinds}")
    if not any(file.is_file() for file in settings.known_hosts):
        notes.append(f"there is no known_hosts file ({', '.join(map(str, settings.known_hosts[:2]))})")
    if settings.lax:
        notes.append("StrictHostKeyChecking in your ssh configuration does not count here")
    return "; " + "; ".join(notes) if notes else ""


def _revoked(settings: Settings, kind: str, blob: bytes) -> bool:
    """Whether a RevokedHostKeys file (a list of keys, or OpenSSH's binary form) lists the key."""
    file = settings.revoked_host_keys
    if file is None:
        return False
    try:
        with file.open("rb") as handle:
            text = handle.read(_MAX_REVOKED_BYTES)
    except OSError:
        return True  # OpenSSH also refuses every key if it can't read the file
    if not text.startswith(b"SSHKRL\n\0"):
        return base64.b64encode(blob) in text.split()
    with tempfile.NamedTemporaryFile("w", suffix=".pub", encoding="ascii") as public:
        public.write(f"{kind} {base64.b64encode(blob).decode()}\n")
        public.flush()
        return openssh.run(["ssh-keygen", "-Q", "-f", str(file), public.name]).returncode != 0
