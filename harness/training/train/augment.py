"""Random variations of training images: small rotations, zooms and shifts, mirroring, brightness and camera noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.data.size import SIDE
from harness.training.arrays import Images, Pixels

Numbers = npt.NDArray[np.float64]
_TURN = 0.14  # radians
_ZOOM = 0.08
_SHIFT = 3.0  # pixels
_GAIN = 0.3
_OFFSET = 25.0
_GRAIN = 8.0


def augment(images: Images, rng: np.random.Generator) -> Pixels:
    """One random variation of each image.

    Args:
        images: uint8, shape (N, 48, 48).
        rng: source of randomness.

    Returns:
        float32, shape (N, 48, 48, 1), 0..255. Mirror images keep their label, since no expression depends on the side.
    """
    n = len(images)
    turn = rng.uniform(-_TURN, _TURN, n)
    zoom = 1.0 + rng.uniform(-_ZOOM, _ZOOM, n)
    mirror = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    shift = rng.uniform(-_SHIFT, _SHIFT, (2, n))
    warped = _warp(images, _Motion(np.cos(turn) * zoom, np.sin(turn) * zoom, mirror, shift))
    gain = 1.0 + rng.uniform(-_GAIN, _GAIN, (n, 1, 1))
    offset = rng.uniform(-_OFFSET, _OFFSET, (n, 1, 1))
    grain = rng.uniform(0.0, _GRAIN, (n, 1, 1)) * rng.standard_normal(warped.shape, dtype=np.float32)
    lit = (warped - 128.0) * gain + 128.0 + offset + grain
    return np.clip(lit, 0.0, 255.0).astype(np.float32)[..., None]


@dataclass(frozen=True)
class _Motion:
    """The source positions of each image's pixels.

    ``cos`` and ``sin`` hold the rotation times the zoom, ``mirror`` is -1 for a mirror image and 1 otherwise, each
    (N,); ``shift`` holds pixels to the right and down, (2, N).
    """

    cos: Numbers
    sin: Numbers
    mirror: Numbers
    shift: Numbers


def _warp(images: Images, motion: _Motion) -> npt.NDArray[np.float32]:
    """Rotate, zoom, mirror and shift with bilinear sampling; outside the image its border is repeated."""
    centre = (SIDE - 1) / 2
    v, u = np.meshgrid(np.arange(SIDE) - centre, np.arange(SIDE) - centre, indexing="ij")
    cos, sin, mirror = (values[:, None, None] for values in (motion.cos, motion.sin, motion.mirror))
    x = (cos * u - sin * v) * mirror + motion.shift[0][:, None, None]
    y = sin * u + cos * v + motion.shift[1][:, None, None]
    x, y = np.clip(x + centre, 0, SIDE - 1.001), np.clip(y + centre, 0, SIDE - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    row = np.arange(len(images))[:, None, None]
    source = images.astype(np.float32)
    upper = source[row, top, left] * (1 - fx) + source[row, top, left + 1] * fx
    lower = source[row, top + 1, left] * (1 - fx) + source[row, top + 1, left + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, dtype=np.float32)
