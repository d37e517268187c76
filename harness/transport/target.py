"""Where a board is, who we are there, which host key counts, and how long silence is borne: what goes into paramiko."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabric
import paramiko

from harness.errors import HostKeyError

#: A board that acknowledges nothing for this long is gone. Its kernel answers, not its programs: no cell is disturbed.
SILENCE_S = 20


@dataclass(frozen=True)
class SshTarget:
    """Where a board is and who we are there. None means: what ~/.ssh/config or SSH's default says."""

    label: str
    host: str
    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    known_hosts: Path | None = None
    proxy_jump: str | None = None
    #: Emulated boards are reached with exactly what is here, whatever the user's own SSH configuration says.
    use_ssh_config: bool = True


def notice_silence(transport: Any) -> None:
    """Let the kernel break a connection whose other side is silent: a cut cable says nothing."""
    sock = getattr(transport, "sock", None)
    if not isinstance(sock, socket.socket):
        transport.set_keepalive(30)  # through a jump host there is no socket of ours
        return
    for option, value in (
        (socket.TCP_KEEPIDLE, max(1, SILENCE_S // 2)),
        (socket.TCP_KEEPINTVL, max(1, SILENCE_S // 4)),
        (socket.TCP_KEEPCNT, 2),
        (socket.TCP_USER_TIMEOUT, SILENCE_S * 1000),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def credentials(target: SshTarget, timeout_s: float) -> dict[str, Any]:
    """How to log in, as paramiko takes it."""
    found: dict[str, Any] = {"banner_timeout": timeout_s * 3, "auth_timeout": timeout_s * 3}
    if target.identity_file is not None:
        found |= {"key_filename": str(target.identity_file), "look_for_keys": False}
    if not target.use_ssh_config:
        found |= {"allow_agent": False, "look_for_keys": False}
    return found


def gateway(target: SshTarget, config: Any) -> Any:
    """The connection of a jump host, if devices.yaml names one."""
    if target.proxy_jump is None:
        return None  # fabric takes ProxyJump and ProxyCommand from ~/.ssh/config by itself
    return fabric.Connection(target.proxy_jump, config=config)


def pin_host_keys(connection: Any, target: SshTarget) -> None:
    """fabric's default takes any unknown key; here an unknown key is an error, always."""
    client = connection.client
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    files: list[Path] = []
    if target.known_hosts is not None:
        client._system_host_keys.clear()  # the file named is the only one that counts
        files = [target.known_hosts]
    elif target.use_ssh_config:
        listed = connection.ssh_config.get("userknownhostsfile", "") if connection.ssh_config else ""
        files = [Path(name).expanduser() for name in listed.split()]
    for file in files:
        try:
            client.load_system_host_keys(str(file))
        except OSError as error:
            if target.known_hosts is not None:
                raise HostKeyError(
                    f"{target.label}: known_hosts file {file} can't be read: {error.strerror}"
                ) from error


def fingerprint(key: Any) -> str:
    """A key's SHA-256 fingerprint, as ssh-keygen -l shows it."""
    return str(getattr(key, "fingerprint", "") or key.get_name())
