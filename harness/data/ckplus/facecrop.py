"""Crops a video frame to a 48x48 face: by OpenCV's bundled face detector, or by a fixed square in the middle.

Only the choice of the square differs. Both cut and shrink with the same code (Pillow's area average), so two machines
with the same square get the same pixels.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.core.errors import DataError, MissingExtraError
from harness.data.size import SIDE
from harness.data.spec import Crop

Grey = npt.NDArray[np.uint8]

#: Side of the centre crop as a share of the frame's shorter side: 0.65 x 490 = 318 of a CK+ frame's 640 x 490 pixels.
CENTRE_PART = 0.65

_CASCADE = "haarcascade_frontalface_default.xml"


@dataclass(frozen=True)
class Box:
    """A square inside a frame: left and top edge, and side, in pixels."""

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class Cropper:
    """A method to cut faces out. Each result has its ``name``: ``centre``, or ``opencv`` with its version."""

    name: str
    detect: Callable[[Grey], Box | None] | None

    def crop(self, frames: Sequence[Grey]) -> tuple[list[Grey], bool]:
        """Cut the face out of the frames of one sequence.

        The first frame with a detected face decides, and all frames of the same size are cut at its place. The reason:
        a face hardly moves in three frames, but a detector jumps a little from frame to frame and would add noise.

        Args:
            frames: uint8, shape (height, width) each; the peak comes first.

        Returns:
            One uint8 image of shape (48, 48) for each frame, and whether all frames were cut at a detected face (always
            True for the centre crop, which detects none).
        """
        boxes: dict[tuple[int, ...], Box | None] = {}
        images, face_found = [], True
        for frame in frames:
            if frame.shape not in boxes:
                same_size = [other for other in frames if other.shape == frame.shape]
                boxes[frame.shape] = self._find(same_size)
            box = boxes[frame.shape]
            face_found = face_found and (self.detect is None or box is not None)
            images.append(cut(frame, box or centre_box(frame)))
        return images, face_found

    def _find(self, frames: Sequence[Grey]) -> Box | None:
        if self.detect is None:
            return None
        return next((box for frame in frames if (box := self.detect(frame)) is not None), None)


def centre_box(frame: Grey) -> Box:
    """The centre crop: a square of :data:`CENTRE_PART` of the shorter side, in the middle of the frame."""
    height, width = frame.shape
    side = max(1, round(min(height, width) * CENTRE_PART))
    return Box((width - side) // 2, (height - side) // 2, side)


def cut(frame: Grey, box: Box) -> Grey:
    """Shrink ``box`` of a frame to uint8 (48, 48); each pixel is the mean of the area that it covers."""
    area = (box.x, box.y, box.x + box.side, box.y + box.side)
    small = Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX, box=area)
    return np.array(small, dtype=np.uint8)


def make_cropper(choice: Crop) -> Cropper:
    """The cropper for a choice; ``auto`` is ``opencv`` if it is installed, else ``centre``.

    Raises:
        MissingExtraError: ``opencv`` was asked for and is not installed, or has no face detector.
    """
    if choice == "centre":
        return Cropper("centre", None)
    cropper = _opencv()
    if cropper is not None:
        return cropper
    if choice == "auto":
        return Cropper("centre", None)
    raise MissingExtraError(
        "OpenCV with its bundled face detector is not installed",
        fix="pip install 'opencv-python-headless<5' (5.0 left the detector out), or use the centre crop",
    )


def _opencv() -> Cropper | None:
    try:
        cv2: Any = importlib.import_module("cv2")
        classifier = cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)
        if classifier.empty():
            return None
    except (ImportError, AttributeError):  # not installed, or version 5, which has no CascadeClassifier
        return None

    def detect(frame: Grey) -> Box | None:
        try:
            smallest = min(frame.shape) // 4
            faces = classifier.detectMultiScale(frame, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest))
        except cv2.error as error:
            raise DataError(f"OpenCV's face detector failed: {error}", fix="use the centre crop") from error
        boxes = [_inside(frame, *(int(value) for value in face)) for face in faces]
        return max(boxes, key=lambda box: (box.side, -box.x, -box.y), default=None)

    return Cropper(f"opencv {cv2.__version__}", detect)


def _inside(frame: Grey, x: int, y: int, width: int, height: int) -> Box:
    """The detector's rectangle as a square that lies wholly in the frame."""
    side = min(width, height, *frame.shape)
    return Box(max(0, min(x, frame.shape[1] - side)), max(0, min(y, frame.shape[0] - side)), side)
