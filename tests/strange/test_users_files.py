"""Files and names of the user's own that no tool should stumble over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.strangers import Server, Stranger, World
from tests.strange.cases import only
from tests.strange.conftest import Board


@pytest.fixture
def gate(world: World) -> Server:
    return world.server()


def jump(board: Board, gate: Server) -> str:
    return f"{board.account.name}@{gate.address}:{gate.port}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".fabric.yaml", "gateway: nobody@127.0.0.1\n"),
        (".fabric.yaml", "{broken: [\n"),
        (".fabric.yaml", "- a list\n"),
        (".fabric.json", "not json"),
        (".fabric.py", "raise SystemExit('somebody ran me')\n"),
    ],
    ids=["gateway", "damaged", "list", "json", "program"],
)
def test_fabrics_own_files_do_not_count(name: str, text: str, newcomer: Stranger, board: Board) -> None:
    newcomer.write(name, text)
    found = newcomer.doctor(newcomer.list_boards(board.device()))
    assert only(found).connected


@pytest.mark.parametrize("folder", ["o'brien", 'the "lab"', "back\\slash", "#1 lab", "Schlüssel 100%", "a  b"])
def test_a_folders_name_is_taken_as_it_is(folder: str, newcomer: Stranger, board: Board, gate: Server) -> None:
    """For a key, and for a known_hosts file, of the board and of a jump host."""
    key = newcomer.write(f"{folder}/id", (newcomer.home / ".ssh/id_ed25519").read_bytes())
    (newcomer.home / ".ssh/id_ed25519").unlink()
    known = newcomer.write(f"{folder}/lab_hosts", board.server.known() + gate.known())
    (newcomer.home / ".ssh/known_hosts").unlink()
    newcomer.write("gate-key", key.read_bytes())
    device = board.device(identity_file=str(key), known_hosts=str(known))
    newcomer.write(".ssh/config", f"Host {gate.address}\n    IdentityFile {newcomer.home}/gate-key\n")
    found = newcomer.doctor(newcomer.list_boards(device, {**device, "name": "behind", "proxy_jump": jump(board, gate)}))
    assert not found.error
    assert {name: finding.connected for name, finding in found.items()} == {"pi4": True, "behind": True}, found


def test_a_jump_hosts_key_where_ssh_has_it(newcomer: Stranger, board: Board, gate: Server) -> None:
    """``ssh -J gate -o UserKnownHostsFile=lab_hosts``: that file is the board's; the jump host's key is where it always
    is, and may be in the file as well."""
    newcomer.write("lab_hosts", (newcomer.home / ".ssh/known_hosts").read_bytes())
    newcomer.write(".ssh/known_hosts", gate.known())
    device = board.device(known_hosts="lab_hosts", proxy_jump=jump(board, gate))
    assert newcomer.ssh(
        "-J", jump(board, gate), "-o", "UserKnownHostsFile=lab_hosts", "-p", str(board.server.port),
        f"{board.account.name}@{board.server.address}", "true",
    ).returncode == 0  # fmt: skip
    devices = newcomer.list_boards(device)
    assert only(newcomer.doctor(devices)).connected
    newcomer.write(".ssh/known_hosts", "")
    assert only(newcomer.doctor(devices)).code == "host-key"
    newcomer.write("lab_hosts", board.server.known() + gate.known())
    assert only(newcomer.doctor(devices)).connected


def test_known_hosts_is_not_written_to(newcomer: Stranger, board: Board, gate: Server) -> None:
    """A jump host that tells its further keys (UpdateHostKeys) has them written down by ssh."""
    known = newcomer.home / ".ssh/known_hosts"
    newcomer.write(".ssh/known_hosts", board.server.known() + gate.known())
    before = known.read_bytes()
    assert only(newcomer.doctor(newcomer.list_boards(board.device(proxy_jump=jump(board, gate))))).connected
    assert known.read_bytes() == before


def test_a_quiet_configuration_hides_no_reason(newcomer: Stranger, board: Board, gate: Server) -> None:
    newcomer.write(".ssh/config", "Host *\n    LogLevel QUIET\n")
    found = only(newcomer.doctor(newcomer.list_boards(board.device(proxy_jump=jump(board, gate)))))
    assert found.code == "host-key", found
    assert gate.address in found.text


def sockets_of(pid: int) -> list[Path]:
    """Folders of the process's sockets: named in the command line of the shell that waits beside it."""
    said = subprocess.run(
        ["ps", "-ww", "-o", "args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [Path(word) for word in re.findall(r"\S*/harness-\w+$", said, re.MULTILINE)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_of_a_doctor_that_was_ended(
    number: signal.Signals, newcomer: Stranger, board: Board, gate: Server
) -> None:
    newcomer.write(".ssh/known_hosts", board.server.known() + gate.known())
    board.account.write(".bashrc", "sleep 3\n")
    devices = newcomer.list_boards(board.device(proxy_jump=jump(board, gate)))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "doctor", "--devices", str(devices)], cwd=newcomer.home, env=newcomer.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        folders: list[Path] = []
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not any((folder / "hop-0").is_socket() for folder in folders):
            folders = sockets_of(process.pid)
            time.sleep(0.02)
        (folder,) = folders
        assert (folder / "hop-0").is_socket()
        os.kill(process.pid, number)
        process.wait(30)
    finally:
        process.kill()
        (board.account.home / ".bashrc").unlink()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and (folder.exists() or running(folder)):
        time.sleep(0.1)
    assert not folder.exists()
    assert not running(folder)


def running(folder: Path) -> str:
    return subprocess.run(["pgrep", "-fa", str(folder)], capture_output=True, text=True, check=False).stdout
