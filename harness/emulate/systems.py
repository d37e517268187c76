"""The systems that an emulated board can boot: Debian's programs of one architecture on a kernel of that or another.

What all of them have in common is in :mod:`harness.emulate.recipe`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.boards.registry import BoardFamily
from harness.core.errors import EmulatorError
from harness.emulate import recipe

#: The sources that decide what is in the images of all systems.
_SOURCES = ("recipe.py", "rootfs.py", "cpio.py", "image.py")


@dataclass(frozen=True)
class BoardSystem:
    """A kernel and the programs on it.

    Attributes:
        os: Debian's name for the programs' architecture; the value of ``os:`` in devices.yaml.
        kernel: Debian's name for the kernel's architecture.
        kernel_package: the package of the kernel.
        libraries: the folder of the programs' libraries.
        packages: what the programs need beside ``recipe.PACKAGES``.
        modules: kernel modules in the order in which they are loaded; one that the kernel has built in is passed over.
        links: links that packages' scripts would have made, as pairs of a path in the tree and its target.
    """

    os: str
    kernel: str
    kernel_package: str
    libraries: str
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = recipe.MODULES
    links: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The system for people: ``Debian bookworm arm64``."""
        return f"Debian {recipe.SUITE} {self.os}" + (f", kernel {self.kernel}" if self.kernel != self.os else "")

    @property
    def architectures(self) -> tuple[str, ...]:
        """All architectures whose packages are needed, the programs' first."""
        return tuple(dict.fromkeys((self.os, self.kernel)))

    @property
    def included(self) -> tuple[str, ...]:
        """The packages to unpack. One of another architecture than the programs' has that behind its name."""
        foreign = f":{self.kernel}" if self.kernel != self.os else ""
        return (*recipe.PACKAGES, *self.packages, f"{self.kernel_package}{foreign}")

    @property
    def left_out(self) -> tuple[str, ...]:
        """Beginnings of the paths that are not unpacked."""
        return (*recipe.LEFT_OUT, *(f"{self.libraries}/{name}" for name in recipe.LEFT_OUT_OF_LIBRARIES))

    @property
    def digest(self) -> str:
        """16 hex digits that name the system's image. They change with whatever decides what is in it."""
        here = Path(__file__).parent
        digest = hashlib.sha256(repr((self, self.architectures, self.included, self.left_out)).encode())
        for name in _SOURCES:
            digest.update((here / name).read_bytes())
        return digest.hexdigest()[:16]


#: The cloud kernel is a quarter of the size of the general one and still has every virtio driver. It exists for 64
#: bits alone.
_KERNEL = "linux-image-cloud-arm64"
_KERNEL_32 = "linux-image-armmp"
_LIBRARIES_32 = "usr/lib/arm-linux-gnueabihf"

#: Nobody publishes wheels of numpy for 32-bit ARM, so 32-bit boards use that of their system. Which linear algebra
#: belongs to it is decided by update-alternatives.
_NUMPY = ("python3-numpy",)
_ALTERNATIVES = (
    (f"{_LIBRARIES_32}/libblas.so.3", "blas/libblas.so.3"),
    (f"{_LIBRARIES_32}/liblapack.so.3", "lapack/liblapack.so.3"),
)

ARM64 = BoardSystem(os="arm64", kernel="arm64", kernel_package=_KERNEL, libraries="usr/lib/aarch64-linux-gnu")
#: As 32-bit Raspberry Pi OS on a Pi 4 or 5, whose kernel has 64 bits.
ARMHF_ON_64 = BoardSystem(
    os="armhf",
    kernel="arm64",
    kernel_package=_KERNEL,
    libraries=_LIBRARIES_32,
    packages=_NUMPY,
    links=_ALTERNATIVES,
)
#: For cores that have 32 bits alone.
ARMHF = BoardSystem(
    os="armhf",
    kernel="armhf",
    kernel_package=_KERNEL_32,
    libraries=_LIBRARIES_32,
    packages=_NUMPY,
    modules=("drivers/char/hw_random/rng-core.ko", *recipe.MODULES),
    links=_ALTERNATIVES,
)


def system_of(family: BoardFamily, os: str | None = None) -> BoardSystem:
    """The system that a board boots: with a 64-bit kernel wherever the core has 64 bits.

    Args:
        os: one of the family's ``emulated_os``; None for the usual one.

    Raises:
        EmulatorError: the family has no such system.
    """
    os = os or family.emulated_os[0]
    if os not in family.emulated_os:
        raise EmulatorError(
            f"board {family.name!r} has no system {os!r}", fix=f"one of: {', '.join(family.emulated_os)}"
        )
    if os == ARM64.os:
        return ARM64
    return ARMHF_ON_64 if ARM64.os in family.emulated_os else ARMHF
