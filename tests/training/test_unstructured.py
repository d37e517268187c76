"""Zeroing single weights in a TFLite file: the smallest go, everything else in the file stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytestmark = [pytest.mark.train, pytest.mark.slow]

from harness.core.errors import ArtifactError  # noqa: E402
from harness.data import registry  # noqa: E402
from harness.data.spec import SYNTHETIC  # noqa: E402
from harness.data.splits import split  # noqa: E402
from harness.records import manifest  # noqa: E402
from harness.training.compress.magnitude import weights, zeroed  # noqa: E402
from harness.training.export import zeroed as rows  # noqa: E402
from tests.conftest import MODELS  # noqa: E402


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_smallest_weights_are_zeroed_and_nothing_else(variant: str) -> None:
    content = (MODELS / "resvgg19-pruned" / f"{variant}.tflite").read_bytes()
    changed, zeros = zeroed(content, 0.7)
    assert zeros == pytest.approx(0.7, abs=0.01)
    before, after = weights(bytearray(content)), weights(bytearray(changed))
    assert len(before) == 20  # 19 convolutions and a dense layer
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


def test_zeroing_needs_no_tensorflow() -> None:
    code = (
        "import sys; from harness.training.compress.magnitude import zeroed;"
        "zeroed(open(sys.argv[1], 'rb').read(), 0.5);"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    file = MODELS / "resvgg19-pruned" / "int8.tflite"
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == 0


def test_rows_go_into_a_manifest_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, data, lines = "resvgg19-pruned", registry.load(SYNTHETIC), []
    shutil.copytree(MODELS / name, tmp_path / name)
    before = manifest.load(tmp_path, name)
    monkeypatch.setattr(rows, "SHARES", (0.5, 0.9))
    after = rows.record(tmp_path, name, data, split(data), lines.append)
    assert manifest.load(tmp_path, name) == after == before.model_copy(update={"zeroed": after.zeroed})
    half, most = after.zeroed
    assert (half.share, most.share, half.filename) == (0.5, 0.9, "int8.tflite")
    assert half.bytes == most.bytes == (tmp_path / name / "int8.tflite").stat().st_size
    assert most.gzip_bytes < half.gzip_bytes < half.bytes
    assert most.accuracy < half.accuracy
    assert all(0.5 < row.latency_ratio < 2 for row in after.zeroed), "zeros are multiplied like other numbers"
    assert len(lines) == 2
    with pytest.raises(ArtifactError, match="another split"):
        rows.record(tmp_path, name, data, split(data, seed=1), print)
    (tmp_path / name / "int8.tflite").write_bytes(b"no")
    with pytest.raises(ArtifactError, match="not the file its manifest names"):
        rows.record(tmp_path, name, data, split(data), print)
