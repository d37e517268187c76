"""Marks inferences for the plugin of the emulator that this board is in; see harness/estimate/plugin.c.

Python 3.6 and its library alone. A marker is an instruction that does nothing on any core, so marks that nobody looks
at cost a call each.
"""

import ctypes
import mmap
import os
import sys
from typing import Any, Callable, List

START, END, ARM, DISARM = 96, 97, 98, 99
RETURN = 0xD65F03C0


class Markers(object):
    """The four markers as functions, each two instructions in a page of its own: HINT and RET."""

    def __init__(self) -> None:
        machine = os.uname().machine
        if machine != "aarch64" or sys.maxsize <= 2**32:  # a 32-bit program may run on such a machine
            bits = "" if sys.maxsize > 2**32 else ", 32 bits"
            raise OSError("markers are AArch64 instructions, this is %s%s" % (machine, bits))
        self.pages = []  # type: List[Any]  # a page goes when nobody holds it
        self.start, self.end, self.arm, self.disarm = [self.marker(number) for number in (START, END, ARM, DISARM)]

    def marker(self, number: int) -> Callable[[], None]:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        for word in (0xD503201F | number << 5, RETURN):
            page.write(word.to_bytes(4, "little"))
        held = ctypes.c_char.from_buffer(page)
        self.pages.append((page, held))
        return ctypes.CFUNCTYPE(None)(ctypes.addressof(held))


def mark(markers: Markers, invoke: Callable[[], Any], regions: int) -> None:
    """One inference to warm the plugin's caches up, then so many regions of one inference each."""
    markers.arm()
    try:
        invoke()
        for _ in range(regions):
            markers.start()
            invoke()
            markers.end()
    finally:
        markers.disarm()


def nothing() -> None:
    """What a region costs without an inference."""


def mark_prefixes(
    markers: Markers, load: Callable[[bytes], Callable[[], Any]], content: bytes, prefixes: List[Any], regions: int
) -> None:
    """Mark a call of nothing, and then each prefix of a network, with so many regions each.

    Args:
        load: makes an inference of a file's content.
        prefixes: for each, the (offset, value) pairs to change in ``content``, and the values to put behind its end.
    """
    mark(markers, nothing, regions)
    for patches, tail in prefixes:
        invoke = load(prefix_of(content, patches, tail))
        invoke()  # what is only done once is not to be seen
        mark(markers, invoke, regions)


def prefix_of(content: bytes, patches: List[Any], tail: List[int]) -> bytes:
    """The file with some 32-bit values replaced, given as (offset, value), and others behind its end."""
    changed = bytearray(content + bytes(-len(content) % 4))
    for offset, value in patches:
        changed[offset : offset + 4] = value.to_bytes(4, "little")
    return bytes(changed) + b"".join(value.to_bytes(4, "little") for value in tail)
