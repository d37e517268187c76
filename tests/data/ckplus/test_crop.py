"""Face crops: the documented square, OpenCV's detector where it is installed, and what the name says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import DataError, MissingExtraError
from harness.data.ckplus.copy import load_with_findings
from harness.data.ckplus.facecrop import Box, centre_box, cut, make_cropper
from tests.support import ckplus_writer as made


class FakeClassifier:
    """Stands in for cv2.CascadeClassifier: faces as told, for frames of which the corner is not black."""

    def __init__(self, faces: list[tuple[int, int, int, int]], *, empty: bool = False) -> None:
        self.faces, self.is_empty = faces, empty

    def empty(self) -> bool:
        return self.is_empty

    def detectMultiScale(self, frame: Any, **options: Any) -> Any:
        if frame[0, 0] == 255:
            raise RuntimeError("broken")
        return self.faces


def fake_cv2(monkeypatch: pytest.MonkeyPatch, classifier: FakeClassifier) -> None:
    module = SimpleNamespace(
        CascadeClassifier=lambda path: classifier,
        data=SimpleNamespace(haarcascades="x/"),
        error=RuntimeError,
        __version__="4.9.9",
    )
    monkeypatch.setitem(sys.modules, "cv2", module)


def test_centre_crop_is_the_documented_square() -> None:
    frame = np.zeros((490, 640), dtype=np.uint8)
    assert centre_box(frame) == Box(161, 86, 318)
    frame[86:404, 161:479] = 200
    assert (cut(frame, centre_box(frame)) == 200).all()


def test_cut_averages_areas() -> None:
    frame = np.zeros((96, 96), dtype=np.uint8)
    frame[::2] = 100
    assert (cut(frame, Box(0, 0, 96)) == 50).all()


def test_auto_without_opencv_takes_the_centre_and_opencv_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert make_cropper("auto").name == "centre"
    with pytest.raises(MissingExtraError, match="opencv-python-headless"):
        make_cropper("opencv")


@pytest.mark.parametrize("module", [SimpleNamespace(__version__="5.0.0"), None])
def test_an_opencv_without_its_detector_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    if module is None:
        fake_cv2(monkeypatch, FakeClassifier([], empty=True))
    else:
        monkeypatch.setitem(sys.modules, "cv2", module)
    assert make_cropper("auto").name == "centre"


def test_opencv_takes_the_largest_face_and_keeps_it_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_cv2(monkeypatch, FakeClassifier([(1, 1, 10, 10), (30, 20, 50, 50)]))
    cropper = make_cropper("auto")
    assert cropper.name == "opencv 4.9.9"
    assert cropper.detect is not None
    assert cropper.detect(np.zeros((60, 64), dtype=np.uint8)) == Box(14, 10, 50)
    made.write_tree(tmp_path)
    dataset, findings = load_with_findings(tmp_path)
    assert dataset.name == "ckplus-tree-last3-opencv-4.9.9"
    assert findings.crop == "opencv 4.9.9"
    assert len(dataset.images) == 21


def test_a_sequence_without_a_face_is_cut_in_the_middle_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_cv2(monkeypatch, FakeClassifier([]))
    made.write_tree(tmp_path)
    dataset, findings = load_with_findings(tmp_path, crop="opencv")
    places = [fault.path for fault in findings.faults if fault.code == "no-face"]
    assert places == [f"cohn-kanade-images/S{n:03d}/001/S{n:03d}_001_00000004.png" for n in range(1, 8)]
    centre, _ = load_with_findings(tmp_path, crop="centre")
    assert np.array_equal(dataset.images, centre.images)
    assert dataset.sha256 != centre.sha256  # the crop is part of the name


def test_a_failing_detector_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cv2(monkeypatch, FakeClassifier([]))
    with pytest.raises(DataError, match="detector failed: broken"):
        make_cropper("opencv").crop([np.full((60, 60), 255, dtype=np.uint8)])


def test_the_real_detector_loads_where_it_is_installed() -> None:
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip("this OpenCV has no face detector")
    cropper = make_cropper("opencv")
    assert cropper.name == f"opencv {cv2.__version__}"
    images, found = cropper.crop([np.zeros((490, 640), dtype=np.uint8)])
    assert images[0].shape == (48, 48)
    assert not found
