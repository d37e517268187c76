"""Published latencies by others, for ``benchmarks.validate_estimates``: each table with its source, threads and date.

Only tables of 64-bit builds are included, since a 32-bit build executes other instructions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.estimate.cores import CORES, CacheLevel, Core


@dataclass(frozen=True)
class Published:
    """One table.

    Attributes:
        title: the chip and the program that ran there.
        board: the family whose emulated board executes the code.
        core: the core that measured.
        threads: their number.
        source, date: the origin, and when it was measured or read.
        milliseconds: (network, variant) -> median or mean latency.
        xnnpack: whether XNNPACK's kernels ran; older runtimes had others for int8.
    """

    title: str
    board: str
    core: Core
    threads: int
    source: str
    date: str
    milliseconds: dict[tuple[str, str], float]
    xnnpack: bool = True


#: The core of the phones. Arm's TRM of the Cortex-A75 (100403); Qualcomm Snapdragon 670: 256 KiB a core, 1 MiB shared,
#: 2.0 GHz. LLVM's ``cortex-a75`` is its Cortex-A57, which has the same number of units.
CORTEX_A75 = replace(
    CORES["raspberry-pi-5"],
    name="Cortex-A75",
    model="cortex-a75",
    llvm=14,
    caches=(CacheLevel(64, 16), CacheLevel(256, 8), CacheLevel(1024, 16)),
    clock_hz=2_000_000_000,
)

TABLES = (
    Published(
        title="Raspberry Pi 4, XNNPACK",
        board="raspberry-pi-4",
        core=CORES["raspberry-pi-4"],
        threads=4,
        source="https://github.com/google/XNNPACK README, 'Raspberry Pi', column RPi 4 (BCM2711, ARM64)",
        date="measured 2022-02-08",
        milliseconds={
            ("mobilenet-v1", "fp32"): 77,
            ("mobilenet-v2", "fp32"): 46,
            ("mobilenet-v3-large", "fp32"): 40,
            ("mobilenet-v3-small", "fp32"): 15,
            ("mobilenet-v1", "int8"): 24,
            ("mobilenet-v2", "int8"): 17,
        },
    ),
    Published(
        title="Pixel 3a, XNNPACK",
        board="raspberry-pi-5",
        core=CORTEX_A75,
        threads=1,
        source="https://github.com/google/XNNPACK README, 'Mobile phones', single-threaded, column Pixel 3a",
        date="measured 2020-03-27",
        milliseconds={
            ("mobilenet-v1", "fp32"): 88,
            ("mobilenet-v2", "fp32"): 55,
            ("mobilenet-v3-large", "fp32"): 44,
            ("mobilenet-v3-small", "fp32"): 14,
        },
    ),
    Published(
        title="Coral Dev Board's CPU, TensorFlow Lite of 2019",
        board="coral-dev",
        core=CORES["coral-dev"],
        threads=1,
        source="https://coral.ai/docs/edgetpu/benchmarks, column Embedded CPU (threads are not told)",
        date="read 2026-11",
        milliseconds={("mobilenet-v1", "int8"): 164, ("mobilenet-v2", "int8"): 122},
        xnnpack=False,
    ),
)
