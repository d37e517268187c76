"""QEMU's plugin on programs whose counts and cache misses are known, without a board."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import EstimateError
from harness.estimate import plugin
from harness.estimate.estimator import estimator, known_core
from harness.estimate.plugin import ensure_plugin
from harness.estimate.regions import instructions, read_region
from tests.support.arm_program import ARM, DISARM, END, NEXT, NOP, START, loop, read_lines, run

PI4 = known_core("raspberry-pi-4")  # 32 KiB of two ways, 1 MiB
PI5 = known_core("raspberry-pi-5")  # 64 KiB, 512 KiB, 2 MiB

pytestmark = [pytest.mark.qemu, pytest.mark.usefixtures("plugin_programs")]


def region_of(body: list[int]) -> list[int]:
    return [START, NEXT, *body, NEXT, END, NEXT]


def test_counts_every_instruction_between_start_and_end(tmp_path: Path) -> None:
    body = loop([NOP] * 5, 1000)
    (region,) = run([*loop([NOP], 50), ARM, NEXT, *loop([NOP], 7), *region_of(body), *body], PI4, tmp_path)
    blocks = read_region(region)
    # three instructions before the loop, seven a round, a branch, and the block of the end marker
    assert instructions(blocks) == 3 + 7 * 1000 + 1 + 2
    assert max(block.executions for block in blocks) == 1000


def test_nothing_is_counted_before_it_is_armed_or_after_it_is_disarmed(tmp_path: Path) -> None:
    body = region_of(loop([NOP], 10))
    regions = run([*body, ARM, NEXT, *body, DISARM, NEXT, *body, ARM, NEXT, *body], PI4, tmp_path)
    assert [path.name for path in regions] == ["region-0", "region-1"]
    first, second = (instructions(read_region(path)) for path in regions)
    assert first == second == 3 + 3 * 10 + 1 + 2


@pytest.mark.parametrize(
    ("kib", "cache_lines", "memory_lines"),
    [(16, 0, 0), (32, 0, 0), (64, 1024, 0), (1024, 16384, 0), (2048, 0, 32768)],
)
def test_says_who_served_data_that_was_read_before(
    tmp_path: Path, kib: int, cache_lines: int, memory_lines: int
) -> None:
    reading = read_lines(kib)
    (region,) = run([ARM, NEXT, *reading, *region_of(reading)], PI4, tmp_path)
    blocks = read_region(region)
    assert sum(block.cache_lines for block in blocks) == cache_lines
    assert sum(block.memory_lines for block in blocks) == memory_lines


def test_data_that_was_never_read_comes_from_memory(tmp_path: Path) -> None:
    (region,) = run([ARM, NEXT, *region_of(read_lines(16))], PI4, tmp_path)
    assert sum(block.memory_lines for block in read_region(region)) == 256


def test_a_third_level_counts_as_a_cache(tmp_path: Path) -> None:
    reading = read_lines(1024)
    (region,) = run([ARM, NEXT, *reading, *region_of(reading)], PI5, tmp_path, cpu="max")
    assert sum(block.cache_lines for block in read_region(region)) == 16384


def test_the_plugin_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "with, comma"))
    first = ensure_plugin()
    monkeypatch.setattr(plugin, "_compile", lambda *_: pytest.fail("compiled again"))
    assert ensure_plugin() == first
    assert first.path.is_absolute()


def test_a_missing_compiler_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    (tmp_path / "bin").mkdir()
    qemu = shutil.which("qemu-system-aarch64")
    assert qemu is not None
    (tmp_path / "bin" / "qemu-system-aarch64").symlink_to(qemu)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(EstimateError, match=r"cc, which is not installed \(sudo apt-get install gcc"):
        ensure_plugin()


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cc").write_text("#!/bin/sh\necho no headers here >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(EstimateError, match="no headers here"):
        ensure_plugin()
    assert not list((tmp_path / "cache" / "estimate").glob("*")), "nothing half-made is left"


def test_a_plugin_that_a_crash_damaged_is_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    made = ensure_plugin().path
    whole = made.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"x" * len(whole)):
        made.write_bytes(damaged)
        assert ensure_plugin().path == made
        assert plugin._refusal(str(shutil.which("qemu-system-aarch64")), made) is None


@pytest.mark.parametrize(
    "name", ["with space", "one,two,,three", "a=b", "größe-日本", "'quoted' \"twice\"", "%s %n $HOME"]
)
def test_odd_names_of_the_cache_reach_qemu_as_they_are(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / name))
    folder = tmp_path / name / "regions"
    folder.mkdir(parents=True)
    (region,) = run([ARM, NEXT, *region_of(loop([NOP], 10))], PI4, folder)
    assert instructions(read_region(region)) == 3 + 3 * 10 + 1 + 2


def test_the_c_locale_is_no_trouble(tmp_path: Path) -> None:
    program = "from harness.estimate.plugin import ensure_plugin; print(ensure_plugin().path.exists())"
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HARNESS_CACHE": str(tmp_path / "größe")}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **odd}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "True\n", done.stderr


def test_controllers_that_compile_at_once_both_get_it(tmp_path: Path) -> None:
    program = "from harness.estimate.plugin import ensure_plugin; print(ensure_plugin().path)"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "HARNESS_CACHE": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=120) for one in started]
    assert len({out for out, _ in said}) == 1, said
    (made,) = (tmp_path / "estimate").iterdir()
    assert said[0][0].strip() == str(made)


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/below"])
def test_a_cache_that_cannot_be_written_to_is_named(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", place)
    with pytest.raises(EstimateError, match=rf"{place}/estimate can't be used .*\(set HARNESS_CACHE to a folder\)"):
        estimator("raspberry-pi-4")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("QEMU emulator version 7.2.22 (Debian)", "does not load plugins from .*: qemu: -plugin: invalid option"),
        ("QEMU emulator version 5.2.0", "QEMU version 5.2.0 is too old for plugins .QEMU 6.0 or newer"),
        ("something else", "does not say its version"),
    ],
)
def test_a_qemu_without_plugins_is_said(
    version: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    qemu = tmp_path / "qemu-system-aarch64"
    said_so = f'[ "$1" = --version ] && echo "{version}" && exit'
    qemu.write_text(f"#!/bin/sh\n{said_so}\necho 'qemu: -plugin: invalid option' >&2\nexit 1\n")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EstimateError, match=said):
        ensure_plugin()
