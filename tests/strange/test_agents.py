"""Agents and accounts in the moods that they have on people's machines."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.strangers import Stranger, World
from tests.strange.cases import only
from tests.strange.conftest import Board


@pytest.mark.parametrize("only_these", ["yes", "no"])
def test_an_encrypted_key_without_its_public_half(only_these: str, world: World, board: Board) -> None:
    """The agent has it; which one of the agent's it is, the file tells without its passphrase."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key("lab"))
    agent = world.agent(stranger.home / ".ssh/lab")
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(stranger.home / ".ssh/lab")]
    subprocess.run(words, check=True, capture_output=True)
    (stranger.home / ".ssh/lab.pub").unlink()
    stranger.write(".ssh/known_hosts", board.server.known())
    stranger.write(".ssh/config", f"Host *\n    IdentityFile ~/.ssh/lab\n    IdentitiesOnly {only_these}\n")
    env = {"SSH_AUTH_SOCK": str(agent)}
    port = ["-p", str(board.server.port)]
    assert stranger.ssh(*port, f"{board.account.name}@{board.server.address}", "true", env=env).returncode == 0
    assert only(stranger.doctor(stranger.list_boards(board.device()), env=env)).connected


def confirming(world: World, stranger: Stranger, name: str) -> str:
    """An agent that signs with this key only when somebody says yes, and nobody is there."""
    agent = world.agent()
    env = {**stranger.env, "SSH_AUTH_SOCK": str(agent)}
    words = ["ssh-add", "-q", "-c", str(stranger.home / ".ssh" / name)]
    subprocess.run(words, check=True, env=env, capture_output=True)
    return str(agent)


@pytest.mark.parametrize("another", [True, False])
def test_an_agent_that_refuses(another: bool, world: World, board: Board) -> None:
    """The next key is tried, as ssh does; without one, the agent is named."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key("asks"))
    agent = confirming(world, stranger, "asks")
    (stranger.home / ".ssh/asks").unlink()
    if another:
        board.account.authorize(stranger.make_key())
    stranger.write(".ssh/known_hosts", board.server.known())
    found = only(stranger.doctor(stranger.list_boards(board.device()), env={"SSH_AUTH_SOCK": agent}))
    if another:
        assert found.connected, found
        return
    assert found.code == "authentication", found
    assert "refuses to sign" in found.text
    assert "too many" not in found.text


def test_comments_of_the_agents_keys_are_nobodys_business(world: World, board: Board) -> None:
    """They are people's addresses; what is said of a board that refuses is kept in results."""
    stranger = world.stranger()
    stranger.make_key("private")
    words = ["ssh-keygen", "-q", "-c", "-C", "jane.doe@home.example", "-f", str(stranger.home / ".ssh/private")]
    subprocess.run(words, check=True, capture_output=True)
    agent = world.agent(stranger.home / ".ssh/private")
    listed = subprocess.run(
        ["ssh-add", "-l"], env={**stranger.env, "SSH_AUTH_SOCK": str(agent)}, capture_output=True, text=True, check=True
    ).stdout
    assert "jane.doe" in listed
    for name in ("private", "private.pub"):
        (stranger.home / ".ssh" / name).unlink()
    stranger.write(".ssh/known_hosts", board.server.known())
    found = only(stranger.doctor(stranger.list_boards(board.device()), env={"SSH_AUTH_SOCK": str(agent)}))
    assert found.code == "authentication"
    assert listed.split()[1] in found.text  # the fingerprint
    assert "jane.doe" not in found.text


def test_a_password_that_has_expired(world: World) -> None:
    """As on a fresh Ubuntu image: sshd lets the key in, and PAM lets no command run."""
    stranger = world.stranger()
    board = Board(world.server("UsePAM yes"), world.account())
    board.account.authorize(stranger.make_key())
    subprocess.run(["chage", "-d", "0", board.account.name], check=True)
    stranger.write(".ssh/known_hosts", board.server.known())
    found = only(stranger.doctor(stranger.list_boards(board.device())))
    assert found.code == "login-shell", found
    assert "expired" in found.text
    assert "log in by hand" in found.text


def test_a_server_without_common_algorithms(world: World) -> None:
    stranger = world.stranger()
    board = Board(world.server("Ciphers chacha20-poly1305@openssh.com"), world.account())
    board.account.authorize(stranger.make_key())
    stranger.write(".ssh/known_hosts", board.server.known())
    found = only(stranger.doctor(stranger.list_boards(board.device())))
    assert "Ciphers aes256-gcm@openssh.com" in found.text, found
