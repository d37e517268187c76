"""Which data set, and how to read it: a record, from the command line to the file of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

#: Frames of a labelled sequence: its peak alone, or the last three up to it.
Frames = Literal["peak", "last3"]
#: How faces are cut out of frames; ``auto`` takes OpenCV's detector where it is installed, else the centre.
Crop = Literal["auto", "opencv", "centre"]

#: Runs stored a data set as one string once; this stood between the path and the choices.
_OLD_MARK = "#"


@dataclass(frozen=True)
class DataSpec:
    """A data set as a user names it.

    Attributes:
        source: its name in :mod:`harness.data.registry`.
        path: where a copy lies, as the user wrote it; None for a data set that is drawn.
        frames, crop: of data sets that offer the choice (CK+'s official tree does).
    """

    source: str = "synthetic"
    path: str | None = None
    frames: Frames = "last3"
    crop: Crop = "auto"

    def __str__(self) -> str:
        """As it is written behind ``--data``, with the other options that are not the ordinary ones."""
        text = self.source if self.path is None else self.path if self.source == "ckplus" else self._with_path()
        text += f" --frames {self.frames}" if self.frames != DataSpec.frames else ""
        return text + (f" --crop {self.crop}" if self.crop != DataSpec.crop else "")

    def _with_path(self) -> str:
        return f"{self.source}:{self.path}"


#: The drawn faces, which everybody has.
SYNTHETIC = DataSpec()


def from_stored(value: object) -> object:
    """What a run's file says of its data, ready to be checked as a :class:`DataSpec`.

    Runs of older versions have a string there: ``synthetic``, a path of a CK+ copy, or ``PATH#frames,crop``.
    """
    if not isinstance(value, str):
        return value
    if value == "synthetic":
        return SYNTHETIC
    path, mark, choices = value.rpartition(_OLD_MARK)
    frames, _, crop = choices.partition(",")
    if mark and frames in get_args(Frames) and crop in get_args(Crop):
        return DataSpec("ckplus", path, cast("Frames", frames), cast("Crop", crop))
    return DataSpec("ckplus", value)  # a path may hold the mark itself
