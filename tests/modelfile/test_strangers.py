"""Real files that nobody here made, out of published wheels; left out where these can't be downloaded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from harness.core.errors import ModelFileError
from harness.modelfile import read

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Stranger:
    """A file of a wheel, what it is read with, and what is known of it."""

    wheel: str
    file: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    dtypes: tuple[str, ...]
    variant: str
    macs: int | None


STRANGERS = (
    Stranger(
        "silero-vad==6.2.3",
        "silero_vad.onnx",
        (("input", (1, 512)), ("state", (2, 1, 128))),
        ("float32", "float32", "int64"),
        "fp32",
        None,  # which branch of its If runs depends on an input
    ),
    Stranger(
        "rapidocr-onnxruntime==1.4.4",
        "ch_ppocr_mobile_v2.0_cls_infer.onnx",
        (("x", (1, 3, 48, 192)),),
        ("float32",),
        "fp32",
        16_315_376,
    ),
    Stranger("mediapipe==0.10.14", "face_detection_short_range.tflite", (), ("float32",), "fp16", 30_760_960),
    Stranger("mediapipe==0.10.14", "face_landmark_with_attention.tflite", (), ("float32",), "fp16", None),
    Stranger("mediapipe==0.10.14", "selfie_segmentation.tflite", (), ("float32",), "fp16", 59_215_744),
)


@cache
def unpacked(wheel: str) -> Path | None:
    folder = Path(mkdtemp(prefix="strangers-"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
    ]
    command += ["3.11", "--platform", "manylinux2014_x86_64", "--dest", str(folder), wheel]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        return None
    with zipfile.ZipFile(wheels[0]) as archive:
        for name in archive.namelist():
            if name.endswith((".onnx", ".tflite")):
                (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda one: one.file)
def test_a_real_file_from_elsewhere(stranger: Stranger) -> None:
    folder = unpacked(stranger.wheel)
    if folder is None:
        pytest.skip(f"{stranger.wheel} can't be downloaded")
    path = folder / stranger.file
    if stranger.shapes:
        with pytest.raises(ModelFileError, match="--shape"):
            read(path)
    file = read(path, dict(stranger.shapes))
    assert tuple(one.dtype for one in file.inputs) == stranger.dtypes
    assert (file.variant, file.macs) == (stranger.variant, stranger.macs)
    assert (file.macs is None) == bool(file.macs_missing)
    assert file.parameters
