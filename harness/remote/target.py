"""A board's address and login from devices.yaml, and how long a connection may stay silent."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

    from harness.config.devices import Device

#: A board that acknowledges nothing for this many seconds is lost. Its kernel acknowledges, so no cell is disturbed.
SILENCE_S = 20


@dataclass(frozen=True)
class SshTarget:
    """A board's address and login. None means the value of the user's ssh configuration or ssh's default."""

    label: str
    host: str
    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    known_hosts: Path | None = None
    proxy_jump: str | None = None
    #: Emulated boards are reached with exactly these settings, whatever the user's own SSH configuration says.
    use_ssh_config: bool = True

    @property
    def shown(self) -> str:
        """The board for a message: its name in devices.yaml and its address."""
        return f"{self.label} ({self.host}{f':{self.port}' if self.port else ''})"

    @property
    def by_hand(self) -> str:
        """The command by which a person reaches the board with the same settings."""
        words = ["ssh"]
        if self.port:
            words += ["-p", str(self.port)]
        if self.identity_file:
            words += ["-i", str(self.identity_file)]
        if self.proxy_jump:
            words += ["-J", self.proxy_jump]
        if self.known_hosts:
            words += ["-o", f"UserKnownHostsFile={self.known_hosts}"]
        return " ".join([*words, f"{self.user}@{self.host}" if self.user else self.host])


def ssh_target(device: Device) -> SshTarget:
    """The target of a device in devices.yaml that is reached over the network; it has a ``host``."""
    return SshTarget(
        label=device.name,
        host=device.host or "",
        user=device.user,
        port=device.port,
        identity_file=device.identity_file,
        known_hosts=device.known_hosts,
        proxy_jump=device.proxy_jump,
    )


def notice_silence(transport: paramiko.Transport) -> None:
    """Let the kernel break a connection whose other side is silent, since nothing reports a cut cable."""
    sock = getattr(transport, "sock", None)
    if not isinstance(sock, socket.socket) or sock.family == socket.AF_UNIX:
        transport.set_keepalive(30)  # through a jump host this process has no network socket
        return
    for option, value in (
        (socket.TCP_KEEPIDLE, max(1, SILENCE_S // 2)),
        (socket.TCP_KEEPINTVL, max(1, SILENCE_S // 4)),
        (socket.TCP_KEEPCNT, 2),
        (socket.TCP_USER_TIMEOUT, SILENCE_S * 1000),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
