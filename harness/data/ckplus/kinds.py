"""Which files of a copy are images, and of what kind: by their names, and where those don't tell, by first bytes."""

from __future__ import annotations

from typing import Literal

from harness.data.ckplus.files import RegularFile, read_start

Kind = Literal["PNG", "JPEG", "other"]

PNG_ENDINGS = (".png",)
JPEG_ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif")
#: images all the same, which aren't read: CK+ has PNG, and copies made from it have JPEG
OTHER_ENDINGS = (
    ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".ico", ".pcx", ".ras", ".apng", ".mng", ".psd",
)  # fmt: skip
ENDINGS = (*PNG_ENDINGS, *JPEG_ENDINGS, *OTHER_ENDINGS)

NOT_READ = "an image, but neither PNG nor JPEG; left out"
CONVERT = "convert it to PNG, which loses nothing, or get CK+'s own PNG files"

#: of file formats whose files may have lost their names' endings
_FIRST_BYTES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ",
    b"P5\n", b"P6\n", b"P2\n",
)  # fmt: skip


def kind_of(name: str) -> Kind | None:
    """What a file's name says; None where it is no image's."""
    lower = name.lower()
    if lower.endswith(PNG_ENDINGS):
        return "PNG"
    if lower.endswith(JPEG_ENDINGS):
        return "JPEG"
    return "other" if lower.endswith(OTHER_ENDINGS) else None


def is_hidden_image(file: RegularFile) -> bool:
    """Whether a file whose name is no image's holds one."""
    start = read_start(file, 16)
    return start.startswith(_FIRST_BYTES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
