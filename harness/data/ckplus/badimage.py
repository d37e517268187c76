"""Why one image can't be used, and how large one may be."""

from __future__ import annotations

#: A CK+ frame is about 300 KB; anything above this is something else.
MAX_IMAGE_BYTES = 16 << 20
#: A CK+ frame has 640 x 490 pixels.
MAX_PIXELS = 4_000_000

AGAIN = "get a new copy of the file"


class BadImageError(Exception):
    """Why one image can't be used; never leaves the reading of images."""

    def __init__(self, code: str, text: str, fix: str) -> None:
        super().__init__(text)
        self.code, self.text, self.fix = code, text, fix


def check_pixels(width: int, height: int) -> None:
    """Bound the memory that a picture takes.

    Raises:
        BadImageError: none of CK+ is as large.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise BadImageError("too-many-pixels", f"{width} x {height} pixels; CK+'s frames have 640 x 490", AGAIN)
