"""Files are whole or not there, on whatever file system they are."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.errors import LockTakenError, StoreError
from harness.core.files import sha256_bytes, sha256_file, write_atomic, write_output
from harness.core.locks import locked, take_lock
from tests.support import otherfs


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_writes_and_hashes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, "text")
    write_atomic(path, b"other")
    assert path.read_bytes() == b"other"
    assert sha256_file(path) == sha256_bytes(b"other")
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o027, 0o640)])
@pytest.mark.usefixtures("umask")
def test_the_umask_is_obeyed(tmp_path: Path, mask: int, expected: int) -> None:
    os.umask(mask)
    write_atomic(tmp_path / "file", "x")
    write_output(tmp_path / "output", "x")
    take_lock(tmp_path / "lock").close()
    assert [mode(tmp_path / name) for name in ("file", "output", "lock")] == [expected] * 3


@pytest.mark.usefixtures("umask")
def test_a_secret_stays_one_and_an_output_keeps_its_mode(tmp_path: Path) -> None:
    write_atomic(tmp_path / "secret", "x", mode=0o600)
    assert mode(tmp_path / "secret") == 0o600
    (tmp_path / "output").write_text("old")
    (tmp_path / "output").chmod(0o640)
    write_output(tmp_path / "output", "new")
    assert (mode(tmp_path / "output"), (tmp_path / "output").read_text()) == (0o640, "new")


def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, "x")
    assert path.read_text() == "x"


_WRITE = """
import sys
from pathlib import Path
from harness.core.files import write_atomic

write_atomic(Path(sys.argv[1]) / "f", "x")
"""


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS, errno.EACCES])
def test_a_folder_that_cant_be_synced_is_no_failure(tmp_path: Path, error: int) -> None:
    subprocess.run(
        [sys.executable, "-c", _WRITE, str(tmp_path)], check=True, env=otherfs.environment(tmp_path, fsync_folder=error)
    )
    assert (tmp_path / "f").read_text() == "x"


def test_a_disk_that_fails_in_the_sync_of_a_folder_is_one(tmp_path: Path) -> None:
    environment = otherfs.environment(tmp_path, fsync_folder=errno.EIO)
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(tmp_path)], capture_output=True, text=True, env=environment
    )
    assert "StoreError" in done.stderr
    assert "Input/output error" in done.stderr


_LOCK = """
import sys
from pathlib import Path
from harness.core.errors import LockTakenError
from harness.core.locks import take_lock

path = Path(sys.argv[1])
lock = take_lock(path)
try:
    take_lock(path)
except LockTakenError:
    print("taken", lock.shared)
lock.close()
take_lock(path).close()
print("free")
"""


@pytest.mark.parametrize(
    ("answers", "shared"),
    [
        ({}, True),
        ({"flock_reading": errno.EBADF}, True),
        ({"flock": errno.ENOLCK}, False),
        ({"flock": errno.EBADF}, False),
        ({"flock": errno.ENOTSUP}, False),
        ({"flock": errno.EINVAL}, False),
        ({"flock": errno.ENOSYS}, False),
    ],
)
def test_a_lock_keeps_others_off_on_every_file_system(tmp_path: Path, answers: dict[str, int], shared: bool) -> None:
    environment = otherfs.environment(tmp_path, **answers)
    command = [sys.executable, "-c", _LOCK, str(tmp_path / "lock")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"taken {shared}\nfree\n"


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_another_error_is_not_called_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def broken(_number: int, _how: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(StoreError, match="can't be locked: ") as caught:
        take_lock(tmp_path / "lock")
    assert not isinstance(caught.value, LockTakenError)
    assert os.strerror(error) in str(caught.value)


@pytest.mark.parametrize("error", [0, errno.ENOLCK])
def test_a_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    if error:

        def missing(_number: int, _how: int) -> None:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(fcntl, "flock", missing)
    first = take_lock(tmp_path / "lock")
    told = threading.Event()
    threading.Thread(target=lambda: (told.wait(10), first.close())).start()
    with locked(tmp_path / "lock", waiting=told.set):
        assert told.is_set()


def test_a_lock_file_that_cant_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lock: can't be locked: No such file"):
        take_lock(tmp_path / "missing" / "lock")


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"x" * 200_000)
    reader.join(10)
    assert read == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_through(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        write_output(Path(os.ttyname(slave)), b"row")
        assert os.read(master, 10) == b"row"
        assert stat.S_ISCHR(Path(os.ttyname(slave)).stat().st_mode)
    finally:
        os.close(master)
        os.close(slave)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_output(link, b"row")
    assert link.is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_an_error_and_stays(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="/dev/full: can't be written: No space left"):
        write_output(Path("/dev/full"), b"row")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_link_stays_and_its_goal_is_written(tmp_path: Path, depth: int) -> None:
    goal = tmp_path / "real" / "file"
    goal.parent.mkdir()
    goal.write_text("old")
    link = goal
    for number in range(depth):
        following = tmp_path / f"link{number}"
        following.symlink_to(os.path.relpath(link, tmp_path))
        link = following
    write_output(link, "new")
    assert link.is_symlink()
    assert goal.read_text() == "new"


def test_a_link_to_nothing_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("goal")
    write_output(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "goal").read_text() == "new"


def test_a_circle_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StoreError, match="Too many levels"):
        write_output(tmp_path / "a", "new")
    assert (tmp_path / "a").is_symlink()


def test_a_folder_and_a_socket_are_errors_and_stay(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        write_output(tmp_path, "new")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(StoreError, match="can't be written"):
            write_output(tmp_path / "s", "new")
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("through", ["pipe", "file"])
def test_what_is_open_already_is_written_to(tmp_path: Path, name: str, through: str) -> None:
    code = (
        f"from pathlib import Path; from harness.core.files import write_output; write_output(Path({name!r}), 'row\\n')"
    )
    if through == "pipe":
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
        assert done.stdout == b"row\n"
        return
    out = tmp_path / "out"
    with out.open("wb") as handle:
        handle.write(b"before\n")
        handle.flush()
        subprocess.run([sys.executable, "-c", code], stdout=handle, check=True)
    assert out.read_bytes() == b"before\nrow\n"
