"""The world that all tests of strangers share: it takes seconds to make, so there is one for a session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from benchmarks.strangers import Account, Server, Stranger, World, missing


@dataclass(frozen=True)
class Board:
    """A server and who one is there."""

    server: Server
    account: Account

    def device(self, name: str = "pi4", **more: object) -> dict[str, object]:
        """The one line of the README, with nothing that the guide doesn't name."""
        return {"name": name, "user": self.account.name, **self.server.place, **more}

    def newcomer(self, stranger: Stranger, *ssh_options: str) -> Stranger:
        """Somebody who has done what the guide says: a key, on the board, and one login by hand."""
        self.account.authorize(stranger.make_key())
        done = stranger.log_in_once(self.server, self.account.name, *ssh_options)
        assert done.returncode == 0, done.stderr
        return stranger


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if reason := missing():
        pytest.skip(reason)
    with World() as made:
        yield made


@pytest.fixture(scope="session")
def board(world: World) -> Board:
    """A board with bash, a quiet home and a server with defaults."""
    return Board(world.server(), world.account())


@pytest.fixture
def newcomer(world: World, board: Board) -> Stranger:
    return board.newcomer(world.stranger())
