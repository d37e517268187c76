"""What a board family is: its CPU, and how QEMU imitates it. One table, used by config, emulation and doctor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardFamily:
    """One kind of board a device in devices.yaml can be.

    Attributes:
        name: the value of ``board:``.
        title: for people.
        cpu: the core's marketing name, e.g. ``Cortex-A72``; None when it can be anything.
        cpu_part: the "CPU part" an ARM kernel shows in /proc/cpuinfo (Arm MIDR_EL1.PartNum), e.g. ``0xd08``.
        qemu_cpu: what ``qemu-system-aarch64 -cpu`` calls it; None when it can't be emulated here.
        memory_mib: memory of an emulated board, in MiB.
        delegates: what the real board may offer, best first; ``cpu`` is always there.
    """

    name: str
    title: str
    cpu: str | None
    cpu_part: str | None
    qemu_cpu: str | None
    memory_mib: int = 1024
    delegates: tuple[str, ...] = ("cpu",)


FAMILIES: dict[str, BoardFamily] = {
    family.name: family
    for family in (
        BoardFamily("raspberry-pi-3", "Raspberry Pi 3", "Cortex-A53", "0xd03", "cortex-a53"),
        BoardFamily("raspberry-pi-4", "Raspberry Pi 4", "Cortex-A72", "0xd08", "cortex-a72"),
        BoardFamily("raspberry-pi-5", "Raspberry Pi 5", "Cortex-A76", "0xd0b", "cortex-a76"),
        BoardFamily(
            "jetson-nano",
            "NVIDIA Jetson Nano",
            "Cortex-A57",
            "0xd07",
            "cortex-a57",
            delegates=("tensorrt", "cuda", "cpu"),
        ),
        BoardFamily("coral-dev", "Coral Dev Board", "Cortex-A53", "0xd03", "cortex-a53", delegates=("edgetpu", "cpu")),
        BoardFamily(
            "generic", "Generic Linux machine", None, None, None, delegates=("edgetpu", "tensorrt", "cuda", "cpu")
        ),
    )
}
