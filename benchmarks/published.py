"""Published latencies by others, for ``benchmarks.validate_estimates``: each table with its source, threads and date.

Only tables of 64-bit builds are included, since a 32-bit build executes other instructions. Tables of other runtimes
are not, ncnn's for example: their kernels are other programs. Nor are those of TensorFlow Lite before 2019, whose
kernels for int8 have been replaced since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.boards.cores import CacheLevel, Core
from harness.estimate.estimator import known_core

#: A network and its variant.
Key = tuple[str, str]


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
        remark: what else has to be known; a sentence, or empty.
    """

    title: str
    board: str
    core: Core
    threads: int
    source: str
    date: str
    milliseconds: dict[Key, float]
    xnnpack: bool = True
    remark: str = ""

    @property
    def kernels(self) -> str:
        """The kernels, in a word."""
        return "xnnpack" if self.xnnpack else "builtin"


#: Arm's TRM of the Cortex-A73 (100048); Qualcomm Snapdragon 835: 2 MiB for four cores, 2.35 GHz. LLVM's ``cortex-a73``
#: is its Cortex-A57.
CORTEX_A73 = replace(
    known_core("raspberry-pi-4"),
    name="Cortex-A73",
    model="cortex-a73",
    caches=(CacheLevel(64, 16), CacheLevel(2048, 16)),
    clock_hz=2_350_000_000,
)
#: The core of the phones. Arm's TRM of the Cortex-A75 (100403); Qualcomm Snapdragon 670: 256 KiB a core, 1 MiB shared,
#: 2.0 GHz. LLVM's ``cortex-a75`` is its Cortex-A57, which has the same number of units.
CORTEX_A75 = replace(
    known_core("raspberry-pi-5"),
    name="Cortex-A75",
    model="cortex-a75",
    llvm=14,
    caches=(CacheLevel(64, 16), CacheLevel(256, 8), CacheLevel(1024, 16)),
    clock_hz=2_000_000_000,
)
#: Qualcomm Snapdragon 845: 2 MiB shared, 2.5 GHz in a Pixel 3. It has no dot product.
CORTEX_A75_OF_845 = replace(
    CORTEX_A75, caches=(CacheLevel(64, 16), CacheLevel(256, 8), CacheLevel(2048, 16)), clock_hz=2_500_000_000
)
#: Qualcomm Snapdragon 855: three cores of 2.42 GHz with 256 KiB each, one of 2.84 GHz with 512 KiB, 2 MiB shared.
CORTEX_A76_OF_855 = replace(
    known_core("raspberry-pi-5"),
    caches=(CacheLevel(64, 4), CacheLevel(256, 8), CacheLevel(2048, 16)),
    clock_hz=2_420_000_000,
)

_XNNPACK = "https://github.com/google/XNNPACK README, 'Mobile phones'"
_MOBILENETS = ("mobilenet-v1", "mobilenet-v2", "mobilenet-v3-large", "mobilenet-v3-small")
_V3 = (
    "https://github.com/tensorflow/models, research/slim/nets/mobilenet/README.md, 'Mobilenet V3 Imagenet Checkpoints'"
)
_V3_REMARK = (
    "Its 8-bit networks have one scale a tensor and ours one a channel; TensorFlow Lite's kernels have changed since."
)
_V3_NETWORKS = (
    ("mobilenet-v3-large", "fp32"),
    ("mobilenet-v3-large", "int8"),
    ("mobilenet-v3-large-0.75", "fp32"),
    ("mobilenet-v3-small", "fp32"),
    ("mobilenet-v3-small", "int8"),
    ("mobilenet-v3-small-0.75", "fp32"),
    ("mobilenet-v3-large-minimalistic", "fp32"),
    ("mobilenet-v3-large-minimalistic", "int8"),
    ("mobilenet-v3-small-minimalistic", "fp32"),
)


def _fp32(*milliseconds: float) -> dict[Key, float]:
    """XNNPACK's four networks."""
    return {(name, "fp32"): value for name, value in zip(_MOBILENETS, milliseconds, strict=True)}


TABLES = (
    Published(
        title="Raspberry Pi 4, XNNPACK",
        board="raspberry-pi-4",
        core=known_core("raspberry-pi-4"),
        threads=4,
        source="https://github.com/google/XNNPACK README, 'Raspberry Pi', column RPi 4 (BCM2711, ARM64)",
        date="measured 2022-02-08",
        milliseconds={**_fp32(77, 46, 40, 15), ("mobilenet-v1", "int8"): 24, ("mobilenet-v2", "int8"): 17},
    ),
    Published(
        title="Pixel 3a, XNNPACK",
        board="raspberry-pi-5",
        core=CORTEX_A75,
        threads=1,
        source=f"{_XNNPACK}, single-threaded, column Pixel 3a",
        date="measured 2020-03-27",
        milliseconds=_fp32(88, 55, 44, 14),
    ),
    Published(
        title="Pixel 3a, XNNPACK, both large cores",
        board="raspberry-pi-5",
        core=CORTEX_A75,
        threads=2,
        source=f"{_XNNPACK}, multi-threaded, column Pixel 3a",
        date="measured 2020-03-27",
        milliseconds=_fp32(46, 28, 24, 8),
    ),
    Published(
        title="Pixel 2, XNNPACK",
        board="raspberry-pi-4",
        core=CORTEX_A73,
        threads=1,
        source=f"{_XNNPACK}, single-threaded, column Pixel 2",
        date="measured 2020-03-27",
        milliseconds=_fp32(86, 53, 42, 14),
    ),
    Published(
        title="Pixel 2, XNNPACK, four large cores",
        board="raspberry-pi-4",
        core=CORTEX_A73,
        threads=4,
        source=f"{_XNNPACK}, multi-threaded, column Pixel 2",
        date="measured 2020-03-27",
        milliseconds=_fp32(27, 18, 16, 6),
    ),
    Published(
        title="Pixel 2, TensorFlow Lite of 2019",
        board="raspberry-pi-4",
        core=CORTEX_A73,
        threads=1,
        source=f"{_V3}, column Pixel 2 (large core)",
        date="read 2026-11",
        milliseconds=dict(zip(_V3_NETWORKS, (61, 42.5, 48, 19.4, 15, 15.9, 51, 35, 15.1), strict=True)),
        xnnpack=False,
        remark=_V3_REMARK,
    ),
    Published(
        title="Pixel 3, TensorFlow Lite of 2019",
        board="raspberry-pi-4",
        core=CORTEX_A75_OF_845,
        threads=1,
        source=f"{_V3}, column Pixel 3 (large core)",
        date="read 2026-11",
        milliseconds=dict(zip(_V3_NETWORKS, (44, 32, 34, 14.4, 10.7, 11.6, 35, 27, 11), strict=True)),
        xnnpack=False,
        remark=_V3_REMARK,
    ),
    Published(
        title="Pixel 4, TensorFlow Lite of 2020",
        board="raspberry-pi-5",
        core=CORTEX_A76_OF_855,
        threads=4,
        source="https://github.com/tensorflow/tpu, models/official/efficientnet/lite/README.md, CPU latency",
        date="read 2026-11",
        milliseconds={
            (f"efficientnet-lite{size}", variant): value
            for variant, values in (("fp32", (12, 18, 26, 41, 76)), ("int8", (6.5, 9.1, 12, 18, 30)))
            for size, value in enumerate(values)
        },
        xnnpack=False,
        remark="The four cores are of two kinds, and are estimated as four of the slower one.",
    ),
    Published(
        title="Coral Dev Board's CPU, TensorFlow Lite of 2019",
        board="coral-dev",
        core=known_core("coral-dev"),
        threads=1,
        source="https://coral.ai/docs/edgetpu/benchmarks, column Embedded CPU (threads are not told)",
        date="read 2026-11",
        milliseconds={("mobilenet-v1", "int8"): 164, ("mobilenet-v2", "int8"): 122},
        xnnpack=False,
    ),
)
