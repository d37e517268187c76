"""Where OpenSSH is asked about a host key (certificates), its own verdict counts, whatever a server has printed."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import cMSG_DEBUG

from benchmarks.strangers import Server, Stranger, World
from benchmarks.strangers.servers import make_key
from tests.strange.cases import only
from tests.strange.conftest import Board

#: What ``ssh -v`` says once it has accepted a key.
FORGED = ("x\ndebug1: SSH2_MSG_NEWKEYS sent\ndebug1: Authentications that can continue: publickey\nx",)


@dataclass
class Impostor(paramiko.ServerInterface):
    """A server with a key that nobody knows. It has ``said`` printed by ssh before it shows its key."""

    key: paramiko.PKey
    said: tuple[str, ...]
    met: int = 0
    logins: list[str] = field(default_factory=list)

    def serve(self, link: socket.socket) -> None:
        impostor = self

        class Talkative(paramiko.Transport):
            def _send_kex_init(self) -> None:
                super()._send_kex_init()  # type: ignore[misc]
                for text in impostor.said:
                    message = paramiko.Message()
                    message.add_byte(cMSG_DEBUG)
                    message.add_boolean(True)
                    message.add_string(text)
                    message.add_string("")
                    self._send_message(message)  # type: ignore[attr-defined]

        self.met += 1
        with contextlib.suppress(Exception):
            transport = Talkative(link, strict_kex=False)
            transport.add_server_key(self.key)
            transport.start_server(server=self)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self.logins.append(username)
        return paramiko.AUTH_SUCCESSFUL  # type: ignore[attr-defined,no-any-return]


@contextlib.contextmanager
def listening(impostor: Impostor) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    threading.Thread(target=impostor.serve, args=(link,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def authority(world: World, tmp_path: Path) -> str:
    """The public line of a certificate authority."""
    return make_key(tmp_path / "ca")


@pytest.mark.parametrize("said", [(), FORGED], ids=["silent", "forged"])
@pytest.mark.parametrize("way", ["straight", "proxy-command"])
def test_a_wrong_key_gets_no_login(
    said: tuple[str, ...], way: str, world: World, authority: str, tmp_path: Path
) -> None:
    stranger = world.stranger()
    stranger.make_key()
    make_key(tmp_path / "impostor")
    impostor = Impostor(paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "impostor")), said)
    with listening(impostor) as port:
        stranger.write(".ssh/known_hosts", f"@cert-authority * {authority}\n")
        if way == "proxy-command":
            stranger.write("pipe.py", PIPE)
            stranger.write(".ssh/config", f"Host 127.0.0.1\n    ProxyCommand python3 {stranger.home}/pipe.py %h %p\n")
        devices = stranger.list_boards({"name": "pi4", "host": "127.0.0.1", "port": port, "user": "pi"})
        found = only(stranger.doctor(devices))
    assert impostor.met
    assert not impostor.logins
    assert found.code == "host-key", found
    assert "not known" in found.text


PIPE = """
import os, socket, sys, threading
link = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        link.sendall(data)
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := link.recv(65536):
    os.write(1, data)
"""


@dataclass
class Certified:
    """A board whose key only a certificate vouches for, and a jump host."""

    stranger: Stranger
    board: Board
    hop: Server
    config: str


@pytest.fixture
def certified(world: World, board: Board, authority: str, tmp_path: Path) -> Certified:
    stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    server, hop = world.server(key_types=["ed25519"]), world.server(key_types=["ed25519"])
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(tmp_path / "ca"), "-I", "board", "-h", "-n", server.address,
         f"{server.folder}/host_ed25519.pub"], check=True, capture_output=True,
    )  # fmt: skip
    server.options.append(f"HostCertificate {server.folder}/host_ed25519-cert.pub")
    server.stop()
    server.start()
    stranger.write(".ssh/known_hosts", f"@cert-authority {server.name} {authority}\n" + hop.known())
    user = f"    User {board.account.name}\n"
    config = f"Host gate\n    HostName {hop.address}\n    Port {hop.port}\n{user}"
    config += f"Host pi4\n    HostName {server.address}\n    Port {server.port}\n{user}"
    return Certified(stranger, Board(server, board.account), hop, config)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "    RemoteCommand tmux new -A -s main\n    RequestTTY yes\n",
        "    LogLevel QUIET\n",
        "    PubkeyAuthentication yes\n    PreferredAuthentications publickey\n    SessionType none\n",
        "    LocalForward 127.0.0.1:9 127.0.0.1:9\n    PermitLocalCommand yes\n    LocalCommand touch ran-something\n",
        "    ProxyJump gate\n",
        "    ProxyCommand ssh -W %h:%p gate\n",
        "    ProxyCommand ssh -o 'ControlPath=~/c-%%h-100%%%%' -W '[%h]:%p' gate\n",
    ],
    ids=["plain", "remote-command", "quiet", "no-session", "much-else", "jump", "ssh-as-proxy", "proxy-quotes"],
)
def test_a_certified_board_is_reached(lines: str, certified: Certified) -> None:
    certified.stranger.write(".ssh/config", certified.config + lines)
    devices = certified.stranger.list_boards({"name": "pi4", "host": "pi4"})
    found = only(certified.stranger.doctor(devices))
    assert found.connected, found
    assert not (certified.stranger.home / "ran-something").exists()


def test_a_proxys_own_ssh_has_the_users_agent(certified: Certified, world: World) -> None:
    """Its key is in the agent alone; and that it turns to an agent says nothing about the board's key."""
    stranger = certified.stranger
    agent = world.agent(stranger.home / ".ssh/id_ed25519")
    (stranger.home / ".ssh/id_ed25519").unlink()
    stranger.write(".ssh/config", certified.config + "    ProxyCommand ssh -W %h:%p gate\n")
    devices = stranger.list_boards({"name": "pi4", "host": "pi4"})
    env = {"SSH_AUTH_SOCK": str(agent)}
    assert only(stranger.doctor(devices, env=env)).connected
    stranger.write(".ssh/known_hosts", certified.hop.known() + f"@cert-authority * {certified.hop.keys['ed25519']}\n")
    assert only(stranger.doctor(devices, env=env)).code == "host-key"
