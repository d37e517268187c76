"""Real boards in QEMU. The image comes from the user's cache and is built, once, when it is not there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.made.checkout import environment
from harness.boards.registry import FAMILIES, BoardFamily
from harness.core.errors import EmulatorError
from harness.core.paths import cache_dir
from harness.emulate import Board, Booting, boot, down, ensure_image, list_boards, requirements, ssh_argv, up
from tests.support.emulate_fixtures import COUNT, gone, running, ssh

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.slow,
    pytest.mark.skipif(bool(requirements()), reason=f"missing: {', '.join(requirements())}"),
]

EMULATED = [family for family in FAMILIES.values() if family.qemu_cpu]
PI4 = FAMILIES["raspberry-pi-4"]
#: Names no other board: the storage of a test must not be in use by a run beside it.
OWN = f"test-{os.getpid()}"


@pytest.fixture(scope="module", autouse=True)
def _image_is_there() -> None:
    ensure_image()


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    with boot(OWN, PI4) as one:
        yield one


def _listening(pid: int) -> list[str]:
    """Local addresses, as in /proc/net/tcp, on which ``pid`` listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(link.readlink()))
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1])
    return found


@pytest.mark.parametrize("group", [EMULATED[:3], EMULATED[3:]], ids=lambda g: "+".join(f.name for f in g))
def test_boards_have_their_own_cpu(group: list[BoardFamily]) -> None:
    """Several at once, as a run does, so parallel boots are covered too."""
    families = [family for family in EMULATED if family in group]
    with ThreadPoolExecutor() as pool:
        boards = list(pool.map(lambda family: boot(f"{OWN}-{family.name}", family), families))
    try:
        assert len({one.port for one in boards}) == len(boards)
        for one, family in zip(boards, families, strict=True):
            machine, cpuinfo = ssh(one, "uname -m; cat /proc/cpuinfo").split("\n", 1)
            assert machine == family.emulated_system().machine
            parts = {line.split()[-1] for line in cpuinfo.splitlines() if line.startswith("CPU part")}
            assert parts == {family.cpu_part}
    finally:
        for one in boards:
            one.close()
    assert gone(*(one.pid for one in boards), *(one.guard_pid for one in boards))
    assert not any(one.log.parent.exists() for one in boards)


def test_the_user_is_an_ordinary_one(board: Board) -> None:
    answer = ssh(board, "id -un; id -u; pwd; stat -c '%U %a' ~/.cache/harness; touch /etc/x 2>&1 || echo refused")
    assert answer.split("\n")[:4] == ["bench", "1000", "/home/bench", "bench 755"]
    assert "refused" in answer
    assert (
        ssh(board, "stat -c '%U %G' / /etc /usr/bin/python3 /etc/ssh/ssh_host_ed25519_key | sort -u") == "root root\n"
    )


def test_python_has_what_runtimes_need(board: Board) -> None:
    assert ssh(board, "python3 -c 'import ctypes, json, hashlib, zipfile, lzma, bz2, decimal; print(1)'") == "1\n"
    assert "libstdc++.so.6" in ssh(board, "ls /usr/lib/aarch64-linux-gnu")


def test_clock_and_date(board: Board) -> None:
    assert board.clock == "instructions"
    assert ssh(board, "nproc") == "1\n"
    # right at boot; then the clock advances by instructions while busy, by real time while idle
    assert abs(int(ssh(board, "date +%s")) - time.time()) < 600


def test_an_idle_board_leaves_the_machine_alone(board: Board) -> None:
    def cpu_seconds() -> float:
        fields = Path(f"/proc/{board.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_seconds()
    time.sleep(3)
    assert cpu_seconds() - before < 0.6


def test_ports_are_on_loopback_only(board: Board) -> None:
    assert _listening(board.pid) == [f"0100007F:{board.port:04X}"]


def test_the_board_reaches_nothing(board: Board) -> None:
    """Not even a listener on this machine's loopback, which user networking shows as 10.0.2.2."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        script = (
            "import socket\n"
            f"for address in (('10.0.2.2', {port}), ('10.0.2.3', 53), ('192.0.2.1', 80)):\n"
            "    s = socket.socket(); s.settimeout(3)\n"
            "    try: s.connect(address); print('reached', address)\n"
            "    except OSError: pass\n"
            "print('done')"
        )
        assert ssh(board, f'python3 -c "{script}"') == "done\n"
        with pytest.raises(TimeoutError):
            server.accept()


def test_another_host_key_is_refused(board: Board, tmp_path: Path) -> None:
    other = board.host_key[:-8] + "AAAAAAAA"
    pinned = tmp_path / "known_hosts"
    pinned.write_text(f"[127.0.0.1]:{board.port} {other}\n")
    with pytest.raises(AssertionError, match="HOST IDENTIFICATION HAS CHANGED"):
        ssh(replace(board, known_hosts=pinned), "true")


@pytest.mark.alone
def test_image_from_the_cache_is_quick() -> None:
    started = time.monotonic()
    image = ensure_image()
    assert time.monotonic() - started < 0.5
    assert image.identity_file.stat().st_mode & 0o777 == 0o600
    assert "python3.11" in image.packages


def test_storage_outlives_a_killed_board_and_is_locked() -> None:
    name = f"{OWN}-store"
    with boot(name, PI4) as first:
        assert first.store_is_persistent
        ssh(first, "echo kept > .cache/harness/file; echo lost > file; sync")
        with boot(name, PI4) as second:
            assert not second.store_is_persistent
            assert "lost+found" in ssh(second, "ls .cache/harness")
            assert "file" not in ssh(second, "ls .cache/harness").split()
        os.kill(first.pid, signal.SIGKILL)
        assert gone(first.pid, first.guard_pid)
    with boot(name, PI4) as third:
        assert third.store_is_persistent
        assert ssh(third, "cat .cache/harness/file; ls") == "kept\n"


def test_instruction_counts_repeat_over_boots(board: Board) -> None:
    counts = [int(ssh(board, COUNT))]
    for _ in range(2):
        with boot(f"{OWN}-count", PI4) as one:
            counts.append(int(ssh(one, COUNT)))
    middle = statistics.median(counts)
    assert max(abs(count - middle) for count in counts) <= 0.001 * middle, counts


_CONTROLLER = """
import sys, time
from harness.boards.registry import FAMILIES
from harness.emulate import boot
board = boot(sys.argv[1], FAMILIES["raspberry-pi-4"])
print(board.pid, board.guard_pid, board.log.parent, flush=True)
time.sleep(600)
"""


def test_a_killed_controller_takes_its_boards_along() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CONTROLLER, f"{OWN}-killed"], stdout=subprocess.PIPE, text=True, env=environment()
    ) as controller:
        assert controller.stdout is not None
        qemu, guard, folder = controller.stdout.readline().split()
        assert running(int(qemu))
        controller.kill()
    assert gone(int(qemu), int(guard))
    assert not Path(folder).exists()


def test_a_killed_guard_takes_qemu_along_and_is_swept_up_after() -> None:
    board = boot(f"{OWN}-guard", PI4)
    os.kill(board.guard_pid, signal.SIGKILL)
    assert gone(board.pid)
    board.close()
    assert board.log.parent.exists()
    with boot(f"{OWN}-guard", PI4):
        assert not board.log.parent.exists()


def test_qemu_that_ends_early_is_quoted() -> None:
    with pytest.raises(EmulatorError, match="no-such-cpu"):
        boot(OWN, replace(PI4, qemu_cpu="no-such-cpu"))


def test_a_board_that_is_too_slow_is_given_up() -> None:
    started = time.monotonic()
    with pytest.raises(EmulatorError, match="in time"):
        boot(f"{OWN}-slow", PI4, Booting(timeout_s=1.0))
    assert time.monotonic() - started < 15


def test_standing_boards_outlive_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image = ensure_image().folder.parent
    (tmp_path / "images").symlink_to(image)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    script = (
        "from harness.boards.registry import FAMILIES; from harness.emulate import up\n"
        "up([('one', FAMILIES['raspberry-pi-4'])], clock='wall')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=120, env=environment())
    try:
        [one] = list_boards()
        assert one.name == "one"
        assert one.clock == "wall"
        assert up([("one", PI4)]) == [one]
        answer = subprocess.run([*ssh_argv("one"), "uname -m"], capture_output=True, text=True, check=True, timeout=60)
        assert answer.stdout == "aarch64\n"
    finally:
        assert down() == ["one"]
    assert gone(one.pid, one.guard_pid)
    assert list_boards() == []
    assert not list((tmp_path / "live").glob("board-*"))


def teardown_module() -> None:
    """Storage of boards that only these tests know."""
    for folder in (cache_dir() / "boards").glob(f"{OWN}*"):
        shutil.rmtree(folder)
