"""Bare AArch64 programs of a few instructions, run by QEMU with the estimate's plugin and no operating system."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.boards.cores import Core
from harness.estimate.plugin import ensure_plugin

#: Free memory of QEMU's ``virt`` machine; the program itself lies far below.
DATA = 0x5000_0000


def hint(number: int) -> int:
    return 0xD503201F | number << 5


ARM, START, END, DISARM = hint(98), hint(96), hint(97), hint(99)
NOP = hint(0)
#: A branch to the next instruction: what follows is a block of its own.
NEXT = 0x14000001


def load(address: int) -> list[int]:
    """Reads eight bytes: ``ldr x2, [x1]``."""
    return [*move(1, address), 0xF9400022]


def store(address: int) -> list[int]:
    """Writes eight bytes: ``str x2, [x1]``."""
    return [*move(1, address), 0xF9000022]


def move(register: int, value: int) -> list[int]:
    """``register = value``, of 32 bits, in two instructions."""
    return [0xD2800000 | (value & 0xFFFF) << 5 | register, 0xF2A00000 | (value >> 16) << 5 | register]


def loop(body: list[int], times: int) -> list[int]:
    """``body`` so many times, counted in x0; two instructions to begin with, two more a round."""
    return [*move(0, times), NEXT, *body, 0xF1000400, 0x54000001 | (-(len(body) + 1) & 0x7FFFF) << 5]


def read_lines(kib: int) -> list[int]:
    """Reads one word of each 64-byte line of so much memory from DATA on, by ``ldr x2, [x1], #64``."""
    return [*move(1, DATA), *loop([0xF8440422], kib * 16)]


def machine(core: Core, folder: Path, *, cpu: str = "cortex-a72") -> list[str]:
    """The command line of a machine without a program, whose plugin writes its regions to ``folder``."""
    argv = ["qemu-system-aarch64", "-M", "virt", "-cpu", cpu, "-m", "512", "-display", "none", "-nodefaults"]
    return [*argv, "-icount", "shift=0", "-plugin", ensure_plugin().option(core, folder)]


def run(words: list[int], core: Core, folder: Path, *, cpu: str = "cortex-a72") -> list[Path]:
    """Run a program and switch the machine off; the regions that the plugin wrote, in order."""
    switch_off = [*move(0, 0x84000008), 0xD4000002]  # PSCI SYSTEM_OFF by hvc #0
    image = folder / "program.bin"
    image.write_bytes(b"".join(word.to_bytes(4, "little") for word in [*words, *switch_off]))
    for earlier in folder.glob("region-*"):
        earlier.unlink()
    argv = [*machine(core, folder, cpu=cpu), "-kernel", str(image)]
    subprocess.run(argv, check=True, timeout=60, capture_output=True)
    return sorted(folder.glob("region-*"))
