"""Boards of 32 bits in QEMU: a Raspberry Pi 2, and a Pi 4 with such a system. Their images are built where missing."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator

import pytest

from harness.boards.registry import FAMILIES
from harness.core.paths import cache_dir
from harness.emulate import Board, Booting, boot, requirements
from tests.support.emulate_fixtures import COUNT, ssh

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.slow,
    pytest.mark.soak,  # another image is built, of packages that few mirrors serve
    pytest.mark.skipif(bool(requirements()), reason=f"missing: {', '.join(requirements())}"),
]

OWN = f"test-armhf-{os.getpid()}"
#: Board family and the machine that its kernel names.
BOARDS = {"raspberry-pi-2": "armv7l", "raspberry-pi-4": "aarch64"}


@pytest.fixture(scope="module", params=BOARDS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def board(family: str) -> Iterator[Board]:
    with boot(f"{OWN}-{family}", FAMILIES[family], Booting(os="armhf")) as one:
        yield one


def test_the_core_and_the_kernel_are_the_boards(board: Board, family: str) -> None:
    machine, cpuinfo = ssh(board, "uname -m; cat /proc/cpuinfo").split("\n", 1)
    assert machine == BOARDS[family]
    parts = {line.split()[-1] for line in cpuinfo.splitlines() if line.startswith("CPU part")}
    assert parts == {FAMILIES[family].cpu_part}


def test_all_programs_have_32_bits(board: Board) -> None:
    look = (
        "for f in /bin/sh /usr/sbin/sshd /usr/bin/python3 /bin/busybox; do head -c 5 $f | tail -c 1 | od -An -tx1; done"
    )
    assert ssh(board, look).split() == ["01"] * 4  # ELFCLASS32
    assert ssh(board, "python3 -c 'import sys; print(sys.maxsize)'") == f"{2**31 - 1}\n"


def test_numpy_is_there_and_compiled(board: Board) -> None:
    """As on Raspberry Pi OS. Without compiled files, each cell would compile it anew."""
    program = "import numpy; print(numpy.ones((2, 2)) @ numpy.ones(2), numpy.__cached__)"
    answer = ssh(board, f"python3 -c '{program}'")
    assert answer.startswith("[2. 2.] ")
    assert ssh(board, f"test -e {answer.split()[-1]} && echo there") == "there\n"


def test_its_instructions_are_counted_alike_over_boots(board: Board, family: str) -> None:
    counts = [int(ssh(board, COUNT))]
    with boot(f"{OWN}-count", FAMILIES[family], Booting(os="armhf")) as one:
        counts.append(int(ssh(one, COUNT)))
    middle = statistics.median(counts)
    assert max(abs(count - middle) for count in counts) <= 0.001 * middle, counts


def teardown_module() -> None:
    """Storage of boards that only these tests know."""
    for folder in (cache_dir() / "boards").glob(f"{OWN}*"):
        shutil.rmtree(folder, ignore_errors=True)
