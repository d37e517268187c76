"""A substitute for CK+: 981 drawn faces with its class counts, subjects and three-frame sequences.

CK+ is licensed and can't be shipped. These faces are drawn by :mod:`harness.data.synthetic.faces` from action units,
the way the Facial Action Coding System describes the seven expressions (Ekman, Friesen & Hager 2002; Lucey et al.,
"The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010, whose table of emotions names the units of each). They
serve to rank networks; they say nothing about accuracy on real people (docs/data.md).
"""

from __future__ import annotations

import functools

import numpy as np

from harness.data.dataset import CKPLUS_981_COUNTS, CLASSES, Dataset
from harness.data.findings import DataFindings
from harness.data.size import SIDE
from harness.data.spec import DataSpec
from harness.data.stream import Stream
from harness.data.synthetic.faces import Identity, Muscles, View, draw

SUBJECTS = 118
FRAMES = 3
#: Intensity of the three frames relative to the sequence's peak. CK+ has the peak and the two frames before it.
ONSET = (0.82, 0.92, 1.0)

# The difficulty of the data set, chosen from five settings by the baselines of harness.training.train.difficulty: a
# linear classifier must fail, and a small CNN must not be enough. Strengths are shares of the full expression, spreads
# are shares of the values in _view.
REST = 0.1  # highest tension of a face at rest
WEAK, STRONG = 1.0, 1.35  # range of a sequence's peak; above 1 because 48 pixels hide subtle expressions
HABIT = 0.15  # spread of one action unit between people
STRAY = 0.06  # strength of movements that belong to no expression
POSE = 1.3
NOISE = 0.25
COVER = 0.1  # share of sequences with an occlusion

# The first part of each stream's key, so that no two uses share random numbers.
_PLAN, _PERSON, _SEQUENCE, _FRAME = 1, 2, 3, 4

#: {class: {action unit: strength at full expression}}
PROTOTYPES: dict[str, dict[str, float]] = {
    "anger": {"brow_lower": 1.0, "lid_raise": 0.35, "lid_tight": 0.75, "lip_tight": 1.0, "chin_raise": 0.4},
    "contempt": {"smile_one": 0.55, "dimple_one": 1.0, "lid_tight": 0.15},
    "disgust": {"nose_wrinkle": 1.0, "corner_down": 0.45, "brow_lower": 0.35, "chin_raise": 0.5, "cheek": 0.25},
    "fear": {
        "inner_brow": 0.9, "outer_brow": 0.6, "brow_lower": 0.6, "lid_raise": 0.9, "stretch": 1.0, "part": 0.6,
        "jaw_drop": 0.35,
    },
    "happy": {"cheek": 0.9, "smile": 1.0, "part": 0.7},
    "sadness": {"inner_brow": 1.0, "brow_lower": 0.45, "corner_down": 0.9, "chin_raise": 0.6},
    "surprise": {"inner_brow": 1.0, "outer_brow": 1.0, "lid_raise": 0.9, "part": 0.7, "jaw_drop": 1.0},
}  # fmt: skip
_UNITS = (
    "inner_brow", "outer_brow", "brow_lower", "lid_raise", "cheek", "lid_tight", "nose_wrinkle", "corner_down",
    "chin_raise", "stretch", "lip_tight", "part", "jaw_drop", "smile", "smile_one", "dimple_one",
)  # fmt: skip


def plan(seed: int) -> list[tuple[int, int]]:
    """(subject, class) of the 327 sequences. Each subject has at least one, and none has an expression twice."""
    stream = Stream(seed, _PLAN)
    held = [0] * SUBJECTS
    pairs: list[tuple[int, int]] = []
    for label, images in enumerate(CKPLUS_981_COUNTS):
        # subjects with fewest sequences come first, with enough chance that their numbers differ as in CK+
        order = sorted(range(SUBJECTS), key=lambda s: held[s] + stream.uniform(0.0, 3.0))
        for subject in order[: images // FRAMES]:
            held[subject] += 1
            pairs.append((subject, label))
    return sorted(pairs)


def person(seed: int, subject: int) -> tuple[Identity, dict[str, float]]:
    """A face, and its tensions at rest, such as a lowered brow or a drooping mouth."""
    s = Stream(seed, _PERSON, subject)
    skin = s.uniform(0.42, 0.85)
    hair = s.uniform(0.05, 0.55) if s.chance(0.8) else s.uniform(0.6, 0.85)
    male = s.chance(0.4)
    face = Identity(
        skin=skin,
        hair=hair,
        hair_low=s.uniform(-0.85, -0.6),
        hair_side=s.uniform(0.02, 0.12) if male else s.uniform(0.05, 0.3),
        width=0.74 + s.bell(0.04),
        jaw=s.uniform(0.02, 0.4),
        eye_x=0.33 + s.bell(0.02),
        eye_y=-0.16 + s.bell(0.025),
        eye_w=0.15 + s.bell(0.012),
        eye_h=0.075 + s.bell(0.013),
        brow_y=-0.4 + s.bell(0.035),
        brow_thick=s.uniform(0.015, 0.05),
        brow_tilt=s.bell(0.1),
        brow_tone=0.4 * hair + 0.1 * skin,
        nose_len=0.2 + s.bell(0.035),
        nose_w=0.13 + s.bell(0.018),
        mouth_y=0.52 + s.bell(0.03),
        mouth_w=0.29 + s.bell(0.03),
        mouth_curve=s.bell(0.022),
        lip=s.uniform(0.025, 0.07),
        lip_tone=skin * s.uniform(0.45, 0.78),
        fold=s.uniform(0.02, 0.2),
        glasses=s.uniform(0.5, 0.9) if s.chance(0.14) else 0.0,
        beard=s.uniform(0.3, 0.9) if male and s.chance(0.35) else 0.0,
        moustache=s.uniform(0.4, 0.9) if male and s.chance(0.3) else 0.0,
    )
    resting = {unit: REST * s.uniform() if s.chance(0.3) else 0.0 for unit in _UNITS}
    return face, resting


def _expression(seed: int, subject: int, label: int, resting: dict[str, float]) -> tuple[dict[str, float], bool]:
    """The action units at the sequence's peak, and whether one-sided ones act on the left of the image."""
    s = Stream(seed, _SEQUENCE, subject, label)
    peak = s.uniform(WEAK, STRONG)
    prototype = PROTOTYPES[CLASSES[label]]
    units = {}
    for unit in _UNITS:
        own = prototype.get(unit, 0.0) * peak * (1.0 + HABIT * s.uniform(-1.0, 0.4))
        stray = STRAY * s.uniform() if s.chance(0.2) else 0.0
        units[unit] = own + (resting[unit] + stray) * (1.0 - min(own, 1.0))
    return units, s.chance(0.5)


def _muscles(units: dict[str, float], left: bool, level: float, s: Stream) -> Muscles:
    """The muscles in one frame: the peak's units times the frame's level, with a little tremor."""
    now = {name: max(0.0, value * level * (1.0 + s.bell(0.05))) for name, value in units.items()}
    both, smile, dimple = now.pop("smile"), now.pop("smile_one"), now.pop("dimple_one")
    one = (smile, 0.0) if left else (0.0, smile)
    return Muscles(
        **now,
        smile=(both + one[0], both + one[1]),
        dimple=(dimple, 0.0) if left else (0.0, dimple),
    )


def _view(seed: int, subject: int, label: int, frame: int) -> View:
    """The view of one frame: the sequence's pose and light, with changes between frames."""
    s, f = Stream(seed, _SEQUENCE, subject, label, 1), Stream(seed, _FRAME, subject, label, frame)
    cover: list[tuple[float, float, float, float, float]] = []
    if s.chance(COVER):
        x, y = s.uniform(-0.9, 0.9), s.uniform(-0.9, 0.9)
        rx, ry, tone = s.uniform(0.1, 0.4), s.uniform(0.1, 0.4), s.uniform(0.05, 0.9)
        cover.append((x + f.bell(0.08), y + f.bell(0.08), rx, ry, tone))
    return View(
        roll=s.bell(0.09 * POSE) + f.bell(0.03 * POSE),
        yaw=s.bell(0.09 * POSE) + f.bell(0.03 * POSE),
        pitch=s.bell(0.05 * POSE) + f.bell(0.02 * POSE),
        shift=(s.bell(0.045 * POSE) + f.bell(0.03 * POSE), s.bell(0.045 * POSE) + f.bell(0.03 * POSE)),
        zoom=1.0 + s.bell(0.05 * POSE) + f.bell(0.015 * POSE),
        light=(s.bell(0.25) + f.bell(0.04), s.bell(0.15) + f.bell(0.03)),
        shadow=s.uniform(0.1, 0.5) if s.chance(0.3) else 0.0,
        background=(s.uniform(0.1, 0.8), s.bell(0.1), s.bell(0.1)),
        gaze=(s.bell(0.02) + f.bell(0.015), s.bell(0.01) + f.bell(0.01)),
        gain=s.uniform(0.6, 1.15),
        offset=s.bell(0.06) + f.bell(0.015),
        blur=s.uniform(0.0, 1.0),
        noise=NOISE * s.uniform(0.01, 0.06),
        cover=tuple(cover),
    )


def open(spec: DataSpec) -> tuple[Dataset, DataFindings]:
    """The data set of seed 0, which has no faults; the entry point for :mod:`harness.data.registry`."""
    dataset = generate()
    counts = dict(zip(CLASSES, CKPLUS_981_COUNTS, strict=True))
    return dataset, DataFindings(
        path=str(spec),
        form="drawn faces",
        counts=counts,
        subjects=SUBJECTS,
        sequences=len(dataset.labels) // FRAMES,
        found=len(dataset.labels),
    )


def generate(seed: int = 0) -> Dataset:
    """Draw the data set: 981 images by subject, sequence and frame; the same bytes on every machine for a seed.

    Args:
        seed: seed of all random numbers.

    Returns:
        A data set named ``synthetic`` with ``CKPLUS_981_COUNTS`` images per class of 118 subjects.
    """
    return _generate(seed)


@functools.lru_cache(maxsize=2)
def _generate(seed: int) -> Dataset:
    images, labels, subjects, sequences = [], [], [], []
    number = [0] * SUBJECTS
    for subject, label in plan(seed):
        number[subject] += 1
        who, resting = person(seed, subject)
        units, left = _expression(seed, subject, label, resting)
        for frame, level in enumerate(ONSET):
            stream = Stream(seed, _FRAME, subject, label, frame, 1)
            does = _muscles(units, left, level, stream)
            view = _view(seed, subject, label, frame)
            images.append(draw(who, does, view, stream.words(SIDE * SIDE)))
            labels.append(label)
            subjects.append(f"S{subject + 5:03d}")
            sequences.append(f"S{subject + 5:03d}_{number[subject]:03d}")
    stack = np.stack(images)
    stack.setflags(write=False)
    truth = np.array(labels, dtype=np.int64)
    truth.setflags(write=False)
    return Dataset(
        name="synthetic",
        synthetic=True,
        images=stack,
        labels=truth,
        subjects=tuple(subjects),
        sequences=tuple(sequences),
    )
