"""What the tests of faults share: the boards, and how a fault is timed into a cell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.made.farm import Farm
from benchmarks.made.sshd import SSHD
from harness.config import devices as config
from harness.remote import connect

Record = Callable[[str, object], None]
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="producing this fault needs root")
#: Three short cells: one before the fault, one in it, one after.
THREE = {"threads": (1, 2, 3)}
#: The second cell of the stand-in waits until the fault has been produced (the file is there); others take 0.1 s.
WAIT = """
if cells == 2:
    count("waiting")
    while not os.path.exists(os.path.join(HERE, "go")):
        time.sleep(0.05)
time.sleep(0.1)
"""


def note(record: Record, fault: str, how: str, outcome: str) -> None:
    for key, value in (("fault", fault), ("produced", how), ("outcome", outcome)):
        record(key, value)


def until(condition: Callable[[], object], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture
def farm(tmp_path: Path, cache: Path) -> Iterator[Farm]:
    """Two boards: ``bad`` gets the fault, ``good`` is to go on."""
    if SSHD is None:
        pytest.skip("no sshd here")
    made = Farm(tmp_path, ["bad", "good"])
    for place in made.places.values():
        place.python("time.sleep(0.1)")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts, twenty times shorter."""
    monkeypatch.setattr(connect, "CONNECT_S", (0.05, 0.1))
    monkeypatch.setattr(connect, "RECONNECT_S", (0.1, 0.2, 0.4, 0.8, 1.5))


def go(farm: Farm, name: str = "bad") -> None:
    (farm.places[name].bin / "go").write_text("")


def waiting(farm: Farm, name: str = "bad") -> Callable[[], bool]:
    return (farm.places[name].bin / "waiting").exists


def devices(farm: Farm, *names: str) -> config.Fleet:
    return farm.fleet(*names, runtimes=["litert"])
