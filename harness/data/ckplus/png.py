"""Reads untrusted images: checks a PNG's size, chunks and checksums before Pillow decodes it."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.data.ckplus.badimage import AGAIN, MAX_IMAGE_BYTES, BadImageError, check_pixels
from harness.data.ckplus.jpeg import check_jpeg
from harness.data.ckplus.kinds import kind_of
from harness.data.findings import FaultLog
from harness.data.walk import RegularFile, read_bytes

Grey = npt.NDArray[np.uint8]

_PNG = b"\x89PNG\r\n\x1a\n"
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def read_grey(file: RegularFile, faults: FaultLog) -> Grey | None:
    """Read a PNG or JPEG as grey values; None for an unusable image, which is reported and counted as left out.

    Returns:
        uint8, shape (height, width). Colours are weighted as in Pillow's mode "L" (ITU-R 601-2); alpha is ignored.
    """
    jpeg = kind_of(file.name) == "JPEG"
    try:
        data = _whole(file)
        if jpeg:
            check_jpeg(data)
        else:
            _check_chunks(data)
        pixels = _decode(data, file, faults, "JPEG" if jpeg else "PNG")
    except BadImageError as bad:
        faults.error(bad.code, file.rel, bad.text, fix=bad.fix, images=1)
        return None
    if jpeg:
        text = "a JPEG image, whose grey values differ from those of CK+'s own PNG; used all the same"
        faults.warning("lossy-image", file.rel, text, fix="use CK+'s own PNG files: accuracies may differ")
    return pixels


def _whole(file: RegularFile) -> bytes:
    if file.size > MAX_IMAGE_BYTES:
        raise BadImageError("too-large", f"{file.size} bytes; no CK+ frame is above {MAX_IMAGE_BYTES}", AGAIN)
    try:
        return read_bytes(file, MAX_IMAGE_BYTES)
    except OSError as error:
        raise BadImageError("unreadable", f"can't be read: {error.strerror}", "check its permissions") from error
    except ValueError as error:
        raise BadImageError("too-large", str(error), AGAIN) from error


def _check_chunks(data: bytes) -> None:
    """Check that all chunks up to IEND are complete with a right checksum, and that there are not too many pixels.

    The check comes before Pillow, because Pillow decodes some truncated files without an error and because a small file
    can unpack to gigabytes. PNG (ISO/IEC 15948) has an 8-byte signature, then chunks of length, type, data and CRC-32.
    """
    if not data:
        raise BadImageError("truncated-image", "is empty", AGAIN)
    if not data.startswith(_PNG) and not _PNG.startswith(data):
        raise BadImageError("not-png", "is no PNG file, whatever its name says", "CK+'s images are PNG: " + AGAIN)
    position = len(_PNG)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise BadImageError("truncated-image", f"ends after {len(data)} bytes, before its end mark", AGAIN)
        (length,), kind = struct.unpack_from(">I", data, position), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise BadImageError("truncated-image", f"ends after {len(data)} bytes, before its end mark", AGAIN)
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise BadImageError("damaged-image", "a checksum inside the file is wrong", AGAIN)
        if position == len(_PNG):
            _check_size(kind, data)
        position = end


def _check_size(kind: bytes, data: bytes) -> None:
    if kind != b"IHDR" or len(data) < 24:
        raise BadImageError("damaged-image", "does not begin with an image header", AGAIN)
    check_pixels(*struct.unpack_from(">II", data, 16))


def _decode(data: bytes, file: RegularFile, faults: FaultLog, kind: str) -> Grey:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=(kind,)) as image:
            check_pixels(*image.size)
            if image.mode not in _MODES:
                raise BadImageError(
                    "unusual-depth",
                    f"pixels of mode {image.mode}, not 8-bit grey or colour",
                    "convert it to 8 bits",
                )
            image.info.pop("transparency", None)  # otherwise Pillow warns about palettes; alpha is ignored
            pixels = np.array(image.convert("RGB" if image.mode == "P" else image.mode).convert("L"), dtype=np.uint8)
            if image.mode not in {"1", "L", "LA"}:
                faults.note("colour", file.rel, f"mode {image.mode}; made grey")
            return pixels
    # For a damaged PNG Pillow raises any of these, depending on the place of the damage.
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
        raise BadImageError("damaged-image", f"can't be decoded: {error}", AGAIN) from error
