"""Finds the images in a copy and their formats: by the name of a file, or by its first bytes."""

from __future__ import annotations

from typing import Literal

from harness.data.walk import RegularFile, read_start

Kind = Literal["PNG", "JPEG", "other"]

PNG_ENDINGS = (".png",)
JPEG_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif")
#: Image formats that are not read: CK+ has PNG, and copies made from it have JPEG.
OTHER_ENDINGS = (
    ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".ico", ".pcx", ".ras", ".apng", ".mng", ".psd",
)  # fmt: skip
ENDINGS = (*PNG_ENDINGS, *JPEG_ENDINGS, *OTHER_ENDINGS)

NOT_READ = "an image, but neither PNG nor JPEG; left out"
CONVERT = "convert it to PNG, which loses nothing, or get CK+'s own PNG files"

#: First bytes of image formats, for files without the usual suffix.
_FIRST_BYTES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ",
    b"P5\n", b"P6\n", b"P2\n",
)  # fmt: skip


def kind_of(name: str) -> Kind | None:
    """The image format by a file's name; None if the name is not that of an image."""
    lower = name.lower()
    if lower.endswith(PNG_ENDINGS):
        return "PNG"
    if lower.endswith(JPEG_ENDINGS):
        return "JPEG"
    return "other" if lower.endswith(OTHER_ENDINGS) else None


def is_hidden_image(file: RegularFile) -> bool:
    """Whether a file holds an image although its name is not that of an image."""
    start = read_start(file, 16)
    return start.startswith(_FIRST_BYTES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
