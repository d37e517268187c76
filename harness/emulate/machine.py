"""How a board becomes a QEMU command line."""

from __future__ import annotations

import os

from harness.boards.registry import FAMILIES, BoardFamily
from harness.core.clock import ClockName
from harness.core.errors import EmulatorError
from harness.emulate import recipe
from harness.emulate.guard import PORT, STORE, escaped
from harness.emulate.image import Image

#: All board families here have four cores.
_CORES = 4

_KERNEL_LINE = " ".join(
    (
        "console=ttyAMA0",
        "quiet",
        "panic=-1",  # a panic restarts, which -no-reboot turns into the end of QEMU
        "norandmaps",  # the same addresses each time: instruction counts then repeat
        "nokaslr",
        "mitigations=off",
        "cryptomgr.notests",  # self-tests of every cipher are a third of the kernel's start
        "ipv6.disable=1",
    )
)


def cores(clock: ClockName) -> int:
    """How many cores an emulated board has.

    One under the instruction clock: QEMU then runs cores in turn on one thread and counts the instructions of all, so
    more cores would only look like a slower one.
    """
    return 1 if clock == "instructions" else min(_CORES, os.cpu_count() or 1)


def emulated(name: str) -> BoardFamily:
    """The family called ``name``.

    Raises:
        EmulatorError: there is none, or QEMU has no such CPU.
    """
    family = FAMILIES.get(name)
    if family is None or family.qemu_cpu is None:
        known = ", ".join(one.name for one in FAMILIES.values() if one.qemu_cpu)
        raise EmulatorError(f"board {name!r} can't be emulated", fix=f"one of: {known}")
    return family


def command(family: BoardFamily, clock: ClockName, image: Image, *, plugin: str | None = None) -> list[str]:
    """The QEMU command line, with ``PORT`` and ``STORE`` still to be filled in; ``plugin`` is the value of ``-plugin``.

    Disks and network are virtio-mmio devices: no PCI bus has to be probed, and no option ROM is asked for.
    The root disk is opened with ``snapshot=on``: what the board writes goes to a file that QEMU creates and unlinks at
    once, so that nothing is left over however QEMU ends. ``restrict=on`` leaves the board only its forwarded SSH port.
    """
    emulated(family.name)
    argv = ["qemu-system-aarch64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    argv += ["-M", "virt", "-cpu", str(family.qemu_cpu), "-m", str(family.memory_mib), "-smp", str(cores(clock))]
    if clock == "instructions":
        # shift=0: one instruction is one nanosecond. sleep=on: an idle board waits in real time; with sleep=off it
        # jumps from timer to timer, which keeps half a core of this machine busy and lets its date run hours ahead.
        argv += ["-icount", "shift=0,sleep=on"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", _KERNEL_LINE]
    argv += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
    root = f"if=none,id=root,format=raw,snapshot=on,cache=unsafe,file={escaped(image.root)}"
    argv += ["-drive", root, "-device", f"virtio-blk-device,drive=root,serial={recipe.ROOT_SERIAL}"]
    store = f"if=none,id=store,format=raw,cache=writeback,discard=unmap,file={STORE}"
    argv += ["-drive", store, "-device", f"virtio-blk-device,drive=store,serial={recipe.STORE_SERIAL}"]
    argv += ["-netdev", f"user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:{PORT}-:22"]
    # status=off: the link counts as up at once; its state would be looked at a second later
    argv += ["-device", "virtio-net-device,netdev=net,status=off"]
    argv += ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-device,rng=rng"]
    argv += ["-plugin", plugin] if plugin else []
    return argv
