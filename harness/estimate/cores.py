"""The facts about each board's core that an estimate needs: scheduling model, data caches, clock and memory.

Sources. Sizes and clocks: Raspberry Pi documentation, "Processors" (BCM2837B0, BCM2711, BCM2712); NVIDIA Jetson Nano
module data sheet DA-09366 and Tegra X1 technical reference manual; NXP i.MX 8M data sheet IMX8MDQLQCEC and Coral Dev
Board data sheet. Associativity: Arm's technical reference manuals of Cortex-A53 (DDI 0500), A57 (DDI 0488), A72
(100095), A76 (100798) and of the DynamIQ shared unit (100453). Clocks are the nominal ones; a board may run faster or
slower.

Scheduling models are LLVM's. A Cortex-A76 uses the model of the Neoverse N1, its server form, because LLVM's
``cortex-a76`` is the model of a Cortex-A57 and twice too slow. A Cortex-A53 uses the model of the Cortex-A55, its
successor of the same width.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Cycles for a line of 64 bytes that the second level, the third level or memory serves. They are the same for every
#: core, so that no single table of latencies determines them. A prototype fitted them to 33 published latencies of six
#: chips.
CACHE_LINE_CYCLES = 8
MEMORY_LINE_CYCLES = 24


@dataclass(frozen=True)
class CacheLevel:
    """One data cache: size in KiB, and associativity (the number of lines that one address can occupy)."""

    kib: int
    ways: int


@dataclass(frozen=True)
class Core:
    """One board's core.

    Attributes:
        name: Arm's name.
        model: LLVM's scheduling model (``-mcpu``).
        llvm: the oldest LLVM version with a usable form of that model.
        in_order: whether the core executes in order and so waits for memory.
        caches: data caches from the first level on.
        clock_hz: nominal clock.
    """

    name: str
    model: str
    llvm: int
    in_order: bool
    caches: tuple[CacheLevel, ...]
    clock_hz: int


#: board family -> core
CORES: dict[str, Core] = {
    "raspberry-pi-3": Core(
        name="Cortex-A53",
        model="cortex-a55",
        llvm=14,
        in_order=True,
        caches=(CacheLevel(32, 4), CacheLevel(512, 16)),
        clock_hz=1_400_000_000,
    ),
    "raspberry-pi-4": Core(
        name="Cortex-A72",
        model="cortex-a72",
        llvm=14,
        in_order=False,
        caches=(CacheLevel(32, 2), CacheLevel(1024, 16)),
        clock_hz=1_500_000_000,
    ),
    "raspberry-pi-5": Core(
        name="Cortex-A76",
        model="neoverse-n1",
        llvm=16,
        in_order=False,
        caches=(CacheLevel(64, 4), CacheLevel(512, 8), CacheLevel(2048, 16)),
        clock_hz=2_400_000_000,
    ),
    "jetson-nano": Core(
        name="Cortex-A57",
        model="cortex-a57",
        llvm=14,
        in_order=False,
        caches=(CacheLevel(32, 2), CacheLevel(2048, 16)),
        clock_hz=1_430_000_000,
    ),
    "coral-dev": Core(
        name="Cortex-A53",
        model="cortex-a55",
        llvm=14,
        in_order=True,
        caches=(CacheLevel(32, 4), CacheLevel(1024, 16)),
        clock_hz=1_500_000_000,
    ),
}
