"""From an image to a network's input: size and crop as whole pixels, then scale, mean, deviation and layout."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.tasks.schema import Preprocess

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def sized(image: Image.Image, rules: Preprocess) -> Pixels:
    """The image in its final size: uint8, (h, w) of a grey one, (h, w, 3) of a coloured one."""
    if rules.size is None:
        return np.array(image, dtype=np.uint8)
    height, width = rules.size
    if rules.fit == "stretch":
        return np.array(_resized(image, width, height, rules), dtype=np.uint8)
    if rules.fit == "pad":
        factor = min(width / image.width, height / image.height)
        inner = _resized(image, _least(image.width * factor, width), _least(image.height * factor, height), rules)
        whole = Image.new(image.mode, (width, height))
        whole.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
        return np.array(whole, dtype=np.uint8)
    if rules.shorter is None:
        factor = max(width / image.width, height / image.height)
    else:
        factor = rules.shorter / min(image.width, image.height)
    outer = _resized(image, max(width, round(image.width * factor)), max(height, round(image.height * factor)), rules)
    left, top = (outer.width - width) // 2, (outer.height - height) // 2
    return np.array(outer.crop((left, top, left + width, top + height)), dtype=np.uint8)


def _least(length: float, most: int) -> int:
    return min(most, max(1, round(length)))


def _resized(image: Image.Image, width: int, height: int, rules: Preprocess) -> Image.Image:
    return image if image.size == (width, height) else image.resize((width, height), _FILTERS[rules.interpolation])


def as_image(pixels: Pixels, rules: Preprocess) -> Image.Image:
    """An array (h, w) or (h, w, 3) as an image in the wanted colour."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    wanted = {"grey": "L", "rgb": "RGB", None: image.mode}[rules.colour]
    return image if image.mode == wanted else image.convert(wanted)


def values(samples: npt.NDArray[np.generic], rules: Preprocess, *, pixels: bool) -> Values:
    """Samples as a network's input: float32, (value * scale - mean) / std, in the declared layout.

    Args:
        samples: (n, h, w) or (n, h, w, 3) pixels, or any other values (n, ...).
        pixels: whether they are pixels; others keep their layout, and ``mean`` and ``std`` act on their last axis.
    """
    result = samples.astype(np.float32)
    if pixels and result.ndim == 3:
        result = result[..., None]
    result *= np.float32(rules.scale)
    result -= np.asarray(rules.mean, dtype=np.float32)
    result /= np.asarray(rules.std, dtype=np.float32)
    if pixels and rules.layout == "nchw":
        result = result.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(result)
