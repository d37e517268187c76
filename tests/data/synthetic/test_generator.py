"""The drawn faces: counts, identity of bytes, what a class changes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.data.dataset import CKPLUS_981_COUNTS
from harness.data.stream import Stream
from harness.data.synthetic.faces import Muscles, View, draw
from harness.data.synthetic.generator import generate, person


def test_bytes_are_pinned() -> None:
    # a change here makes every shipped model's recorded accuracy meaningless
    assert generate().sha256 == "393ac3274ca3175ceed79634dc0ad5f0d4166f2bb2464284da9c574161076877"


def test_counts_are_ck_plus_s() -> None:
    data = generate()
    assert data.synthetic
    assert data.images.shape == (981, 48, 48)
    assert data.images.dtype == np.uint8
    assert tuple(np.bincount(data.labels)) == CKPLUS_981_COUNTS
    assert data.subjects is not None
    assert data.sequences is not None
    assert len(set(data.subjects)) == 118
    assert set(Counter(data.sequences).values()) == {3}
    assert len(set(data.sequences)) == 327


def test_a_sequence_is_one_person_and_one_expression() -> None:
    data = generate()
    assert data.sequences is not None
    assert data.subjects is not None
    found: dict[str, set[tuple[str, int]]] = {}
    for sequence, subject, label in zip(data.sequences, data.subjects, data.labels, strict=True):
        found.setdefault(sequence, set()).add((subject, int(label)))
    assert all(len(pairs) == 1 for pairs in found.values())
    pairs = [next(iter(p)) for p in found.values()]
    assert len(set(pairs)) == len(pairs)


def test_another_seed_draws_other_faces() -> None:
    assert not np.array_equal(generate(0).images[0], generate(1).images[0])


def test_frames_of_a_sequence_look_alike() -> None:
    images = generate().images.astype(float)
    within = np.abs(images[0::3] - images[1::3]).mean()
    across = np.abs(images[0::3][:-1] - images[0::3][1:]).mean()
    assert within < across / 2


def test_a_smile_moves_the_mouth_only() -> None:
    who, _ = person(0, 3)
    bits = Stream(1).words(48 * 48)
    calm = draw(who, Muscles(), View(noise=0.0), bits).astype(int)
    smile = draw(who, Muscles(smile=(1.0, 1.0)), View(noise=0.0), bits).astype(int)
    changed = np.abs(calm - smile).max(axis=1)
    assert changed[28:44].max() > 30
    assert changed[:20].max() == 0


def test_stream_draws_evenly() -> None:
    numbers = [Stream(5, k).uniform() for k in range(400)]
    assert 0.45 < sum(numbers) / len(numbers) < 0.55
    assert sorted(Stream(1).shuffled(range(50))) == list(range(50))
    assert {Stream(9, k).below(3) for k in range(50)} == {0, 1, 2}
