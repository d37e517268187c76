"""Files that are no models, or can't be read: a clear error each, before any parser sees them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import ModelFileError
from harness.modelfile import names_a_file, read
from tests.support.modelfiles import Onnx, Tflite

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
ONLY_A_NAME = "download or export it again"


def refused(path: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (LFS, "git lfs pull"),
        (b"<!DOCTYPE html><html>login</html>", "web page"),
        (b"\n  <html>", "web page"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
        (b"\x80\x02}q", "pickle"),
        (b'{"error": "not found"}', "JSON"),
        (b"\0" * 4096, "zeros"),
        (b"\x20\x00\x00\x00ORTMrest", "ONNX Runtime's own format"),
        (b"Not Found", "is damaged or cut off"),
        (os.urandom(5000), ""),
    ],
)
@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
def test_a_file_that_is_no_model(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = str(refused(path))
    if name == "m.onnx" or "damaged" not in words:
        assert words in said


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "not there" in str(refused(tmp_path / "missing.onnx"))
    assert "folder" in str(refused(tmp_path))
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "no regular file" in str(refused(tmp_path / "pipe.onnx"))
    link = tmp_path / "loop.onnx"
    link.symlink_to(link)
    assert "can't be read" in str(refused(link))


@pytest.mark.parametrize("head", [b"\x08\x07", b"\x1c\x00\x00\x00TFL3"])
def test_3_gigabytes_are_refused_without_reading_them(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(3_000_000_000)  # sparse: nothing on the disk
    assert "3.0 GB" in str(refused(path))


def test_the_content_decides_and_the_ending_is_noted(tmp_path: Path) -> None:
    file = read(Onnx().write(tmp_path / "named.tflite"))
    assert (file.format, len(file.notes)) == ("onnx", 1)
    assert "content is ONNX" in file.notes[0]
    assert read(Tflite().write(tmp_path / "named.bin")).format == "tflite"
    assert read(Tflite().write(tmp_path / "UPPER.TFLITE")).notes == ()


def test_a_hostile_name_is_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n.onnx"
    path.write_bytes(b"x")
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(ModelFileError):
        read(Path("nul\0.onnx"))


def test_words_that_are_files() -> None:
    assert names_a_file("./mine")
    assert names_a_file("x.ONNX")
    assert names_a_file("x.tflite")
    assert not names_a_file("resvgg19")
