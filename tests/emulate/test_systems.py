"""Which kernel and programs an emulated board gets, and that each combination is an image of its own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.boards.family import EMULATED_SYSTEMS
from harness.boards.registry import FAMILIES
from harness.core.errors import EmulatorError
from harness.emulate import recipe, rootfs
from harness.emulate.systems import ARM64, ARMHF, ARMHF_ON_64, BoardSystem, system_of

SYSTEMS = (ARM64, ARMHF_ON_64, ARMHF)
each = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.title)


@pytest.mark.parametrize(
    ("family", "os", "system"),
    [
        ("raspberry-pi-2", None, ARMHF),
        ("raspberry-pi-2", "armhf", ARMHF),
        ("raspberry-pi-3", None, ARM64),
        ("raspberry-pi-4", "arm64", ARM64),
        ("raspberry-pi-4", "armhf", ARMHF_ON_64),
        ("raspberry-pi-5", "armhf", ARMHF_ON_64),
        ("jetson-nano", None, ARM64),
        ("coral-dev", None, ARM64),
    ],
)
def test_a_64_bit_core_has_a_64_bit_kernel(family: str, os: str | None, system: BoardSystem) -> None:
    assert system_of(FAMILIES[family], os) is system
    assert FAMILIES[family].emulated_system(os) is EMULATED_SYSTEMS[system.os]


@pytest.mark.parametrize(
    ("family", "os"), [("raspberry-pi-2", "arm64"), ("jetson-nano", "armhf"), ("raspberry-pi-4", "riscv64")]
)
def test_a_system_that_a_board_does_not_have_is_refused(family: str, os: str) -> None:
    with pytest.raises(EmulatorError, match=f"has no system '{os}'") as caught:
        system_of(FAMILIES[family], os)
    assert (caught.value.fix or "").startswith("one of: arm")


def test_each_system_has_an_image_of_its_own() -> None:
    digests = {system.digest for system in SYSTEMS}
    assert len(digests) == len(SYSTEMS)
    assert replace(ARMHF, packages=()).digest not in digests
    assert replace(ARMHF).digest == ARMHF.digest


@each
def test_the_python_of_the_image_is_that_of_the_tables(system: BoardSystem) -> None:
    assert EMULATED_SYSTEMS[system.os].python == ".".join(map(str, recipe.PYTHON))


@each
def test_a_foreign_kernel_is_named_with_its_architecture(system: BoardSystem) -> None:
    (kernel,) = (name for name in system.included if name.startswith("linux-image"))
    assert kernel.endswith(":arm64") == (system is ARMHF_ON_64)
    assert system.architectures[0] == system.os
    argv = rootfs._mmdebstrap(system, None)
    assert f"--architectures={','.join(system.architectures)}" in argv
    assert kernel in next(word for word in argv if word.startswith("--include="))


@each
def test_no_library_of_another_machine_decides_what_is_left_out(system: BoardSystem) -> None:
    assert f"{system.libraries}/gconv/" in system.left_out
    assert all(name.startswith(system.libraries) for name in system.left_out if "linux-gnu" in name)
    assert all(name.startswith(f"{system.libraries}/") for name, _ in system.links)


def test_numpy_finds_its_linear_algebra_and_is_compiled(tmp_path: Path) -> None:
    """What update-alternatives and py3compile do on a configured system."""
    package = tmp_path / "usr/lib/python3/dist-packages/numpy"
    for name in ("__init__.py", "tests/test_it.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("value = 1\n")
    for name, target in ARMHF.links:
        real = tmp_path / Path(name).parent / target
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(target)
    rootfs.configure(tmp_path, host_key="secret", authorized_key="public", links=ARMHF.links)
    assert [(tmp_path / name).read_text() for name, _ in ARMHF.links] == [target for _, target in ARMHF.links]
    rootfs.precompile(tmp_path, lambda _: None)
    compiled = {path.parent.parent.name for path in package.rglob("*.pyc")}
    assert compiled == ({"numpy"} if sys.version_info[:2] == recipe.PYTHON else set())
