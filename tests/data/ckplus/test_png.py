"""Whatever bytes a ``.png`` holds, it is an image or a named fault: Pillow's many exceptions never get out."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.ckplus.png import read_grey
from harness.data.findings import FaultLog
from harness.data.walk import RegularFile
from tests.support import ckplus_writer as made

WHOLE = [made.png(made.picture(5), mode) for mode in (None, "P", "RGB", "RGBA", "LA", "1")]


def read(folder: Path, data: bytes) -> tuple[object, list[str], int]:
    """The image, the codes of the errors, and how many images were counted as left out."""
    path = folder / "x.png"
    path.write_bytes(data)
    log = FaultLog()
    image = read_grey(RegularFile(path, "x.png", len(data)), log)
    return image, [fault.code for fault in log.all if fault.severity == "error"], sum(log.left_out.values())


def with_right_checksums(data: bytes) -> bytes:
    """The same chunks with their checksums made right, so that damage gets as far as the decoder."""
    fixed, position = data[:8], 8
    while position + 12 <= len(data):
        length = min(struct.unpack_from(">I", data, position)[0], len(data) - position - 12)
        body = data[position + 4 : position + 8 + length]
        fixed += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        position += 12 + length
    return fixed


@pytest.mark.parametrize("index", range(len(WHOLE)))
def test_every_usual_mode_is_read_as_grey(tmp_path: Path, index: int) -> None:
    image, errors, lost = read(tmp_path, WHOLE[index])
    assert isinstance(image, np.ndarray)
    assert (image.shape, image.dtype, errors, lost) == ((48, 48), np.uint8, [], 0)


@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_named_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(whole)
    for position, value in changes:
        data[position % len(data)] = value
    for version in (bytes(data), with_right_checksums(bytes(data))):
        image, errors, lost = read(tmp_path_factory.getbasetemp(), version)
        assert (image is None) == (len(errors) == 1) == (lost == 1)


@given(st.sampled_from(WHOLE), st.integers(0, 10_000))
def test_every_cut_is_truncated(tmp_path_factory: pytest.TempPathFactory, whole: bytes, length: int) -> None:
    assert read(tmp_path_factory.getbasetemp(), whole[: length % len(whole)])[1] == ["truncated-image"]
