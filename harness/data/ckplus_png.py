"""PNG files that nobody has checked: size, chunks and checksums are tested before Pillow decodes them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.data.ckplus_files import Found, read_bytes
from harness.data.faults import FaultLog

Grey = npt.NDArray[np.uint8]

#: A CK+ frame is about 300 KB; anything above this is something else.
MAX_IMAGE_BYTES = 16 << 20
#: A CK+ frame has 640 x 490 pixels.
MAX_PIXELS = 4_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


class _BadImageError(Exception):
    """Why one image can't be used; never leaves this module."""

    def __init__(self, code: str, text: str, fix: str) -> None:
        super().__init__(text)
        self.code, self.text, self.fix = code, text, fix


def read_grey(found: Found, faults: FaultLog) -> Grey | None:
    """A PNG as grey values, or None after reporting why not (and counting one image as left out).

    Returns:
        uint8, shape (height, width); colour is weighed as Pillow's mode "L" does (ITU-R 601-2), alpha is
        ignored.
    """
    try:
        return _decode(_png_bytes(found), found, faults)
    except _BadImageError as bad:
        faults.error(bad.code, found.rel, bad.text, fix=bad.fix, images=1)
        return None


def _png_bytes(found: Found) -> bytes:
    if found.size > MAX_IMAGE_BYTES:
        raise _BadImageError(
            "too-large",
            f"{found.size} bytes; no CK+ frame is above {MAX_IMAGE_BYTES}",
            "get a new copy of the file",
        )
    try:
        data = read_bytes(found, MAX_IMAGE_BYTES)
    except OSError as error:
        raise _BadImageError("unreadable", f"can't be read: {error.strerror}", "check its permissions") from error
    except ValueError as error:
        raise _BadImageError("too-large", str(error), "get a new copy of the file") from error
    _check_chunks(data)
    return data


def _check_chunks(data: bytes) -> None:
    """Every chunk whole and with its checksum right, up to IEND; and no more pixels than a frame may have.

    Done before Pillow sees the file: it decodes some truncated files without a word, and a small file can unpack
    to gigabytes. PNG (ISO/IEC 15948): 8-byte signature, then chunks of length, type, data and CRC-32.
    """
    again = "get a new copy of the file"
    if not data:
        raise _BadImageError("truncated-image", "is empty", again)
    if not data.startswith(_PNG) and not _PNG.startswith(data):
        raise _BadImageError("not-png", "is no PNG file, whatever its name says", "CK+'s images are PNG: " + again)
    position = len(_PNG)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise _BadImageError("truncated-image", f"ends after {len(data)} bytes, before its end mark", again)
        (length,), kind = struct.unpack_from(">I", data, position), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise _BadImageError("truncated-image", f"ends after {len(data)} bytes, before its end mark", again)
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise _BadImageError("damaged-image", "a checksum inside the file is wrong", again)
        if position == len(_PNG):
            _check_size(kind, data)
        position = end


def _check_size(kind: bytes, data: bytes) -> None:
    if kind != b"IHDR" or len(data) < 24:
        raise _BadImageError("damaged-image", "does not begin with an image header", "get a new copy of the file")
    width, height = struct.unpack_from(">II", data, 16)
    if not 0 < width * height <= MAX_PIXELS:
        raise _BadImageError(
            "too-many-pixels",
            f"{width} x {height} pixels; CK+'s frames have 640 x 490",
            "get a new copy of the file",
        )


def _decode(data: bytes, found: Found, faults: FaultLog) -> Grey:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode not in _MODES:
                raise _BadImageError(
                    "unusual-depth",
                    f"pixels of mode {image.mode}, not 8-bit grey or colour",
                    "convert it to 8 bits",
                )
            image.info.pop("transparency", None)  # else Pillow warns of it for palettes; alpha is ignored anyway
            pixels = np.array(image.convert("RGB" if image.mode == "P" else image.mode).convert("L"), dtype=np.uint8)
            if image.mode not in {"1", "L", "LA"}:
                faults.note("colour", found.rel, f"mode {image.mode}; made grey")
            return pixels
    # Pillow reports a broken PNG by any of these, depending on where it breaks.
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        OverflowError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise _BadImageError("damaged-image", f"can't be decoded: {error}", "get a new copy of the file") from error
