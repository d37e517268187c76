"""The specification of a data set and of how to read it, as the command line gives it and a run stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

#: Frames of a labelled sequence: its peak alone, or the last three up to it.
Frames = Literal["peak", "last3"]
#: The method to cut faces out of frames; ``auto`` takes OpenCV's detector if it is installed, else the centre.
Crop = Literal["auto", "opencv", "centre"]

#: Separator of path and choices in the strings that older versions stored.
_OLD_MARK = "#"


@dataclass(frozen=True)
class DataSpec:
    """A data set as a user names it.

    Attributes:
        source: its name in :mod:`harness.data.registry`.
        path: the path of a copy, as the user wrote it; None for a data set that is drawn.
        frames, crop: options of data sets that offer them, such as CK+'s official tree.
    """

    source: str = "synthetic"
    path: str | None = None
    frames: Frames = "last3"
    crop: Crop = "auto"

    def __str__(self) -> str:
        """The value of ``--data``, followed by the other options that differ from their defaults."""
        text = self.source if self.path is None else self.path if self.source == "ckplus" else self._with_path()
        text += f" --frames {self.frames}" if self.frames != DataSpec.frames else ""
        return text + (f" --crop {self.crop}" if self.crop != DataSpec.crop else "")

    def _with_path(self) -> str:
        return f"{self.source}:{self.path}"


#: The drawn faces, which need no copy.
SYNTHETIC = DataSpec()


def from_stored(value: object) -> object:
    """Convert a stored value to one that can be validated as a :class:`DataSpec`.

    Older versions stored a string: ``synthetic``, the path of a CK+ copy, or ``PATH#frames,crop``.
    """
    if not isinstance(value, str):
        return value
    if value == "synthetic":
        return SYNTHETIC
    path, mark, choices = value.rpartition(_OLD_MARK)
    frames, _, crop = choices.partition(",")
    if mark and frames in get_args(Frames) and crop in get_args(Crop):
        return DataSpec("ckplus", path, cast("Frames", frames), cast("Crop", crop))
    return DataSpec("ckplus", value)  # a path may hold the separator
