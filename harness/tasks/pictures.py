"""Decodes samples one after the other into one array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.data.findings import FaultLog
from harness.tasks.decode import UnreadableImageError, decode
from harness.tasks.keys import MAX_SIDE, MIN_SIDE
from harness.tasks.preprocess import as_image, sized
from harness.tasks.sample import Sample
from harness.tasks.schema import Preprocess

#: Bytes of all samples in memory.
MAX_BYTES = 4 << 30


def stacked(
    samples: Sequence[Sample], rules: Preprocess, faults: FaultLog
) -> tuple[npt.NDArray[Any] | None, bool, npt.NDArray[np.int64]]:
    """The samples as one array, whether they are pixels, and the indices of those that could be read.

    The array is None where a fault is fatal. Pixels are uint8 (n, h, w) or (n, h, w, 3), other values float32.
    """
    first = samples[0].content
    nothing = np.zeros(0, dtype=np.int64)
    if isinstance(first, np.ndarray) and not are_pixels(first):
        array = _values(samples, rules, faults)
        return array, False, np.arange(len(samples)) if array is not None else nothing
    stack = _Stack(len(samples), faults)
    for number, sample in enumerate(samples):
        try:
            pixels = sized(_image(sample, rules, faults), rules)
        except UnreadableImageError as error:
            faults.error(error.code, sample.place, f"{error}; left out", line=sample.line, fix=error.fix, images=1)
            continue
        if not stack.add(pixels, number, sample):
            return None, True, nothing
    if not stack.taken:
        faults.fatal("nothing-usable", ".", "no image can be read", fix="see the other faults")
        return None, True, nothing
    return stack.array(), True, np.array(stack.taken, dtype=np.int64)


def are_pixels(content: npt.NDArray[Any]) -> bool:
    """Whether one sample's array is an image: uint8, (h, w), (h, w, 1) or (h, w, 3), and large enough for one."""
    sides = content.shape[:2]
    flat = content.ndim == 2 or (content.ndim == 3 and content.shape[2] in (1, 3))
    return content.dtype == np.uint8 and flat and min(sides) >= MIN_SIDE


def _image(sample: Sample, rules: Preprocess, faults: FaultLog) -> Image.Image:
    if isinstance(sample.content, Path):
        return decode(sample.content, sample.place, rules.colour or "rgb", faults)
    pixels = sample.content
    return as_image(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels, rules)


class _Stack:
    """An array that is filled image by image. Its size is known with the first one."""

    def __init__(self, count: int, faults: FaultLog) -> None:
        self._count, self._faults = count, faults
        self._array: npt.NDArray[np.uint8] | None = None
        self._first: Sample | None = None
        self.taken: list[int] = []

    def add(self, pixels: npt.NDArray[np.uint8], number: int, sample: Sample) -> bool:
        """Take an image; False, and a fatal fault, where no image after it can be taken either."""
        if self._array is None:
            if not self._fits(pixels):
                return False
            self._array, self._first = np.empty((self._count, *pixels.shape), dtype=np.uint8), sample
        elif pixels.shape != self._array.shape[1:]:
            assert self._first is not None
            here, there = ("x".join(map(str, shape[:2])) for shape in (pixels.shape, self._array.shape[1:]))
            text = f"is {here} pixels, and {self._first.identity} is {there}"
            fix = "preprocess: {size: [height, width]}"
            self._faults.fatal("sizes-differ", sample.place, text, line=sample.line, fix=fix)
            return False
        self._array[len(self.taken)] = pixels
        self.taken.append(number)
        return True

    def _fits(self, pixels: npt.NDArray[np.uint8]) -> bool:
        if self._count * pixels.size > MAX_BYTES:
            text = f"{self._count} images of {pixels.size} bytes, more than {MAX_BYTES >> 30} GiB in all"
            self._faults.fatal("too-large", ".", text, fix="a smaller 'size' below 'preprocess', or fewer images")
            return False
        if not MIN_SIDE <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) <= MAX_SIDE:
            text = f"images of {pixels.shape[0]} x {pixels.shape[1]} pixels"
            self._faults.fatal("too-large", ".", text, fix="preprocess: {size: [height, width]}")
            return False
        return True

    def array(self) -> npt.NDArray[np.uint8]:
        """The images that were taken."""
        assert self._array is not None
        return self._array[: len(self.taken)]


def _values(samples: Sequence[Sample], rules: Preprocess, faults: FaultLog) -> npt.NDArray[np.float32] | None:
    """Samples that are no images, as they are."""
    arrays = [np.asarray(sample.content) for sample in samples]
    if rules.size is not None or rules.colour is not None or rules.layout != "nhwc":
        text = "samples are no images (uint8, height x width, perhaps x 3), so they have no size, colour or layout"
        faults.fatal("no-images", samples[0].place, text, fix="leave 'size', 'colour' and 'layout' out")
        return None
    if len({array.shape for array in arrays}) > 1:
        faults.fatal("sizes-differ", samples[0].place, "samples have several shapes", fix="give each part one shape")
        return None
    return np.stack(arrays).astype(np.float32)
