"""The keys that are offered, in ssh's order, and why others can't be offered.

Keys come from files and from the agent that the settings name. The user is never asked for a password or a passphrase.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import functools
import io
import os
import re
import socket
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob

from harness.remote.hostkeys import fingerprint
from harness.remote.ssh_settings import DEFAULT_IDENTITIES, Settings

#: A private key is smaller than this; a larger file is not a key.
_MAX_KEY_BYTES = 64 << 10

#: The first bytes of a decoded private key in OpenSSH's own format.
_OPENSSH = b"openssh-key-v1\0"
_CERTIFICATE = "-cert-v01@openssh.com"
_PUBLIC = ("ssh-", "ecdsa-", "sk-")

#: The first line of a file that is no private key, and what the file is.
_OTHERS = (
    (b"PuTTY-User-Key-File", "is a PuTTY key", "puttygen {file} -O private-openssh -o id_board"),
    (b"ssh-", "is a public key", "name the private key, the file without '.pub'"),
    (b"ecdsa-", "is a public key", "name the private key, the file without '.pub'"),
    (b"sk-", "is a public key", "name the private key, the file without '.pub'"),
    (b"-----BEGIN CERTIFICATE", "is a certificate for TLS, not a key", "name an SSH key"),
    (b"-----BEGIN PUBLIC KEY", "is a public key", "name the private key"),
    (b"---- BEGIN SSH2 PUBLIC KEY", "is a public key", "name the private key"),
)


@dataclass(frozen=True)
class Problem:
    """Why the key of a file can't be offered, and the fix."""

    file: Path
    text: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file} {self.text}"


@dataclass
class Identities:
    """Keys to offer, in order, each with its origin; and the files that gave none."""

    keys: list[tuple[paramiko.PKey, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    agent: _Agent | None = None

    def close(self) -> None:
        """Close the connection to the agent; never raises."""
        if self.agent is not None:
            with contextlib.suppress(Exception):
                self.agent.close()


class _Agent(AgentSSH):
    """The agent behind any socket; paramiko's own class supports only SSH_AUTH_SOCK."""

    def __init__(self, path: str) -> None:
        super().__init__()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(10)
            sock.connect(path)
            self._connect(sock)  # type: ignore[attr-defined]
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


def gather(settings: Settings, named: Path | None) -> Identities:
    """The keys that ssh would offer, in this order: certificates, the agent's keys that a file also names, its other
    keys, the files' own keys.

    Args:
        named: the file that devices.yaml names. A missing default file is no problem; if this one is missing, it is.
    """
    identities = Identities()
    agent_keys = _agent_keys(settings, identities)
    certificates = _certificates(settings)
    by_file: dict[Path, paramiko.PKey | None] = {}
    problems: list[tuple[bytes | None, Problem]] = []
    for file in dict.fromkeys(settings.identities):
        by_file[file], problem = load(file)
        if problem is not None and (file == named or file.exists() or file.name not in DEFAULT_IDENTITIES):
            problems.append((_public_half(file), problem))
    blobs = {file: key.asbytes() if key is not None else _public_half(file) for file, key in by_file.items()}
    of_files = [blob for blob in blobs.values() if blob is not None]
    in_files = [key for blob in of_files for key in agent_keys if key.asbytes() == blob]
    others = [] if settings.identities_only else [key for key in agent_keys if key.asbytes() not in of_files]
    in_agent = {key.asbytes() for key in agent_keys}
    offered: list[tuple[paramiko.PKey, str]] = [(key, _of_agent(key)) for key in [*in_files, *others]]
    offered += [(key, str(file)) for file, key in by_file.items() if key is not None and key.asbytes() not in in_agent]
    certified = [
        (_certified(key, certificates[key.asbytes()]), f"{where} with its certificate")
        for key, where in offered
        if key.asbytes() in certificates
    ]
    identities.keys = [*certified, *offered]
    identities.problems += [problem for blob, problem in problems if blob is None or blob not in in_agent]
    return identities


def _agent_keys(settings: Settings, identities: Identities) -> list[AgentKey]:
    if settings.identity_agent is None:
        return []
    try:
        identities.agent = _Agent(settings.identity_agent)
        keys = list(identities.agent.get_keys())
    except (OSError, paramiko.SSHException) as error:
        fix = "start an agent (eval $(ssh-agent)) and ssh-add your key, or unset SSH_AUTH_SOCK"
        identities.problems.append(Problem(Path(settings.identity_agent), f"is no agent that answers: {error}", fix))
        return []
    for key in keys:
        if key.get_name().endswith(_CERTIFICATE):  # paramiko offers it without the certificate otherwise
            key.public_blob = PublicBlob(key.get_name(), key.blob)  # type: ignore[assignment]
        sign: Any = functools.partial(_signed, key, identities, settings.identity_agent)
        key.sign_ssh_data = sign  # type: ignore[method-assign]
    return keys


def _of_agent(key: AgentKey) -> str:
    """A key for a message, in the format of ``ssh-add -l`` without its comment. The comment is often a person's
    address, the key may have nothing to do with boards, and messages are stored with results.
    """
    return f"the agent's {key.get_name()} {fingerprint(key.asbytes())}"


def _signed(key: AgentKey, identities: Identities, agent: str, data: bytes, algorithm: str | None = None) -> bytes:
    """The agent's signature, or an invalid one.

    If the agent refuses (for example because a key needs a confirmation or a touch), ssh goes on with the next key, but
    paramiko would end the connection. So the server receives an invalid signature and refuses this key.
    """
    try:
        signed: Any = AgentKey.sign_ssh_data(key, data, algorithm)
        return bytes(signed)
    except (OSError, paramiko.SSHException):
        fix = "unlock the agent, or ssh-add a key that asks nobody for a confirmation or a touch"
        identities.problems.append(Problem(Path(agent), f"refuses to sign with {_of_agent(key)}", fix))
        if identities.agent is not None:
            identities.agent.close()  # a late answer would be taken for the next key's
        signature = paramiko.Message()
        signature.add_string(algorithm or key.get_name())
        signature.add_string(bytes(64))
        return signature.asbytes()


def _certified(key: paramiko.PKey, certificate: PublicBlob) -> paramiko.PKey:
    """The same key, offered with a certificate."""
    twin = copy.copy(key)
    twin.public_blob = certificate
    return twin


def _read_public(file: Path) -> PublicBlob | None:
    try:
        if not file.is_file():  # a pipe may never be written to
            return None
        with file.open("rb") as handle:
            text = handle.read(_MAX_KEY_BYTES).decode("ascii")
        return PublicBlob.from_string(" ".join(text.split()[:2])) if text.startswith(_PUBLIC) else None
    except (OSError, ValueError, paramiko.SSHException):
        return None


def _public_half(file: Path) -> bytes | None:
    """The public key beside a private one, or in the file itself; it identifies an agent's key without a passphrase."""
    for place in (file, file.with_name(file.name + ".pub")):
        if (public := _read_public(place)) is not None:
            return bytes(public.key_blob)
    return _unencrypted_half(file)


def _unencrypted_half(file: Path) -> bytes | None:
    """The public key in OpenSSH's own format (PROTOCOL.key), which stands before the part protected by a passphrase."""
    try:
        text = file.read_bytes()[:_MAX_KEY_BYTES] if file.is_file() else b""
        match = re.search(rb"-----BEGIN OPENSSH PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END", text)
        data = base64.b64decode(match[1]) if match else b""
        if not data.startswith(_OPENSSH):
            return None
        message = paramiko.Message(data[len(_OPENSSH) :])
        for _ in ("cipher", "derivation", "its options"):
            message.get_binary()
        return message.get_binary() if message.get_int() == 1 else None
    except (OSError, ValueError, struct.error, paramiko.SSHException):
        return None


def _certificates(settings: Settings) -> dict[bytes, PublicBlob]:
    """Certificates by their public key: CertificateFile, and ``-cert.pub`` beside each identity."""
    certificates: dict[bytes, PublicBlob] = {}
    beside = [file.with_name(f"{file.name.removesuffix('.pub')}-cert.pub") for file in settings.identities]
    for file in [*settings.certificates, *beside]:
        certificate = _read_public(file)
        if certificate is not None and (blob := certified_key(certificate.key_blob)) is not None:
            certificates.setdefault(blob, certificate)
    return certificates


def certified_key(certificate: bytes) -> bytes | None:
    """The public key in a certificate (OpenSSH, PROTOCOL.certkeys): its type, a nonce, then the key's own fields."""
    message = paramiko.Message(certificate)
    kind = message.get_text()
    if not kind.endswith(_CERTIFICATE):
        return None
    kind = kind.removesuffix(_CERTIFICATE)
    message.get_binary()
    key = paramiko.Message()
    key.add_string(kind)
    for _ in range(1 if kind == "ssh-ed25519" else 2):
        key.add_string(message.get_binary())
    return key.asbytes()


def load(file: Path) -> tuple[paramiko.PKey | None, Problem | None]:
    """A private key, or the reason why its file can't be used. As in ssh, a key that others may read is ignored."""
    try:
        state = file.stat()
        if stat.S_ISDIR(state.st_mode):
            return None, Problem(file, "is a folder, not a key", "name the key in it")
        if not stat.S_ISREG(state.st_mode):
            return None, Problem(file, "is no plain file", "name a key file")
        with file.open("rb") as handle:
            data = handle.read(_MAX_KEY_BYTES + 1)
    except FileNotFoundError:
        return None, Problem(file, "is not there", f"ssh-keygen -t ed25519 -f {file}, or name another identity_file")
    except OSError as error:
        return None, Problem(file, f"can't be read: {error.strerror}", f"ls -l {file}")
    if state.st_uid == os.getuid() and state.st_mode & 0o077 and b"PRIVATE KEY" in data:
        mode = f"{state.st_mode & 0o777:04o}"
        return None, Problem(file, f"may be read by others (mode {mode}), so ssh ignores it", f"chmod 600 {file}")
    return _parsed(file, data)


def _parsed(file: Path, data: bytes) -> tuple[paramiko.PKey | None, Problem | None]:
    if not data.strip():
        return None, Problem(file, "is empty", "copy the key again, or make one: ssh-keygen -t ed25519")
    if len(data) > _MAX_KEY_BYTES:
        return None, Problem(file, "is too large for a key", "name a private key")
    for start, what, fix in _OTHERS:
        if data.lstrip().startswith(start):
            return None, Problem(file, what, fix.format(file=file))
    for text in (data, data.replace(b"\r\n", b"\n")):
        try:
            key = (
                serialization.load_ssh_private_key(text, None)
                if b"OPENSSH PRIVATE KEY" in text
                else serialization.load_pem_private_key(text, None)
            )
            as_openssh = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            ).decode("ascii")
            return _for_paramiko(as_openssh), None
        except TypeError:  # cryptography raises this when a password is needed
            fix = f"ssh-add {file}; the harness asks for no passphrase"
            return None, Problem(file, "has a passphrase, and is not in the agent", fix)
        except UnsupportedAlgorithm as error:
            return None, Problem(file, f"is of a kind that can't be used: {error}", "ssh-keygen -t ed25519")
        except (ValueError, paramiko.SSHException) as error:
            problem = str(error).splitlines()[0][:200] if str(error) else "unknown format"
    return None, Problem(file, f"is no private key that can be read ({problem})", "ssh-keygen -t ed25519 makes one")


def _for_paramiko(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text))
    raise ValueError("neither Ed25519, RSA nor ECDSA")
