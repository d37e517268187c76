"""The error for an image that can't be used, and the limits of an image's size."""

from __future__ import annotations

#: A CK+ frame has about 300 KB; a larger file is something else.
MAX_IMAGE_BYTES = 16 << 20
#: A CK+ frame has 640 x 490 pixels.
MAX_PIXELS = 4_000_000

AGAIN = "get a new copy of the file"


class BadImageError(Exception):
    """An image can't be used. The readers of images catch it and report a fault."""

    def __init__(self, code: str, text: str, fix: str) -> None:
        super().__init__(text)
        self.code, self.text, self.fix = code, text, fix


def check_pixels(width: int, height: int) -> None:
    """Limit the memory that a decoded image takes.

    Raises:
        BadImageError: the image is larger than any of CK+.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise BadImageError("too-many-pixels", f"{width} x {height} pixels; CK+'s frames have 640 x 490", AGAIN)
