"""The user's own inputs: what fits, and what is wrong with what doesn't."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as with_any
from hypothesis import settings
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.records.tensor import TensorSpec
from harness.run.inputs import given as module
from harness.run.inputs.given import given

IMAGE = TensorSpec(name="image", shape=(1, 3, 2), dtype="float32")
LENGTH = TensorSpec(name="length", shape=(), dtype="int64")


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return path


def good(n: int = 4) -> dict[str, Any]:
    return {"image": np.full((n, 1, 3, 2), 0.5, np.float32), "length": np.arange(n)}


def test_arrays_become_samples_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    samples = given(npz(tmp_path, **good()), [LENGTH, IMAGE])
    assert [array.shape for array in samples.arrays] == [(4,), (4, 1, 3, 2)]
    assert (samples.info.n, samples.info.scheme, samples.info.dataset) == (4, "given", "own.npz")


def test_a_first_size_of_one_may_be_left_out(tmp_path: Path) -> None:
    with_it = given(npz(tmp_path, **good()), [IMAGE, LENGTH])
    without = given(npz(tmp_path, **(good() | {"image": good()["image"][:, 0]})), [IMAGE, LENGTH])
    assert with_it.sha256 == without.sha256


@pytest.mark.parametrize("order", ["F", ">"])
def test_another_layout_in_memory_is_the_same_array(order: str, tmp_path: Path) -> None:
    image = np.arange(24, dtype=np.float32).reshape(4, 1, 3, 2)
    other = np.asfortranarray(image) if order == "F" else image.astype(">f4")
    one = given(npz(tmp_path, **(good() | {"image": image})), [IMAGE, LENGTH])
    assert given(npz(tmp_path, **(good() | {"image": other})), [IMAGE, LENGTH]).sha256 == one.sha256


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"length": None}, "has no array 'length'"),
        ({"more": np.zeros(4)}, "has an array 'more', which is no input"),
        ({"image": np.zeros((4, 1, 3, 3), np.float32)}, r"'image' has shape \[4, 1, 3, 3\] .*\(samples, 1, 3, 2\)"),
        ({"image": np.zeros((4, 1, 3, 2))}, r"'image' is float64 .*array.astype\('float32'\)"),
        ({"image": np.zeros((3, 1, 3, 2), np.float32)}, "different numbers of samples: 'image' 3, 'length' 4"),
        ({"image": np.zeros((0, 1, 3, 2), np.float32), "length": np.arange(0)}, "has 0 samples"),
        ({"length": np.array(3)}, r"'length' has shape \[\]"),
        ({"image": np.array([[["a"]]])}, "which is no number"),
        ({"image": np.zeros((4, 1, 3, 2), np.complex64)}, "which is no number"),
        ({"image": np.array([{}], dtype=object)}, "Python objects, which are never unpickled"),
    ],
)
def test_what_does_not_fit_is_said(change: dict[str, Any], why: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in (good() | change).items() if array is not None}
    with pytest.raises(UsageError, match=why):
        given(npz(tmp_path, **arrays), [IMAGE, LENGTH])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_named_with_its_sample(value: float, tmp_path: Path) -> None:
    arrays = good()
    arrays["image"][2, 0, 1, 1] = value
    with pytest.raises(UsageError, match="'image' holds NaN or infinity in sample 2"):
        given(npz(tmp_path, **arrays), [IMAGE, LENGTH])


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "no .npz"), (b"hello", "no .npz"), (b"PK\x03\x04", "no .npz"), (b"\x93NUMPY\x01\x00", "no .npz")],
)
def test_what_is_no_npz_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        given(path, [IMAGE])


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.npz", "not there"), (tmp_path, "no plain file")):
        with pytest.raises(UsageError, match=why):
            given(path, [IMAGE])


def member(path: Path, content: bytes, name: str = "image.npy", kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr(name, content)
    return path


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path: Path) -> None:
    path = member(tmp_path / "own.npz", header((10**12, 10**12)))
    with pytest.raises(UsageError, match="cut short or too long"):
        given(path, [IMAGE])


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FILE_LIMIT", 1 << 16)
    path = member(tmp_path / "own.npz", header((1 << 20,), "|u1") + bytes(1 << 20))
    assert path.stat().st_size < 1 << 16
    with pytest.raises(UsageError, match="holds 1 MiB in 1 arrays"):
        given(path, [IMAGE])


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(UsageError, match="has 3072 MiB"):
        given(path, [IMAGE])


@settings(max_examples=200, deadline=None)
@with_any(st.data())
def test_any_damage_is_a_clear_error_or_the_same_arrays(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **good())
    content = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    path = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / "harness-fuzz.npz"
    path.write_bytes(content)
    try:
        samples = given(path, [IMAGE, LENGTH])
    except UsageError as error:
        assert str(path) in str(error)
    else:
        assert samples.n >= 1
    finally:
        path.unlink()
