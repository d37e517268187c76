"""Decodes an image file that nobody checked, within bounds, into 8-bit grey or colour."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.data.findings import FaultLog
from harness.tasks.schema import Colour

#: Endings of the kinds that are read, and of others, which are named instead of ignored.
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
OTHER_ENDINGS = (".heic", ".heif", ".avif", ".jp2", ".j2k", ".psd", ".svg", ".dng", ".cr2", ".nef", ".ico", ".tga")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_FILE_BYTES = 64 << 20
#: A photograph of 48 megapixels is still read; a file of some kilobytes can unpack to far more.
MAX_PIXELS = 64_000_000
_EIGHT_BITS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I"}


class UnreadableImageError(Exception):
    """An image can't be used. The caller reports it as a fault with this code."""

    def __init__(self, code: str, text: str, fix: str = "replace or remove it") -> None:
        super().__init__(text)
        self.code, self.text, self.fix = code, text, fix


def decode(path: Path, place: str, colour: Colour, faults: FaultLog) -> Image.Image:
    """The image in mode ``L`` or ``RGB``, upright.

    It is turned as its EXIF data say. Palettes become colours, alpha is dropped, 16 bits are scaled to 8, of an
    animation or several pages the first is taken, and CMYK is converted without a profile. Each of these is said.

    Raises:
        UnreadableImageError: it can't be read, is too large, or has pixels of an unusual kind.
    """
    data = _content(path)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if not 0 < image.width * image.height <= MAX_PIXELS:
                raise UnreadableImageError(
                    "too-many-pixels", f"{image.width} x {image.height} pixels", "make it smaller"
                )
            if getattr(image, "n_frames", 1) > 1:
                faults.warning("animated", place, "has several pictures; the first is used")
            image.load()
            upright = ImageOps.exif_transpose(image)
            if image.getexif().get(0x0112, 1) not in (1, None):
                faults.note("turned", place, "turned as its EXIF data say")
            return _eight_bits(upright, place, faults).convert("L" if colour == "grey" else "RGB")
    except Image.DecompressionBombError as error:
        raise UnreadableImageError("too-many-pixels", " ".join(str(error).split())[:120], "make it smaller") from error
    # Pillow raises any of these for damaged files, depending on the kind and the place of the damage
    except (
        OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
        ZeroDivisionError, MemoryError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        if len(data) == 0:
            raise UnreadableImageError("damaged-image", "is empty") from error
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreadableImageError("damaged-image", f"can't be decoded: {told}") from error


def _content(path: Path) -> bytes:
    """The bytes of a regular file. The limit also holds if the file grows meanwhile."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
            raise UnreadableImageError("special-file", "is no regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableImageError("unreadable", f"can't be read: {error.strerror}", "check path and rights") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableImageError("too-large", f"larger than {MAX_FILE_BYTES >> 20} MiB", "make it smaller")
    return data


def _eight_bits(image: Image.Image, place: str, faults: FaultLog) -> Image.Image:
    """The image with 8 bits a channel, without alpha and palette."""
    mode = image.mode
    if mode in _DEEP:
        values = np.asarray(image).astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65_535:
            raise UnreadableImageError("unusual-depth", f"pixels of mode {mode} beyond 16 bits", "convert it to 8 bits")
        faults.note("sixteen-bits", place, "16 bits, scaled to 8")
        return Image.fromarray(np.round(values / 257).astype(np.uint8))
    if mode not in _EIGHT_BITS:
        raise UnreadableImageError("unusual-depth", f"pixels of mode {mode}", "convert it to 8 bits")
    if mode == "CMYK":
        faults.note("cmyk", place, "CMYK, converted without a colour profile")
    if mode in ("LA", "La"):
        faults.note("alpha", place, "has alpha, which is dropped")
        return image.convert("LA").convert("L") if mode == "La" else image.getchannel("L")
    transparent = "transparency" in image.info
    image.info.pop("transparency", None)
    if mode in ("RGBA", "RGBa", "PA") or transparent:
        faults.note("alpha", place, "has alpha, which is dropped")
    return (
        image
        if mode in ("1", "L")
        else image.convert("RGBA").convert("RGB")
        if mode == "RGBa"
        else image.convert("RGB")
    )
