"""Zeroing single weights in a TFLite file: the smallest go, everything else in the file stays."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.train, pytest.mark.slow]

from benchmarks.unstructured import weights, zeroed  # noqa: E402
from tests.conftest import MODELS  # noqa: E402


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_smallest_weights_are_zeroed_and_nothing_else(variant: str) -> None:
    content = (MODELS / "resvgg19-pruned" / f"{variant}.tflite").read_bytes()
    changed, zeros = zeroed(content, 0.7)
    assert zeros == pytest.approx(0.7, abs=0.01)
    before, after = weights(bytearray(content)), weights(bytearray(changed))
    assert len(before) == 21  # 20 convolutions and a dense layer
    gone = np.concatenate([(a == 0).ravel() & (b != 0).ravel() for (b, _), (a, _) in zip(before, after, strict=True)])
    size = np.concatenate([s.ravel() for _, s in before])
    kept = np.concatenate([(a == b).ravel() & (b != 0).ravel() for (b, _), (a, _) in zip(before, after, strict=True)])
    assert size[gone].max() <= size[kept].min()
    # bytes that differ are all weights: as many as the zeroed weights can have touched
    differing = sum(a != b for a, b in zip(content, changed, strict=True))
    assert 0 < differing <= gone.sum() * before[0][0].itemsize


def test_nothing_asked_nothing_changed() -> None:
    content = (MODELS / "resvgg19-pruned" / "int8.tflite").read_bytes()
    assert zeroed(content, 0.0)[0] == content
