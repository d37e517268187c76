"""A file that a user names as a model, looked at before any parser reads it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.core.errors import ModelFileError
from harness.core.safetext import clean

#: Neither flatbuffers nor protobuf can hold more in one file.
LIMIT = 2 << 30
_HEAD = 512
_LFS = b"version https://git-lfs.github.com/spec/"
#: First bytes of files that people mistake for models: what it is, and what to do.
_MISTAKEN = (
    (_LFS, "a Git LFS pointer, not the model itself", "git lfs pull"),
    (b"PK\x03\x04", "a ZIP archive, as PyTorch's .pt and Keras's .keras are", "export it as ONNX or TFLite"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras's .h5 is", "export it as ONNX or TFLite"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it with gunzip"),
    (b"\x80\x02", "a Python pickle, as PyTorch's .pt is", "export it as ONNX or TFLite"),
    (b"\x80\x04", "a Python pickle", "export it as ONNX or TFLite"),
    (b"\x93NUMPY", "a numpy array", "name the model's file"),
    (b"\x7fELF", "a program or library", "name the model's file"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")


@dataclass(frozen=True)
class Source:
    """A regular file of a possible size.

    Attributes:
        path: as the user named it.
        size: in bytes.
        head: its first 512 bytes.
    """

    path: Path
    size: int
    head: bytes

    @property
    def label(self) -> str:
        """The path for messages."""
        return clean(self.path)

    def error(self, text: str, *, fix: str | None = None) -> ModelFileError:
        """An error that names the file."""
        return ModelFileError(f"{self.label}: {text}", fix=fix)

    def read(self) -> bytes:
        """The whole content.

        Raises:
            ModelFileError: it can't be read, or changed since it was looked at.
        """
        try:
            with _opened(self.path) as file:
                data = file.read(self.size + 1)
        except OSError as error:
            raise self.error(f"can't be read: {error.strerror or error}") from error
        if len(data) != self.size:
            raise self.error("changes while it is read", fix="wait until whoever writes it is done")
        return data


def look(path: Path) -> Source:
    """Look at a file's kind, size and first bytes.

    Raises:
        ModelFileError: there is none, it is no regular file, it is empty or too large, or it is evidently something
            else than a model.
    """
    label = clean(path)
    try:
        with _opened(path) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                kind = "a folder" if stat.S_ISDIR(state.st_mode) else "no regular file"
                raise ModelFileError(f"{label}: is {kind}", fix="name a .tflite or .onnx file")
            head = file.read(_HEAD)
    except FileNotFoundError as error:
        raise ModelFileError(f"{label}: not there", fix="name a .tflite or .onnx file") from error
    except IsADirectoryError as error:
        raise ModelFileError(f"{label}: is a folder", fix="name a .tflite or .onnx file") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name can't be one"
        raise ModelFileError(f"{label}: can't be read: {why}") from error
    source = Source(path, state.st_size, head)
    if not source.size:
        raise source.error("is empty", fix="download or export it again")
    _refuse_other_kinds(source)
    if source.size > LIMIT:
        text = f"has {source.size / 1e9:.1f} GB, and one file of TFLite or ONNX can't hold more than {LIMIT >> 30} GiB"
        raise source.error(text, fix="is it the right file?")
    return source


def _opened(path: Path) -> BinaryIO:
    # without O_NONBLOCK, the open of a named pipe would wait forever
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _refuse_other_kinds(source: Source) -> None:
    for begin, what, fix in _MISTAKEN:
        if source.head.startswith(begin):
            raise source.error(f"is {what}", fix=fix)
    if source.head[4:8] == b"ORTM":
        raise source.error("is in ONNX Runtime's own format (.ort)", fix="name the .onnx file that it was made from")
    words = source.head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if words.startswith(_MARKUP):
        fix = "download it again; does the address need a login, or end in ?download=true or /raw/?"
        raise source.error("is a web page (HTML), not a model", fix=fix)
    if words.startswith((b"{", b"[")):
        raise source.error("is text (JSON), not a model", fix="name the model's file")
    if not source.head.strip(b"\0"):
        raise source.error("begins with zeros: no model, or an unfinished download", fix="download or export it again")
