"""What a board of 32 bits gets, and how it is told from the same board with 64 bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.config.devices import Device, parse
from harness.core.errors import BoardError
from harness.remote.probe import Probe
from harness.run.cell import device_info
from harness.run.context import Context
from harness.run.inventory import inventory
from harness.run.plan import CellJob, Options, make
from harness.run.resume import same_board
from harness.run.session import storage
from harness.runtimes import wheels
from harness.runtimes.wheels import Bundle
from tests.conftest import MODELS

NET = "resvgg19-pruned"


def one_device(**keys: object) -> Device:
    device = {"name": "pi", "board": "raspberry-pi-4", "emulate": True, **keys}
    return parse(yaml.safe_dump({"devices": [device]})).devices[0]


def jobs_of(device: Device) -> list[CellJob]:
    """Cells of both formats, whatever the board can run."""
    options = Options(models=(NET,), variants=("int8",), quick=True)
    fleet = parse(yaml.safe_dump({"devices": [{"name": "pi", "board": "raspberry-pi-4", "emulate": True}]}))
    fleet = fleet.model_copy(update={"devices": (device,)})
    return make(fleet, inventory(MODELS, (NET,), ("int8",)), options).jobs["pi"]


def described(*, bits: int, machine: str = "aarch64") -> Probe:
    answer = {
        "machine": machine, "kernel": "6.1.0", "bits": bits, "os": "Debian GNU/Linux 12 (bookworm)",
        "libc": "glibc 2.36", "python": "3.11.2", "implementation": "CPython", "board": None,
        "memory_bytes": 1 << 30, "disk_free_bytes": 1 << 33, "time_s": 0.0, "numpy": "1.24.2",
        "cpu": {"model": None, "implementer": "0x41", "part": "0xd08", "features": ["fp"], "cores": 1},
    }  # fmt: skip
    return Probe.model_validate(answer)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {("litert", "aarch64"), ("onnxruntime", "aarch64")}),
        ({"os": "armhf"}, {("tflite", "armv7l")}),
        ({"board": "raspberry-pi-2"}, {("tflite", "armv7l")}),
        ({"runtimes": ["tflite"]}, {("tflite", "aarch64")}),
    ],
)
def test_a_new_storage_has_the_wheels_of_the_boards_own_system(
    keys: dict[str, object], expected: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched: set[tuple[str, str]] = set()

    def fetch(bundle: Bundle, *, progress: object) -> list[Path]:
        fetched.add((bundle.runtime, bundle.machine))
        return [tmp_path / wheel.file for wheel in bundle.wheels]

    monkeypatch.setattr(wheels, "fetch", fetch)
    device = one_device(**keys)
    contents = storage(jobs_of(device), print)
    assert fetched == expected
    assert any(name.startswith("object:") for name in contents)
    assert {path.name.rpartition("_")[2] for path in contents.values() if path.suffix == ".whl"} <= {
        f"{machine}.whl" for _, machine in expected
    }


def test_what_is_not_published_leaves_the_rest_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A board of 32 bits has no ONNX Runtime: its TFLite cells are no reason to send all over SSH."""
    monkeypatch.setattr(wheels, "fetch", lambda bundle, *, progress: [tmp_path / w.file for w in bundle.wheels])
    device = one_device(board="raspberry-pi-2", runtimes=["tflite", "onnxruntime"])
    contents = storage(jobs_of(device), print)
    assert [path.name for path in contents.values() if path.suffix == ".whl"] == [
        "tflite_runtime-2.14.0-cp311-cp311-manylinux_2_34_armv7l.whl"
    ]


@pytest.mark.parametrize(
    ("probe", "machine"),
    [
        (described(bits=64), "aarch64"),
        (described(bits=32), "armv7l"),
        (described(bits=32, machine="armv7l"), "armv7l"),
        (described(bits=64, machine="x86_64"), "x86_64"),
    ],
)
def test_a_boards_machine_is_that_of_its_programs(probe: Probe, machine: str) -> None:
    """A 64-bit kernel says aarch64 whatever runs on it."""
    assert device_info(Context(run="r", device=one_device(), probe=probe)).machine == machine


def test_a_run_is_not_resumed_in_the_other_width() -> None:
    measured = device_info(Context(run="r", device=one_device(), probe=described(bits=64)))
    assert same_board(measured, described(bits=64), "pi") is None
    with pytest.raises(BoardError, match="machine aarch64, now armv7l"):
        same_board(measured, described(bits=32), "pi")
