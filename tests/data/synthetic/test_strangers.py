"""Strangers are nobody that a network was trained on: neither their images nor their faces."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import UsageError
from harness.data.dataset import Dataset
from harness.data.registry import load
from harness.data.spec import SYNTHETIC
from harness.data.synthetic import generator
from harness.data.synthetic.strangers import SEEDS, TRAINED, strangers
from harness.records import manifest as manifests

MODELS = Path(__file__).parents[3] / "models"


def hashes(dataset: Dataset) -> list[str]:
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in dataset.images]


def test_there_are_as_many_as_promised() -> None:
    found = strangers()
    assert (found.images.shape, len(set(found.subjects or ()))) == ((2943, 48, 48), 354)
    assert len(set(found.sequences or ())) == 981
    assert found.synthetic
    assert found.name == "strangers"


def test_no_image_of_a_stranger_is_among_those_that_networks_are_trained_on() -> None:
    trained = set(hashes(load(SYNTHETIC)))
    assert not trained & set(hashes(strangers()))
    assert not trained & set(hashes(strangers((201, 202))))


def test_no_stranger_has_the_face_of_anybody_else() -> None:
    faces = [generator.person(seed, subject) for seed in (TRAINED, *SEEDS) for subject in range(generator.SUBJECTS)]
    shapes = [repr(face) for face, _ in faces]
    assert len(set(shapes)) == len(shapes) == 4 * 118
    # not even nearly: the closest of all pairs differ more than rounding does
    numbers = np.array([list(vars(face).values()) if hasattr(face, "__dict__") else list(face) for face, _ in faces])
    known, others = numbers[:118], numbers[118:]
    nearest = np.abs(others[:, None] - known[None]).max(axis=2).min(axis=1)
    assert nearest.min() > 0.01


def test_every_shipped_network_was_trained_on_the_one_seed_that_strangers_leave_out() -> None:
    """The manifests name the data by hash, so no network can have been trained on strangers."""
    trained = load(SYNTHETIC).sha256
    shipped = [manifests.load(MODELS, name) for name in manifests.names(MODELS)]
    assert shipped
    assert {each.split.dataset_sha256 for each in shipped if each.split and each.split.dataset == "synthetic"} == {
        trained
    }


def test_seeds_are_kept_apart_and_in_order() -> None:
    both, second = strangers((102, 101)), strangers((101,))
    assert both.subjects is not None
    assert both.subjects[0].startswith("102-")
    assert np.array_equal(both.images[981:], second.images)
    assert both.subjects[981:] == second.subjects
    assert strangers((101, 102)).sha256 != both.sha256


@pytest.mark.parametrize(
    ("seeds", "words"), [((), "0 seeds"), ((TRAINED,), "no strangers"), ((101, 0), "no strangers"),
                         ((101, 101), "twice"), ((-1,), "whole number"), ((1 << 32,), "whole number"),
                         (tuple(range(1, 102)), "from 1 to 100")]
)  # fmt: skip
def test_seeds_that_would_mislead_are_refused(seeds: tuple[int, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        strangers(seeds)
