"""The lock file: hostile content, an interrupted write, two processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ConfigError
from harness.runtimes.lockfile import fixed, read, row_for
from harness.runtimes.wheels import Bundle, Platform, Wheel
from tests.conftest import REPOSITORY

PLATFORM = Platform("3.11", "aarch64", (2, 36))


def bundle(version: str = "2.1.0", sha256: str = "a" * 64) -> Bundle:
    wheel = Wheel(f"ai_edge_litert-{version}-cp311-cp311-manylinux_2_27_aarch64.whl", sha256, 1000)
    return Bundle("litert", version, "3.11", "aarch64", (2, 27), (wheel,), ())


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "devices.lock.json"


def test_what_is_fixed_is_read_again(lock: Path) -> None:
    assert read(lock) == ()
    assert fixed(lock, bundle(), PLATFORM) == bundle()
    assert read(lock) == (bundle(),)
    assert row_for(read(lock), "litert", "2.1.0", PLATFORM) == bundle()
    assert row_for(read(lock), "litert", "2.1.1", PLATFORM) is None
    assert row_for(read(lock), "litert", "2.1.0", Platform("3.11", "aarch64", (2, 26))) is None


def test_the_first_one_counts(lock: Path) -> None:
    fixed(lock, bundle(), PLATFORM)
    assert fixed(lock, bundle(sha256="b" * 64), PLATFORM) == bundle()


def change(path: list[str | int], value: object) -> dict[str, Any]:
    """A lock file with one value replaced."""
    wheel = {"file": bundle().wheels[0].file, "sha256": "a" * 64, "bytes": 1000}
    row = {
        "runtime": "litert",
        "version": "2.1.0",
        "python": "3.11",
        "machine": "aarch64",
        "glibc": "2.27",
        "system": [],
    }
    document: Any = {"schema": 1, "rows": [{**row, "wheels": [wheel]}]}
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return dict(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], 2),
        (["address"], "https://example.org/simple"),
        (["rows", 0, "index"], "https://example.org/simple"),
        (["rows", 0, "version"], "2.1.0 --index-url=https://example.org"),
        (["rows", 0, "version"], "2.1\n"),
        (["rows", 0, "python"], "../3"),
        (["rows", 0, "glibc"], "2"),
        (["rows", 0, "machine"], "a/b"),
        (["rows", 0, "wheels"], []),
        (["rows", 0, "wheels", 0, "file"], "../ai_edge_litert-2.1.0-cp311-cp311-any.whl"),
        (["rows", 0, "wheels", 0, "file"], "/etc/passwd"),
        (["rows", 0, "wheels", 0, "file"], "a-1-py3-none-any.tar.gz"),
        (["rows", 0, "wheels", 0, "sha256"], "A" * 64),
        (["rows", 0, "wheels", 0, "bytes"], 0),
        (["rows", 0, "wheels", 0, "bytes"], 1 << 40),
        (["rows"], [None] * 6000),
    ],
)
def test_what_is_no_lock_file_is_refused(lock: Path, path: list[str | int], value: object) -> None:
    lock.write_text(json.dumps(change(path, value)))
    with pytest.raises(ConfigError) as caught:
        read(lock)
    assert str(lock) in str(caught.value)
    assert len(str(caught.value)) < 600


@given(st.binary(max_size=200) | st.from_regex(rb'\{"schema": 1, "rows": \[.{0,80}\]\}', fullmatch=True))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "some.lock.json"
    path.write_bytes(data)
    try:
        assert isinstance(read(path), tuple)
    except ConfigError as error:
        assert str(path) in str(error)


def test_a_deep_file_and_a_large_one_are_refused(lock: Path) -> None:
    lock.write_text('{"schema": 1, "rows": ' + "[" * 200_000)
    with pytest.raises(ConfigError):
        read(lock)
    lock.write_text(" " * (5 << 20))
    with pytest.raises(ConfigError, match="over 4 MiB"):
        read(lock)


FIX = """
import os, sys
from pathlib import Path
from tests.runtimes.test_lockfile import PLATFORM, bundle
from harness.runtimes import lockfile
lock, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if count < 0:
    os.fsync = lambda number: os._exit(7)  # the machine ends in the middle of a write
for number in range(first, first + abs(count)):
    lockfile.fixed(lock, bundle(f"2.{number}.0"), PLATFORM)
"""


def fix(lock: Path, first: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FIX, str(lock), str(first), str(count)], cwd=REPOSITORY)


def test_an_interrupted_write_leaves_the_old_file(lock: Path) -> None:
    fixed(lock, bundle(), PLATFORM)
    before = lock.read_bytes()
    assert fix(lock, 5, -1).wait() == 7
    assert lock.read_bytes() == before
    fixed(lock, bundle("2.2.0"), PLATFORM)
    assert [row.version for row in read(lock)] == ["2.1.0", "2.2.0"]


def test_two_processes_at_once_lose_nothing(lock: Path) -> None:
    processes = [fix(lock, first, 25) for first in (0, 15)]
    assert [process.wait() for process in processes] == [0, 0]
    assert {row.version for row in read(lock)} == {f"2.{number}.0" for number in range(40)}
    assert len(read(lock)) == 40
