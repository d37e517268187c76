"""Emulated ARM boards: real Debian arm64 kernel, userland and sshd in QEMU, with each board family's own CPU.

Public names are loaded on first use, because the guard process of every board imports this package and needs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.emulate.board import Board, Booting, boot
    from harness.emulate.detached import Standing, down, list_boards, ssh_argv, up
    from harness.emulate.image import Image, ensure_image
    from harness.emulate.machine import emulated
    from harness.emulate.tools import requirements

_HOMES = {
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
