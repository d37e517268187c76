"""The guide's own steps, and nothing else: a key, the key on the board, ``ssh`` once, one line in devices.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from benchmarks.strangers import Stranger, World
from tests.conftest import REPOSITORY
from tests.strange.cases import only
from tests.strange.conftest import Board


def readme_line() -> dict[str, object]:
    """The device in the README."""
    (line,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.S)
    (device,) = yaml.safe_load(line)
    return dict(device)


def test_the_readmes_line(world: World, board: Board) -> None:
    """As it is printed, with this board's user, on a name and port 22 where those are free."""
    line = readme_line()
    assert set(line) == {"name", "board", "host", "user", "identity_file"}
    stranger = board.newcomer(world.stranger({str(line["host"]): board.server.address}))
    place = {**line, **board.server.place, "user": board.account.name, "board": "generic"}
    if board.server.port == 22:
        place["host"] = line["host"]
        by_hand = stranger.ssh("-o", "StrictHostKeyChecking=accept-new", f"{board.account.name}@{line['host']}", "true")
        assert by_hand.returncode == 0, by_hand.stderr
    found = only(stranger.doctor(stranger.list_boards(place)))
    assert found.healthy, found
    assert found.connected


@pytest.mark.slow
def test_from_the_first_login_to_a_valid_cell(newcomer: Stranger, board: Board) -> None:
    devices = newcomer.list_boards(board.device(identity_file="~/.ssh/id_ed25519"))
    found = only(newcomer.measure(devices))
    assert found.healthy, found


@pytest.mark.parametrize("hashed", ["yes", pytest.param("no", marks=pytest.mark.slow)])
def test_the_default_known_hosts_counts(world: World, board: Board, hashed: str) -> None:
    stranger = board.newcomer(world.stranger(), "-o", f"HashKnownHosts={hashed}")
    text = (stranger.home / ".ssh/known_hosts").read_text()
    assert (board.server.address in text) == (hashed == "no")
    found = only(stranger.doctor(stranger.list_boards(board.device())))
    assert found.connected, found


@pytest.mark.slow
def test_another_port(world: World, board: Board) -> None:
    other = Board(world.server(port=22022), board.account)
    assert other.server.port != 22
    stranger = other.newcomer(world.stranger())
    found = only(stranger.doctor(stranger.list_boards(other.device())))
    assert found.connected, found


def test_before_the_first_login(world: World, board: Board) -> None:
    """The fix is a command that helps."""
    stranger = world.stranger()
    board.account.authorize(stranger.make_key())
    devices = stranger.list_boards(board.device())
    found = only(stranger.doctor(devices))
    assert (found.code, found.connected) == ("host-key", False), found
    told = re.search(r"\bssh (?:-\S+ \S+ )*\S+@127\.[\d.]+", found.text)
    assert told, found
    _, *words = told[0].split()
    assert stranger.ssh("-o", "StrictHostKeyChecking=accept-new", *words, "true").returncode == 0
    found = only(stranger.doctor(devices))
    assert found.connected, found


@pytest.mark.slow
def test_a_changed_host_key(newcomer: Stranger, board: Board, world: World) -> None:
    other = world.server(key_types=["ed25519"])
    newcomer.write(".ssh/known_hosts", other.known(name=board.server.name))
    assert newcomer.log_in_once(board.server, board.account.name).returncode == 255
    found = only(newcomer.doctor(newcomer.list_boards(board.device())))
    assert found.code == "host-key", found
    assert re.search("(?i)changed", found.text), found


def test_no_key_at_all(world: World, board: Board) -> None:
    """Says how a key is made and brought to the board, and doesn't wonder whether the board is up."""
    stranger = world.stranger()
    assert stranger.log_in_once(board.server, board.account.name).returncode == 255
    assert "Permission denied" in stranger.ssh(f"{board.account.name}@{board.server.address}", "true").stderr
    found = only(stranger.doctor(stranger.list_boards(board.device())))
    assert (found.code, found.connected) == ("authentication", False), found
    assert re.search(r"ssh-keygen.*ssh-copy-id", found.text, re.S), found
    assert not re.search(r"switched on|is it up|unreachable", found.text), found


@pytest.mark.slow
def test_a_key_that_is_not_on_the_board(world: World, board: Board) -> None:
    stranger = world.stranger()
    stranger.make_key()
    assert stranger.log_in_once(board.server, board.account.name).returncode == 255
    found = only(stranger.doctor(stranger.list_boards(board.device())))
    assert (found.code, found.connected) == ("authentication", False), found
    assert "ssh-copy-id" in found.text, found


@pytest.mark.slow
def test_nobody_there(newcomer: Stranger, board: Board) -> None:
    found = only(newcomer.doctor(newcomer.list_boards(board.device(port=1))))
    assert (found.code, found.connected) == ("unreachable", False), found


@pytest.mark.slow
def test_user_in_the_host(newcomer: Stranger, board: Board) -> None:
    """``host: pi@pi4.local`` works, alone; with another ``user`` beside it the line is named."""
    host = f"{board.account.name}@{board.server.address}"
    devices = newcomer.list_boards({"name": "pi4", **board.server.place, "host": host})
    done = newcomer.harness("doctor", "--devices", str(devices), "--json")
    if done.returncode == 2:  # a form that isn't taken is refused with its line
        assert re.search(r"devices\.yaml:\d+: ", done.stderr), done.stderr
    else:
        assert json.loads(done.stdout)["devices"]["pi4"], done.stdout
        assert only(newcomer.doctor(devices)).connected
    devices = newcomer.list_boards({"name": "pi4", **board.server.place, "host": host, "user": "somebody-else"})
    done = newcomer.harness("doctor", "--devices", str(devices), "--json")
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"devices\.yaml:\d+: ", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_nothing_of_the_users_is_changed(newcomer: Stranger, board: Board) -> None:
    """``ssh`` may write known_hosts; looking at boards doesn't."""

    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    before = files(newcomer.home / ".ssh")
    found = only(newcomer.doctor(newcomer.list_boards(board.device())))
    assert found.connected, found
    assert files(newcomer.home / ".ssh") == before


@pytest.mark.slow
def test_one_board_under_two_names(newcomer: Stranger, board: Board) -> None:
    """Measured one after the other: no name waits for the other's lease until it gives up."""
    newcomer.write(
        ".ssh/config", f"Host other\n  HostName {board.server.address}\n  Port {board.server.port}\n"
        f"  User {board.account.name}\n"
    )  # fmt: skip
    devices = newcomer.list_boards(board.device("one"), {"name": "two", "host": "other"})
    found = newcomer.measure(devices)
    assert not found.error, found.error
    assert {name: finding.healthy for name, finding in found.items()} == {"one": True, "two": True}, found
