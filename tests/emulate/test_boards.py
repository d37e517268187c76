"""Emulation without booting: image cache, storage, command line, and what is said when QEMU is missing."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harness.emulate
from benchmarks.made.checkout import environment
from harness.boards.registry import FAMILIES
from harness.core import paths
from harness.core.errors import EmulatorError, EmulatorMissingError
from harness.emulate import detached as standing
from harness.emulate import disk, image, machine, tools
from harness.emulate import imagestore as store
from harness.emulate.guard import fill, tail

needs_e2fsprogs = pytest.mark.skipif(tools.find("mke2fs") is None, reason="needs e2fsprogs")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _image(folder: Path) -> image.Image:
    return image.Image(
        "0" * 16,
        folder,
        folder / "kernel",
        folder / "initrd",
        folder / "root.img",
        folder / "id",
        "ssh-ed25519 AAAA",
        {},
    )


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert paths.cache_dir() == tmp_path
    monkeypatch.setenv("HARNESS_CACHE", "")
    assert paths.cache_dir().name == "edge-harness"


def test_public_names_exist() -> None:
    assert all(getattr(harness.emulate, name) for name in harness.emulate.__all__)
    with pytest.raises(AttributeError):
        _ = harness.emulate.no_such_name


def test_guard_imports_nothing_heavy() -> None:
    """One guard per board: it must start fast and stay small."""
    script = "import sys, harness.emulate.guard; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment())
    assert not {"paramiko", "pydantic", "numpy", "cryptography"} & set(json.loads(done.stdout.replace("'", '"')))


# --- missing programs


def test_missing_qemu_names_the_package(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmulatorMissingError) as caught:
        harness.emulate.boot("x", FAMILIES["raspberry-pi-4"])
    assert "qemu-system-aarch64" in caught.value.message
    assert "apt-get install" in (caught.value.fix or "")
    assert "qemu-system-arm" in (caught.value.fix or "")
    assert not cache.exists()


def test_requirements_lists_program_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "mmdebstrap (package mmdebstrap)" in harness.emulate.requirements()


def test_sbin_is_searched_for_ordinary_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert (tools.find("mke2fs") is not None) == any(Path(d, "mke2fs").exists() for d in ("/usr/sbin", "/sbin"))


def test_a_failed_program_is_quoted() -> None:
    with pytest.raises(EmulatorError, match="e2fsck ended with status"):
        tools.run(["e2fsck", "-p", "/nonexistent"])


# --- the command line


@pytest.mark.parametrize("family", [f for f in FAMILIES.values() if f.qemu_cpu])
def test_command_has_the_boards_own_cpu_and_only_loopback(family: object, tmp_path: Path) -> None:
    assert isinstance(family, type(FAMILIES["generic"]))
    argv = machine.command(family, "instructions", _image(tmp_path / "a,b"))
    assert argv[argv.index("-cpu") + 1] == family.qemu_cpu
    assert argv[argv.index("-icount") + 1] == "shift=0,sleep=on"
    assert argv[argv.index("-smp") + 1] == "1"
    network = argv[argv.index("-netdev") + 1]
    assert "restrict=on" in network
    assert "hostfwd=tcp:127.0.0.1:" in network
    done = fill(argv, port=4242, store=tmp_path / "c,d")
    assert "tcp:127.0.0.1:4242-:22" in " ".join(done)
    assert "/c,,d" in " ".join(done)
    assert "/a,,b/root.img" in " ".join(done)
    assert "@" not in " ".join(done)


def test_wall_clock_has_no_icount(tmp_path: Path) -> None:
    assert "-icount" not in machine.command(FAMILIES["raspberry-pi-4"], "wall", _image(tmp_path))


@pytest.mark.parametrize("name", ["generic", "toaster"])
def test_what_qemu_cannot_imitate_is_refused(name: str) -> None:
    with pytest.raises(EmulatorError, match="can't be emulated"):
        machine.emulated(name)


# --- the storage


@needs_e2fsprogs
def test_store_is_kept_locked_and_repaired(tmp_path: Path) -> None:
    folder = store.store_folder(tmp_path, "my board", "raspberry-pi-4", "abc")
    assert folder.name == "my-board-raspberry-pi-4-abc"
    spare = tmp_path / "spare"
    spare.mkdir()
    first = store.open_store(folder, spare)
    assert first.persistent
    assert first.lock is not None
    born = first.path.stat().st_ino
    second = store.open_store(folder, spare)
    assert not second.persistent
    assert second.path.parent == spare
    first.lock.close()

    again = store.open_store(folder, spare)
    assert again.persistent
    assert again.lock is not None
    assert again.path.stat().st_ino == born
    again.lock.close()

    with again.path.open("r+b") as handle:  # a disk pulled out in the middle of a write
        handle.write(os.urandom(1 << 20))
    fresh = store.open_store(folder, spare)
    assert fresh.lock is not None
    fresh.lock.close()
    assert fresh.path.stat().st_ino != born
    tools.run(["e2fsck", "-fn", str(fresh.path)])


@needs_e2fsprogs
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: os.truncate(path, 1 << 20), "another size"),
        (lambda path: os.truncate(path, 0), "another size"),
        (lambda path: path.write_bytes(b"") or os.truncate(path, disk.STORE_MIB << 20), "file system is damaged"),
        (lambda path: path.unlink() or path.symlink_to("nowhere"), "is no file"),
    ],
)
def test_a_damaged_store_is_made_anew_and_said(spoil: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    first = store.open_store(tmp_path / "board", tmp_path)
    assert first.lost is None
    assert first.lock is not None
    first.lock.close()
    spoil(first.path)
    again = store.open_store(tmp_path / "board", tmp_path)
    assert again.lock is not None
    again.lock.close()
    assert said in (again.lost or "")
    tools.run(["e2fsck", "-fn", str(again.path)])


# --- boards that stay up


def _state(cache: Path, **changes: object) -> Path:
    """The state of a board whose guard is this very process."""
    folder = cache / "emulated"
    folder.mkdir(parents=True, exist_ok=True)
    live = cache / "live" / "board-abc"
    live.mkdir(parents=True, exist_ok=True)
    state = {
        "name": "pi4", "family": "raspberry-pi-4", "host": "127.0.0.1", "port": 1, "user": "bench",
        "identity_file": "i", "known_hosts": "k", "host_key": "h", "clock": "wall", "pid": 1,
        "guard_pid": os.getpid(), "guard_started": standing._started(os.getpid()), "log": str(live / "serial.log"),
        "place": standing._place(), "booted_on": socket.gethostname(),
    }  # fmt: skip
    (folder / "pi4.json").write_text(json.dumps(state | changes), encoding="utf-8")
    return folder / "pi4.json"


def _hold(cache: Path) -> int:
    """What a guard does: hold the lock of its board's folder."""
    lock = os.open(cache / "live/board-abc/lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _emulate(cache: Path, *words: str, apart: bool = True) -> subprocess.CompletedProcess[str]:
    """A command of ours among processes of its own, as in another container with the same cache."""
    command = [sys.executable, "-m", "harness", "emulate", *words]
    if apart:
        command = ["unshare", "--pid", "--fork", "--mount-proc", *command]
    environ = {**environment(), "HARNESS_CACHE": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=120)
    if apart and "unshare:" in done.stderr:
        pytest.skip(f"no process namespaces here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_another_containers_board_is_left_alone(cache: Path) -> None:
    """One cache, two containers: a pid says nothing there, the guard's lock does."""
    state = _state(cache)
    lock = _hold(cache)
    listed = _emulate(cache, "list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("pi4\t")
    assert f"in another container ({socket.gethostname()})" in listed.stdout
    assert [one["name"] for one in json.loads(_emulate(cache, "list", "--json").stdout)["boards"]] == ["pi4"]
    named = _emulate(cache, "down", "pi4")
    assert named.returncode == 1
    assert named.stderr.startswith("harness: pi4 was booted in another container")
    every = _emulate(cache, "down")
    assert (every.returncode, every.stdout) == (0, "")
    assert "left alone" in every.stderr
    assert "out of reach" in _emulate(cache, "ssh", "pi4").stderr
    assert state.exists()
    assert _emulate(cache, "list", apart=False).stdout.startswith("pi4\t")
    os.close(lock)
    assert _emulate(cache, "list").stdout == "", "its guard is gone"
    assert not state.exists()


def test_a_state_from_before_a_restart_is_removed(cache: Path) -> None:
    state = _state(cache, place="another-boot/1")
    assert standing.list_boards() == []
    assert not state.exists()


def test_another_machines_board_is_left_alone(cache: Path) -> None:
    """A cache on a network's disk: locks of another kernel can't be relied on."""
    state = _state(cache, place="another-boot/1", booted_on="elsewhere")
    assert [board.name for board in standing.list_boards()] == ["pi4"]
    with pytest.raises(EmulatorError, match=r"on another machine \(elsewhere\)"):
        standing.down(["pi4"])
    assert state.exists()


@pytest.mark.slow
def test_no_ssh_client_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _state(cache)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = _emulate(cache, "ssh", "pi4", apart=False)
    assert done.returncode == 1
    assert done.stderr == "harness: there is no ssh here to log in with (sudo apt-get install openssh-client)\n"


def test_state_of_a_board_that_is_gone_is_removed(cache: Path) -> None:
    folder = cache / "emulated"
    folder.mkdir(parents=True)
    state = {
        "name": "pi4", "family": "raspberry-pi-4", "host": "127.0.0.1", "port": 1, "user": "bench",
        "identity_file": "i", "known_hosts": "k", "host_key": "h", "clock": "wall", "pid": 1,
        "guard_pid": os.getpid(), "guard_started": 1, "log": "l",
    }  # fmt: skip
    (folder / "pi4.json").write_text(json.dumps(state))
    (folder / "damaged.json").write_text("{")
    assert standing.list_boards() == []
    assert list(folder.glob("*.json")) == []

    state["guard_started"] = standing._started(os.getpid()) or 0
    (folder / "pi4.json").write_text(json.dumps(state))
    assert [board.name for board in standing.list_boards()] == ["pi4"]
    assert standing.ssh_argv("pi4")[0] == "ssh"
    assert "StrictHostKeyChecking=yes" in standing.ssh_argv("pi4")


def test_a_board_that_is_not_up_is_said(cache: Path) -> None:
    with pytest.raises(EmulatorError, match="'pi4' is up"):
        standing.ssh_argv("pi4")
    with pytest.raises(EmulatorError, match="'pi4' is up"):
        standing.down(["pi4"])
    assert standing.down() == []


def test_board_names_cannot_leave_the_folder(cache: Path) -> None:
    with pytest.raises(EmulatorError, match="can't name a board"):
        standing._state_file("../x")


def test_tail_is_printable(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"\x1b[0mboot\r\n\x00last line\n")
    assert tail(log) == "[0mboot\nlast line"
