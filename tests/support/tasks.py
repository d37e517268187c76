"""Tasks for tests: pictures in folders, tables and arrays, and the file that describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from harness.tasks.task import Task, load

SHAPES = ("circle", "square", "triangle")


def write_task(folder: Path, content: str, name: str = "mine") -> Task:
    """A task's file with this content, loaded."""
    path = folder / f"{name}.yaml"
    path.write_text(content)
    return load(str(path))


def picture(seed: int, size: tuple[int, int] = (16, 16), mode: str = "RGB") -> Image.Image:
    """Noise: no two seeds give the same."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,), "CMYK": (4,)}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels)).astype(np.uint8)
    return Image.fromarray(values, mode=mode) if mode == "CMYK" else Image.fromarray(values)


def class_folders(root: Path, counts: dict[str, int], size: tuple[int, int] = (16, 16)) -> Path:
    """PNG files of noise in one folder for each class."""
    seed = 0
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            seed += 1
            picture(seed, size).save(root / name / f"{k:03}.png")
    return root


def shapes(root: Path, each: int = 40, side: int = 64) -> Path:
    """PNG files of circles, squares and triangles in random colours, places and noise."""
    rng = np.random.default_rng(0)

    def below(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    for name in SHAPES:
        (root / name).mkdir(parents=True)
        for k in range(each):
            image = Image.new("RGB", (side, side), (below(0, 120), below(0, 120), below(0, 120)))
            x, y, length = below(side // 8, side // 3), below(side // 8, side // 3), below(side // 3, side // 2)
            colour, pen = (below(130, 255), below(130, 255), below(130, 255)), ImageDraw.Draw(image)
            if name == "circle":
                pen.ellipse((x, y, x + length, y + length), fill=colour)
            elif name == "square":
                pen.rectangle((x, y, x + length, y + length), fill=colour)
            else:
                pen.polygon([(x, y + length), (x + length, y + length), (x + length // 2, y)], fill=colour)
            grain = rng.integers(-20, 20, (side, side, 3))
            noisy = np.clip(np.asarray(image).astype(np.int64) + grain, 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / name / f"{k:03}.png")
    return root
