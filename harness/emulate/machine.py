"""The QEMU command line of a board."""

from __future__ import annotations

import os

from harness.boards.registry import FAMILIES, BoardFamily
from harness.core.clock import ClockName
from harness.core.errors import EmulatorError
from harness.emulate import recipe
from harness.emulate.guard import PORT, STORE, escaped
from harness.emulate.image import Image

#: All emulated board families have four cores.
_CORES = 4

_KERNEL_LINE = " ".join(
    (
        "console=ttyAMA0",
        "quiet",
        "panic=-1",  # a panic restarts the kernel, and -no-reboot turns that into the end of QEMU
        "norandmaps",  # equal addresses at each boot make instruction counts reproducible
        "nokaslr",
        "mitigations=off",
        "cryptomgr.notests",  # self-tests of every cipher are a third of the kernel's start
        "ipv6.disable=1",
    )
)


def cores(clock: ClockName) -> int:
    """The number of cores of an emulated board.

    With the instruction clock it is one. QEMU then runs all cores in turn on one thread and counts their instructions
    together, so more cores would look like a slower core.
    """
    return 1 if clock == "instructions" else min(_CORES, os.cpu_count() or 1)


def emulated(name: str) -> BoardFamily:
    """The family with this name, if it can be emulated.

    Raises:
        EmulatorError: the family is unknown, or QEMU lacks its CPU.
    """
    family = FAMILIES.get(name)
    if family is None or family.qemu_cpu is None:
        known = ", ".join(one.name for one in FAMILIES.values() if one.qemu_cpu)
        raise EmulatorError(f"board {name!r} can't be emulated", fix=f"one of: {known}")
    return family


def command(family: BoardFamily, clock: ClockName, image: Image, *, plugin: str | None = None) -> list[str]:
    """The QEMU command line, with the placeholders ``PORT`` and ``STORE``; ``plugin`` is the value of ``-plugin``.

    Disks and network are virtio-mmio devices, so the kernel probes no PCI bus and QEMU needs no option ROM. The root
    disk has ``snapshot=on``: QEMU writes changes to a file that it unlinks at once, so nothing remains however QEMU
    ends. ``restrict=on`` limits the board's network to its forwarded SSH port.
    """
    emulated(family.name)
    # it has the 32-bit cores too
    argv = ["qemu-system-aarch64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    # a 32-bit kernel can't map what lies beyond 4 GiB
    virt = "virt" if "arm64" in family.emulated_os else "virt,highmem=off"
    argv += ["-M", virt, "-cpu", str(family.qemu_cpu), "-m", str(family.memory_mib), "-smp", str(cores(clock))]
    if clock == "instructions":
        # shift=0: one instruction is one nanosecond. sleep=on: an idle board waits in real time. With sleep=off it
        # would jump from timer to timer, which uses half a core of this machine and moves its date hours ahead.
        argv += ["-icount", "shift=0,sleep=on"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", _KERNEL_LINE]
    argv += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
    root = f"if=none,id=root,format=raw,snapshot=on,cache=unsafe,file={escaped(image.root)}"
    argv += ["-drive", root, "-device", f"virtio-blk-device,drive=root,serial={recipe.ROOT_SERIAL}"]
    store = f"if=none,id=store,format=raw,cache=writeback,discard=unmap,file={STORE}"
    argv += ["-drive", store, "-device", f"virtio-blk-device,drive=store,serial={recipe.STORE_SERIAL}"]
    argv += ["-netdev", f"user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:{PORT}-:22"]
    # status=off: the kernel takes the link as up at once; otherwise it checks the state a second later
    argv += ["-device", "virtio-net-device,netdev=net,status=off"]
    argv += ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-device,rng=rng"]
    argv += ["-plugin", plugin] if plugin else []
    return argv
