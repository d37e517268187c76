"""Which runtime a board gets, and that only the pinned bytes get there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.core.errors import ProvisionError, TransferError
from harness.core.files import sha256_bytes
from harness.remote.local import LocalConnection
from harness.remote.probe import probe, send, stored
from harness.runtimes import pip
from harness.runtimes.wheels import Bundle, Platform, Wheel, available, choose, fetch, platform_of, table
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("python", "machine", "glibc", "fits"),
    [
        ("3.13", "aarch64", (2, 41), ["litert", "onnxruntime", "openvino", "ncnn", "mnn"]),  # Raspberry Pi OS trixie
        ("3.11", "aarch64", (2, 36), ["litert", "onnxruntime", "openvino", "ncnn", "mnn"]),  # Raspberry Pi OS bookworm
        ("3.9", "aarch64", (2, 31), ["litert", "onnxruntime", "openvino", "ncnn", "mnn"]),  # bullseye
        ("3.7", "aarch64", (2, 28), ["tflite", "onnxruntime", "ncnn", "mnn"]),  # Coral's Mendel
        ("3.6", "aarch64", (2, 27), ["onnxruntime", "ncnn", "mnn"]),  # Jetson Nano, JetPack 4.6
        ("3.11", "x86_64", (2, 36), ["litert", "onnxruntime", "openvino", "ncnn", "mnn"]),
        ("3.11", "armv7l", (2, 36), []),  # no numpy wheel is published: the system's is needed
        ("3.14", "aarch64", (2, 41), []),
        ("3.11", "riscv64", (2, 41), []),
        ("3.13", "aarch64", (2, 26), []),
    ],
)
def test_what_fits_which_board(python: str, machine: str, glibc: tuple[int, int], fits: list[str]) -> None:
    assert available(Platform(python, machine, glibc)) == fits


def test_the_systems_numpy_makes_a_32_bit_pi_usable() -> None:
    assert available(Platform("3.11", "armv7l", (2, 36), numpy="1.24.2")) == ["tflite", "ncnn"]
    with pytest.raises(ProvisionError, match="python3-numpy"):
        choose("tflite", Platform("3.11", "armv7l", (2, 36)))


def test_a_32_bit_python_on_a_64_bit_kernel_is_32_bit() -> None:
    assert platform_of("3.11.2", "aarch64", 32, "glibc 2.36", None).machine == "armv7l"
    assert platform_of("3.11.2", "aarch64", 64, "glibc 2.36", None).machine == "aarch64"


@pytest.mark.parametrize(
    ("runtime", "platform", "said"),
    [
        (
            "litert",
            Platform("3.6", "aarch64", (2, 27)),
            "no litert is published for Python 3.6 on aarch64.*onnxruntime",
        ),
        ("litert", Platform("3.11", "aarch64", (2, 20)), "needs glibc 2.27, the board has 2.20"),
        ("litert", Platform("3.11", "aarch64", None), "needs glibc, which"),
        ("onnxruntime", Platform("3.11", "mips", (2, 36)), "no runtime fits"),
    ],
)
def test_what_does_not_fit_is_told(runtime: str, platform: Platform, said: str) -> None:
    with pytest.raises(ProvisionError, match=said):
        choose(runtime, platform)


def test_every_row_is_pinned_and_consistent() -> None:
    for bundle in table():
        for wheel in bundle.wheels:
            assert len(wheel.sha256) == 64
            assert wheel.size_bytes > 100_000
            assert any(tag.endswith(bundle.machine) for tag in wheel.platforms)
            assert f"cp{bundle.python.replace('.', '')}" in wheel.file


def test_every_row_of_a_pc_has_been_seen_to_run() -> None:
    """The boards page says so; ``python -m benchmarks.every_wheel --write`` sees to it."""
    rows = json.loads((REPOSITORY / "harness/runtimes/wheels.json").read_text())["rows"]
    for row in rows:
        if row["machine"] == "x86_64":
            assert row["seen"].startswith(f"ran in CPython {row['python']}.")


def test_the_boards_page_has_the_table_as_it_is() -> None:
    columns = ("litert", "tflite", "onnxruntime", "openvino", "ncnn", "mnn")
    found: dict[tuple[str, str], list[str]] = {}
    for bundle in table():
        cells = found.setdefault((bundle.python, bundle.machine), ["-"] * len(columns))
        glibc = ".".join(map(str, bundle.glibc))
        own = " + numpy of the board" if bundle.system else ""
        cells[columns.index(bundle.runtime)] = f"{bundle.version} @ {glibc}{own}"
    page = (REPOSITORY / "docs/boards/raspberry-pi.md").read_text()
    for (python, machine), cells in found.items():
        assert f"| {python} | {machine} | {' | '.join(cells)} |\n" in page


def test_a_wheels_build_tag_is_no_part_of_its_platforms() -> None:
    """OpenVINO's wheels have one."""
    wheel = Wheel("openvino-2026.4.1-22982-cp311-cp311-manylinux_2_28_x86_64.whl", "0" * 64, 1)
    assert (wheel.requirement, wheel.platforms) == ("openvino==2026.4.1", ("manylinux_2_28_x86_64",))


def _fake_pip(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    def run(argv: list[str], *, stderr: BinaryIO, **_: object) -> object:
        folder = Path(argv[argv.index("--dest") + 1])
        if content is not None:
            (folder / "thing-1.0-cp311-cp311-linux_x86_64.whl").write_bytes(content)
        stderr.write(b"ERROR: No matching distribution found")
        return subprocess.CompletedProcess(argv, 0 if content is not None else 1)

    monkeypatch.setattr(pip.subprocess, "run", run)


def _bundle(content: bytes) -> Bundle:
    wheel = Wheel("thing-1.0-cp311-cp311-linux_x86_64.whl", sha256_bytes(content), len(content))
    return Bundle("litert", "1.0", "3.11", "x86_64", (2, 17), (wheel,), ())


def test_a_wheel_is_fetched_once_and_verified_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    _fake_pip(monkeypatch, b"good")
    (path,) = fetch(_bundle(b"good"))
    assert path.read_bytes() == b"good"
    _fake_pip(monkeypatch, None)
    assert fetch(_bundle(b"good")) == [path]
    path.write_bytes(b"evil")
    with pytest.raises(ProvisionError, match="can't be downloaded: ERROR: No matching"):
        fetch(_bundle(b"good"))


def test_another_file_under_the_wheels_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    _fake_pip(monkeypatch, b"evil")
    with pytest.raises(ProvisionError, match="not the pinned file"):
        fetch(_bundle(b"good"))


def test_the_store_on_a_board(tmp_path: Path) -> None:
    connection = LocalConnection("here", tmp_path / "a folder")
    seen = probe(connection)
    assert seen.bits == 64
    assert seen.platform.glibc is not None
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    name = f"object:{sha256_bytes(file.read_bytes())}"
    assert stored(connection, [name]) == set()
    assert send(connection, name, file) == 100_000
    assert stored(connection, [name]) == {name}
    kept = tmp_path / "a folder" / "objects" / name.partition(":")[2]
    kept.write_bytes(b"y" * 100_000)
    assert stored(connection, [name]) == set()
    assert not kept.exists()


def test_what_arrives_damaged_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    from harness.remote.probe import ask

    connection = LocalConnection("here", tmp_path / "root")
    name = f"object:{sha256_bytes(b'right')}"
    for sent in (b"wrong", b"rig"):
        with pytest.raises(TransferError, match="'receive' failed"):
            ask(connection, "receive", name, "5", timeout_s=60, stdin=sent)
    assert list((tmp_path / "root" / "objects").iterdir()) == []


@pytest.mark.parametrize("name", ["object:../../x", "thing:" + "0" * 64, "object:" + "0" * 63, "wheel:"])
def test_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    from harness.remote.probe import ask

    with pytest.raises(TransferError, match="bad name"):
        ask(LocalConnection("here", tmp_path / "root"), "receive", name, "1", timeout_s=60, stdin=b"x")
