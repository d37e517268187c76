"""Draws one grey 48x48 face from the parameters of a person, of the face's muscles, and of the camera.

Arrays are computed by + - * /, sqrt, min, max and comparisons only. IEEE 754 rounds all of these exactly, so a face has
the same bytes on every machine. With sin, exp, pow or matrix products it would not.

Face coordinates: origin between eyes and mouth, x to the right, y down, one unit about half a face's height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.data.size import SIDE

Array = npt.NDArray[np.float64]

# Shapes take coordinates as positional arguments, as in drawing libraries: place (x, y), then size or slope.


@dataclass(frozen=True)
class Identity:
    """The features of one person, equal in all images. Lengths are in face units, tones from 0 (black) to 1 (white)."""

    skin: float
    hair: float
    hair_low: float
    hair_side: float
    width: float
    jaw: float
    eye_x: float
    eye_y: float
    eye_w: float
    eye_h: float
    brow_y: float
    brow_thick: float
    brow_tilt: float
    brow_tone: float
    nose_len: float
    nose_w: float
    mouth_y: float
    mouth_w: float
    mouth_curve: float
    lip: float
    lip_tone: float
    fold: float
    glasses: float
    beard: float
    moustache: float


@dataclass(frozen=True)
class Muscles:
    """Action units (Ekman & Friesen, FACS), from 0 (relaxed) to about 1 (full); pairs are the image's left, right."""

    inner_brow: float = 0.0  # AU1
    outer_brow: float = 0.0  # AU2
    brow_lower: float = 0.0  # AU4
    lid_raise: float = 0.0  # AU5
    cheek: float = 0.0  # AU6
    lid_tight: float = 0.0  # AU7
    nose_wrinkle: float = 0.0  # AU9
    smile: tuple[float, float] = (0.0, 0.0)  # AU12, image left and right
    dimple: tuple[float, float] = (0.0, 0.0)  # AU14
    corner_down: float = 0.0  # AU15
    chin_raise: float = 0.0  # AU17
    stretch: float = 0.0  # AU20
    lip_tight: float = 0.0  # AU23
    part: float = 0.0  # AU25
    jaw_drop: float = 0.0  # AU26


@dataclass(frozen=True)
class View:
    """The conditions of one image: head pose, light, occlusion, camera."""

    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    light: tuple[float, float] = (0.0, 0.0)
    shadow: float = 0.0
    background: tuple[float, float, float] = (0.4, 0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    gain: float = 1.0
    offset: float = 0.0
    blur: float = 0.0
    noise: float = 0.02
    cover: tuple[tuple[float, float, float, float, float], ...] = field(default=())


def soft(distance: Array, edge: float = 0.06) -> Array:
    """1 inside (negative distance), 0 outside, and a smooth step of width ``edge`` between; same shape as the input."""
    t = np.minimum(np.maximum(0.5 - distance / edge, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def ellipse(x: Array, y: Array, cx: float, cy: float, rx: float, ry: float) -> Array:
    """Approximate signed distance to an axis-parallel ellipse, in face units."""
    dx, dy = (x - cx) / rx, (y - cy) / ry
    return (np.sqrt(dx * dx + dy * dy) - 1.0) * min(rx, ry)


def bump(x: Array, y: Array, cx: float, cy: float, rx: float, ry: float) -> Array:
    """A smooth hill of height 1 at (cx, cy) that ends at the ellipse (rx, ry)."""
    dx, dy = (x - cx) / rx, (y - cy) / ry
    t = np.maximum(1.0 - (dx * dx + dy * dy), 0.0)
    return t * t


class Face:
    """A canvas in face coordinates with one head's pose applied."""

    def __init__(self, who: Identity, does: Muscles, seen: View) -> None:
        self.who, self.does, self.seen = who, does, seen
        grid = (np.arange(SIDE, dtype=np.float64) - (SIDE - 1) / 2) / (SIDE / 2)
        self.u, self.v = np.meshgrid(grid, grid)
        # rotation by the tangent of the half angle, which is exact; cos and sin would differ between machines
        t = seen.roll / 2
        c, s = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        a = (self.u - seen.shift[0]) * (1.12 / seen.zoom)
        b = (self.v - seen.shift[1]) * (1.12 / seen.zoom)
        x, y = c * a + s * b, c * b - s * a
        # a turned head moves its near parts (the middle) more than its far ones (the rim)
        self.x = x - seen.yaw * np.maximum(1.0 - x * x, 0.0)
        self.y = y - seen.pitch * np.maximum(1.0 - y * y, 0.0)
        self.img: Array = np.zeros((SIDE, SIDE))

    def paint(self, mask: Array, tone: float, opacity: float = 1.0) -> None:
        """Cover the mask with a tone."""
        self.img = self.img + (mask * opacity) * (tone - self.img)

    def shade(self, mask: Array, amount: float) -> None:
        """Brighten (amount > 0) or darken the mask by a share of its present tone."""
        self.img = self.img * (1.0 + amount * mask)

    def stroke(self, cx: float, cy: float, half: float, slope: float, bend: float, thick: float) -> Array:
        """The mask of a curved line y = cy + slope*dx + bend*dx^2 for |dx| <= half."""
        dx = self.x - cx
        line = cy + slope * dx + bend * (dx * dx)
        ends = np.abs(dx) - half
        return soft(np.maximum(np.abs(self.y - line) - thick, ends * 0.8))

    def backdrop(self) -> None:
        who, (tone, gx, gy) = self.who, self.seen.background
        self.img = tone + gx * self.u + gy * self.v
        self.paint(soft(ellipse(self.x, self.y, 0.0, 1.55, 1.1, 0.55), 0.1), 0.3 + 0.3 * who.hair)
        self.paint(soft(ellipse(self.x, self.y, 0.0, -0.22, who.width + who.hair_side, 0.98), 0.1), who.hair)
        self.paint(soft(np.maximum(np.abs(self.x) - 0.34, 0.5 - self.y), 0.1), who.skin * 0.72)

    def head(self) -> None:
        who, does = self.who, self.does
        drop = 0.16 * does.jaw_drop
        lower = np.maximum(self.y - 0.1, 0.0)
        narrowing = 1.0 + who.jaw * lower * lower
        chin = 0.98 + drop
        height = np.where(self.y > 0.0, chin, 1.0)
        dx, dy = self.x * narrowing / who.width, self.y / height
        rim = (np.sqrt(dx * dx + dy * dy) - 1.0) * who.width
        for side in (-1.0, 1.0):
            self.paint(soft(ellipse(self.x, self.y, side * (who.width + 0.02), -0.05, 0.1, 0.2)), who.skin * 0.85)
        self.paint(soft(rim, 0.08), who.skin)
        self.shade(soft(-rim - 0.16, 0.3), -0.16)
        if who.beard > 0:
            low = np.minimum(np.maximum((self.y - 0.25) * 2.5, 0.0), 1.0)
            self.paint(soft(rim, 0.08) * low, who.hair, 0.55 * who.beard)
        fringe = np.maximum(rim - 0.02, self.y - (who.hair_low + 0.35 * self.x * self.x))
        self.paint(soft(fringe, 0.1), who.hair)

    def brows(self) -> None:
        who, does = self.who, self.does
        for wrinkle in range(3):
            amount = 0.22 * (0.6 * does.inner_brow + 0.5 * does.outer_brow) * (1 - 0.5 * does.brow_lower)
            self.shade(self.stroke(0.0, -0.62 - 0.09 * wrinkle, 0.38, 0.0, 0.12, 0.012), -amount)
        for side in (-1.0, 1.0):
            inner = who.brow_y - 0.13 * does.inner_brow + 0.11 * does.brow_lower + 0.05 * does.nose_wrinkle
            outer = who.brow_y - 0.12 * does.outer_brow + 0.05 * does.brow_lower + 0.02 * does.nose_wrinkle
            centre = side * (who.eye_x + 0.01 - 0.035 * does.brow_lower)
            slope = side * ((outer - inner) / 0.4 + who.brow_tilt)
            mask = self.stroke(centre, (inner + outer) / 2, 0.2, slope, 1.1, who.brow_thick)
            self.paint(mask, who.brow_tone, 0.85)
        furrow = does.brow_lower
        for x in (-0.055, 0.055):
            self.shade(bump(self.x, self.y, x, who.brow_y + 0.02, 0.05, 0.14), -0.3 * furrow)

    def eyes(self) -> None:
        who, does, gaze = self.who, self.does, self.seen.gaze
        opening = 1.0 + 0.55 * does.lid_raise - 0.4 * does.cheek - 0.38 * does.lid_tight - 0.3 * does.nose_wrinkle
        half = who.eye_h * max(opening, 0.18)
        for side in (-1.0, 1.0):
            cx, cy = side * who.eye_x, who.eye_y
            self.shade(bump(self.x, self.y, cx, cy, who.eye_w * 1.9, 0.24), -0.2)
            ball = soft(ellipse(self.x, self.y, cx, cy, who.eye_w, half), 0.05)
            self.paint(ball, 0.55 + 0.35 * who.skin)
            iris = soft(ellipse(self.x, self.y, cx + gaze[0], cy + gaze[1], 0.075, 0.085), 0.05)
            self.paint(np.minimum(ball, iris), 0.1)
            lid = self.stroke(cx, cy - half, who.eye_w * 1.05, 0.0, half / (who.eye_w * who.eye_w), 0.014)
            self.paint(lid, 0.12, 0.75)
            bag = self.stroke(cx, cy + half + 0.035, who.eye_w, 0.0, -1.3, 0.012)
            self.shade(bag, -0.14 - 0.2 * does.lid_tight - 0.24 * does.cheek)
            feet = bump(self.x, self.y, side * (who.eye_x + who.eye_w + 0.08), cy + 0.03, 0.1, 0.08)
            self.shade(feet, -0.22 * does.cheek)
        if who.glasses > 0:
            for side in (-1.0, 1.0):
                ring = np.abs(ellipse(self.x, self.y, side * who.eye_x, who.eye_y + 0.02, 0.25, 0.2)) - 0.015
                self.paint(soft(ring), 0.12, who.glasses)
            self.paint(self.stroke(0.0, who.eye_y, 0.09, 0.0, 1.0, 0.012), 0.12, who.glasses)

    def nose(self) -> None:
        who, does = self.who, self.does
        tip = who.nose_len - 0.05 * does.nose_wrinkle
        self.shade(bump(self.x, self.y, 0.0, tip - 0.2, 0.09, 0.36), 0.16)
        self.shade(bump(self.x, self.y, 0.03, tip + 0.03, who.nose_w * 1.5, 0.08), -0.3)
        spread = who.nose_w * (1.0 + 0.18 * does.nose_wrinkle)
        for side in (-1.0, 1.0):
            self.paint(soft(ellipse(self.x, self.y, side * spread * 0.6, tip, 0.035, 0.025)), 0.12, 0.7)
            self.shade(bump(self.x, self.y, side * 0.1, who.eye_y + 0.13, 0.1, 0.06), -0.32 * does.nose_wrinkle)
            pull = does.smile[0] if side < 0 else does.smile[1]
            fold = who.fold + 0.3 * does.nose_wrinkle + 0.24 * pull
            line = self.stroke(side * (spread + 0.1), tip + 0.13, 0.1, side * 1.25, 0.0, 0.014)
            self.shade(line, -fold)
            self.shade(bump(self.x, self.y, side * 0.4, 0.16, 0.24, 0.18), 0.16 * does.cheek + 0.06 * pull)

    def mouth(self) -> None:
        who, does = self.who, self.does
        smile = (does.smile[0] + does.smile[1]) / 2
        wide = 0.24 * smile + 0.2 * does.stretch - 0.16 * does.jaw_drop - 0.1 * does.lip_tight
        half = who.mouth_w * (1.0 + wide + 0.06 * (does.dimple[0] + does.dimple[1]))
        cy = who.mouth_y - 0.03 * does.nose_wrinkle - 0.03 * does.chin_raise + 0.04 * does.jaw_drop
        pull = [0.13 * does.smile[i] + 0.04 * does.dimple[i] - 0.12 * does.corner_down for i in (0, 1)]
        lift = np.where(self.x < 0, pull[0], pull[1]) + who.mouth_curve
        lift = lift - 0.05 * does.stretch
        across = self.x / half
        line = cy - lift * (across * across) + 0.35 * lift
        taper = np.sqrt(np.maximum(1.0 - across * across, 0.0))
        gap = 0.05 * does.part + 0.15 * does.jaw_drop + 0.02 * smile * does.part
        thin = who.lip * (1.0 - 0.55 * does.lip_tight - 0.2 * smile)
        below = line + gap * taper * 1.5
        above = line - gap * taper * 0.5
        outside = np.abs(self.x) - half
        lips = np.maximum(np.maximum(above - thin * taper - self.y, self.y - below - 1.3 * thin * taper), outside)
        self.paint(soft(lips, 0.05), who.lip_tone, 0.8)
        inner = np.maximum(np.maximum(above - self.y, self.y - below), outside)
        self.paint(soft(inner - 0.008, 0.04), 0.08, 0.9)
        teeth = np.maximum(inner + 0.01, self.y - (above + 0.06))
        self.paint(soft(teeth, 0.05), 0.85, min(1.0, 1.1 * does.part * (1 - 0.5 * does.jaw_drop)))
        for i, side in enumerate((-1.0, 1.0)):
            corner = cy - 0.65 * pull[i]
            self.shade(bump(self.x, self.y, side * (half + 0.03), corner, 0.07, 0.08), -0.1 - 0.35 * does.dimple[i])
        self.shade(bump(self.x, self.y, 0.0, cy + 0.2 + gap, 0.16, 0.05), -0.18 - 0.2 * does.chin_raise)
        if who.moustache > 0:
            self.paint(self.stroke(0.0, cy - thin - 0.07, half * 0.9, 0.0, 0.25, 0.03), who.hair, 0.7 * who.moustache)

    def camera(self, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
        seen = self.seen
        light = 1.0 + seen.light[0] * self.u + seen.light[1] * self.v
        self.img = self.img * np.maximum(
            light - seen.shadow * soft(self.x * math.copysign(1.0, seen.light[0]), 0.5), 0.1
        )
        for x, y, rx, ry, tone in seen.cover:
            self.paint(soft(ellipse(self.u, self.v, x, y, rx, ry), 0.1), tone)
        p = np.pad(self.img, 1, mode="edge")
        cross = (p[:-2, 1:-1] + p[2:, 1:-1]) + (p[1:-1, :-2] + p[1:-1, 2:])
        corners = (p[:-2, :-2] + p[2:, 2:]) + (p[:-2, 2:] + p[2:, :-2])
        blurred = 0.25 * self.img + 0.125 * cross + 0.0625 * corners
        self.img = self.img + seen.blur * (blurred - self.img)
        # the sum of the four 16-bit parts of each random word: a bell curve (sd 37837) from integer sums
        parts = [((bits >> np.uint64(16 * k)) & np.uint64(0xFFFF)).astype(np.int64) for k in range(4)]
        grain = (parts[0] + parts[1] + parts[2] + parts[3] - 131070).astype(np.float64) / 37837.0
        final = (self.img - 0.5) * seen.gain + 0.5 + seen.offset + seen.noise * grain.reshape(SIDE, SIDE)
        levels = np.floor(np.minimum(np.maximum(final, 0.0), 1.0) * 255.0 + 0.5)
        return levels.astype(np.uint8)


def draw(who: Identity, does: Muscles, seen: View, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Draw one face, uint8, shape (48, 48).

    Args:
        who: the person.
        does: the action units of the muscles.
        seen: pose, light, occlusion and camera.
        bits: 48*48 random words for the camera's noise, uint64.
    """
    face = Face(who, does, seen)
    face.backdrop()
    face.head()
    face.brows()
    face.nose()
    face.eyes()
    face.mouth()
    return face.camera(bits)
