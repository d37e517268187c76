"""Emulated ARM boards: Debian's kernel, userland and sshd in QEMU, with the CPU of each board family.

Public names are loaded on first use, because each board's guard process imports this package and needs little of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.emulate.board import Board, Booting, boot
    from harness.emulate.detached import Standing, down, list_boards, ssh_argv, up
    from harness.emulate.image import Image, ensure_image
    from harness.emulate.machine import emulated
    from harness.emulate.tools import requirements

_MODULES = {
    "Board": "board",
    "Booting": "board",
    "boot": "board",
    "Image": "image",
    "ensure_image": "image",
    "emulated": "machine",
    "Standing": "detached",
    "down": "detached",
    "list_boards": "detached",
    "ssh_argv": "detached",
    "up": "detached",
    "requirements": "tools",
}

__all__ = [
    "Board",
    "Booting",
    "Image",
    "Standing",
    "boot",
    "down",
    "emulated",
    "ensure_image",
    "list_boards",
    "requirements",
    "ssh_argv",
    "up",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
