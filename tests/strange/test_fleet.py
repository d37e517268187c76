"""Many boards behind one jump host, whose server takes ten strangers at a time, as OpenSSH's does by default."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.strangers import Account, Server, Stranger, World
from tests.strange.conftest import Board

BOARDS = 32


@dataclass(frozen=True)
class Lab:
    stranger: Stranger
    hop: Server
    devices: list[dict[str, object]]
    homes: list[Path]


@pytest.fixture(scope="module")
def lab(world: World) -> Lab:
    """32 servers with 32 accounts; the accounts share a number, so that they can share what was sent to one of them."""
    stranger = world.stranger()
    public = stranger.make_key()
    hop = Board(world.server(many=False), world.account())
    hop.account.authorize(public)
    boards: list[Board] = []
    for _ in range(BOARDS):
        account: Account = world.account(uid=boards[0].account.uid if boards else None)
        account.authorize(public)
        boards.append(Board(world.server(many=False, key_types=["ed25519"]), account))
    lines = [server.known() for server in (hop.server, *(board.server for board in boards))]
    stranger.write(".ssh/known_hosts", "".join(lines))
    port = hop.server.port
    stranger.write(
        ".ssh/config", f"Host jump\n  HostName {hop.server.address}\n  Port {port}\n  User {hop.account.name}\n"
    )
    devices = [
        board.device(f"b{number:02}", proxy_jump="jump", runtimes=["litert"]) for number, board in enumerate(boards)
    ]
    return Lab(stranger, hop.server, devices, [board.account.home for board in boards])


def share(source: Path, homes: list[Path]) -> None:
    """Give the other boards what the first one was sent; large files are linked."""

    def put(old: str, new: str) -> object:
        return os.link(old, new) if Path(old).stat().st_size > 4096 else shutil.copy2(old, new)

    owner = source.stat()
    for home in homes:
        shutil.rmtree(home / ".cache", ignore_errors=True)  # the doctor has been there
        shutil.copytree(source / ".cache", home / ".cache", copy_function=put, symlinks=True)
        for path in (home / ".cache", *(home / ".cache").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@pytest.mark.slow
def test_the_doctor_reaches_all(lab: Lab) -> None:
    found = lab.stranger.doctor(lab.stranger.list_boards(*lab.devices))
    assert not found.error, found.error
    assert {name: finding.text for name, finding in found.items() if not finding.connected} == {}
    assert len(found) == BOARDS


@pytest.mark.slow
def test_a_run_reaches_all(lab: Lab) -> None:
    """Nothing of ten megabytes is sent here: the boards have it from an earlier run."""
    first = lab.stranger.measure(lab.stranger.list_boards(lab.devices[0]))
    assert all(finding.healthy for finding in first.values()), first
    share(lab.homes[0], lab.homes[1:])
    found = lab.stranger.measure(lab.stranger.list_boards(*lab.devices))
    assert not found.error, found.error
    assert {name: (finding.code, finding.text) for name, finding in found.items() if not finding.healthy} == {}
    assert len(found) == BOARDS


@pytest.mark.slow
def test_one_refused_board_among_them(lab: Lab) -> None:
    """A login that is refused costs that board alone, and the jump host nothing."""
    devices = [*lab.devices[:11], {**lab.devices[11], "user": "nobody-here"}]
    found = lab.stranger.doctor(lab.stranger.list_boards(*devices))
    assert not found.error, found.error
    assert {name: finding.code for name, finding in found.items() if not finding.connected} == {"b11": "authentication"}
