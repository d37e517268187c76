"""The records that describe a board's core to an estimate of cycles. Each family's file has its own, with sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CacheLevel:
    """One data cache: size in KiB, and associativity (the number of lines that one address can occupy)."""

    kib: int
    ways: int


@dataclass(frozen=True)
class Core:
    """One board's core, as it executes 64-bit code.

    Attributes:
        name: Arm's name.
        model: LLVM's scheduling model (``-mcpu``): of this core, or of a relative whose model is better.
        llvm: the oldest LLVM version with a usable form of that model.
        in_order: whether the core executes in order and so waits for memory.
        caches: data caches from the first level on, three at most; lines are 64 bytes.
        clock_hz: nominal clock; a board may run faster or slower.
    """

    name: str
    model: str
    llvm: int
    in_order: bool
    caches: tuple[CacheLevel, ...]
    clock_hz: int
