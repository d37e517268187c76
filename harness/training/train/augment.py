"""Random variations of training images: small rotations, zooms and shifts, mirroring, brightness and camera noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.training.arrays import Images, Pixels

Numbers = npt.NDArray[np.float64]
_TURN = 0.14  # radians
_ZOOM = 0.08
_SHIFT = 1 / 16  # of the image's shorter side
_GAIN = 0.3
_OFFSET = 25.0
_GRAIN = 8.0
#: values of images that are varied at once, which bounds the memory for their coordinates
_AT_ONCE = 1 << 22


def augment(images: Images, rng: np.random.Generator, *, mirror: bool = True) -> Pixels:
    """One random variation of each image.

    Args:
        images: uint8, shape (N, h, w) or (N, h, w, 3).
        rng: source of randomness.
        mirror: whether half of the images are mirrored, left to right.

    Returns:
        float32, shape (N, h, w, 1) or (N, h, w, 3), 0..255.
    """
    n = len(images)
    turn = rng.uniform(-_TURN, _TURN, n)
    zoom = 1.0 + rng.uniform(-_ZOOM, _ZOOM, n)
    flip = np.where((rng.random(n) < 0.5) & mirror, -1.0, 1.0)
    far = _SHIFT * min(images.shape[1:3])
    shift = rng.uniform(-far, far, (2, n))
    each = (n, *(1 for _ in images.shape[1:]))
    gain = 1.0 + rng.uniform(-_GAIN, _GAIN, each)
    offset = rng.uniform(-_OFFSET, _OFFSET, each)
    grain = rng.uniform(0.0, _GRAIN, each)
    varied = np.empty(images.shape, dtype=np.float32)
    step = max(1, _AT_ONCE // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, n, step):
        part = slice(start, start + step)
        motion = _Motion(np.cos(turn[part]) * zoom[part], np.sin(turn[part]) * zoom[part], flip[part], shift[:, part])
        warped = _warp(images[part], motion)
        noise = grain[part] * rng.standard_normal(warped.shape, dtype=np.float32)
        varied[part] = np.clip((warped - 128.0) * gain[part] + 128.0 + offset[part] + noise, 0.0, 255.0)
    return varied if images.ndim == 4 else varied[..., None]


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
    height, width = images.shape[1:3]
    middle, centre = (height - 1) / 2, (width - 1) / 2
    v, u = np.meshgrid(np.arange(height) - middle, np.arange(width) - centre, indexing="ij")
    cos, sin, mirror = (values[:, None, None] for values in (motion.cos, motion.sin, motion.mirror))
    x = (cos * u - sin * v) * mirror + motion.shift[0][:, None, None]
    y = sin * u + cos * v + motion.shift[1][:, None, None]
    x, y = np.clip(x + centre, 0, width - 1.001), np.clip(y + middle, 0, height - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    if images.ndim == 4:
        fx, fy = fx[..., None], fy[..., None]
    row = np.arange(len(images))[:, None, None]
    source = images.astype(np.float32)
    upper = source[row, top, left] * (1 - fx) + source[row, top, left + 1] * fx
    lower = source[row, top + 1, left] * (1 - fx) + source[row, top + 1, left + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, dtype=np.float32)
