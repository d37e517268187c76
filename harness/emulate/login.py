"""The check that a board is ready: a key login works, and the host key is that of the image."""

from __future__ import annotations

import socket
from pathlib import Path

import paramiko

from harness.core.errors import EmulatorError


def log_in(link: socket.socket, user: str, identity_file: Path, *, host_key: str, timeout_s: float) -> None:
    """Log in with a key over the open connection ``link``, and close it.

    Raises:
        EmulatorError: the server has another host key than ``host_key``.
        paramiko.SSHException, OSError, EOFError: the board is not ready yet.
    """
    transport = paramiko.Transport(link)
    try:
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout_s
        transport.start_client(timeout=timeout_s)
        key = transport.get_remote_server_key()
        if f"{key.get_name()} {key.get_base64()}" != host_key:
            raise EmulatorError(f"another host key than the board image's answers on {link.getpeername()}")
        transport.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(str(identity_file)))
    finally:
        transport.close()
