"""The user's own inputs: a .npz file with one array for each input, whose first axis is that of the samples.

The file may come from anywhere: its size is limited before anything is read, and nothing in it is unpickled.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.records.cell import MAX_SAMPLES, SplitInfo
from harness.records.tensor import TensorSpec
from harness.run.inputs.arrays import LIMIT, Array, Samples

#: Beside its values, an array has a header, and the file a directory.
_FILE_LIMIT = LIMIT + (1 << 20)
_HEADER_LIMIT = 10_000
_MEMBERS = 4096


def given(path: Path, tensors: Sequence[TensorSpec]) -> Samples:
    """The samples in a file, checked against a network's inputs.

    An array has the shape (n, *the input's shape). Where the input's first size is 1, it may be left out.

    Raises:
        UsageError: the file is missing, is no .npz, is too large, or does not fit the inputs; the message says why.
    """
    stored = read(path)
    names = [tensor.name for tensor in tensors]
    if missing := [name for name in names if name not in stored]:
        raise _wrong(path, f"has no array '{clean(missing[0], 100)}'", f"it needs {_listed(names)}")
    if surplus := [name for name in stored if name not in names]:
        raise _wrong(path, f"has an array '{clean(surplus[0], 100)}', which is no input", f"inputs: {_listed(names)}")
    arrays = tuple(_fitting(path, tensor, stored[tensor.name]) for tensor in tensors)
    counts = {tensor.name: len(array) for tensor, array in zip(tensors, arrays, strict=True)}
    if len(set(counts.values())) != 1:
        text = ", ".join(f"'{clean(name, 60)}' {count}" for name, count in counts.items())
        raise _wrong(
            path, f"has arrays of different numbers of samples: {text}", "the first axis is that of the samples"
        )
    if not 1 <= len(arrays[0]) <= MAX_SAMPLES:
        raise _wrong(path, f"has {len(arrays[0])} samples", f"from 1 to {MAX_SAMPLES} are possible")
    info = SplitInfo(
        dataset=clean(path.name, 200), synthetic=False, scheme="given", seed=0, n=len(arrays[0]), sha256="", classes=(),
        labels=(),
    )  # fmt: skip
    return Samples(tuple(tensors), arrays, info)


def _wrong(path: Path, text: str, fix: str) -> UsageError:
    return UsageError(f"--inputs {path}: {text}", fix=fix)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{clean(name, 100)}'" for name in names)


def read(path: Path) -> Mapping[str, Array]:
    """The arrays of a .npz file by name.

    Raises:
        UsageError: see :func:`given`.
    """
    fix = "make it with numpy.savez(FILE, **{'input name': array})"
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise _wrong(path, "is no plain file", fix)
        if size > _FILE_LIMIT:
            raise _wrong(path, f"has {size >> 20} MiB", f"at most {LIMIT >> 20} MiB of values; give fewer samples")
        with zipfile.ZipFile(path) as archive:
            return _members(path, archive)
    except FileNotFoundError as error:
        raise _wrong(path, "not there", fix) from error
    except OSError as error:
        raise _wrong(path, f"can't be read: {error.strerror or error}", fix) from error
    except zipfile.BadZipFile as error:
        raise _wrong(path, "is no .npz file, or damaged", fix) from error
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _wrong(path, f"can't be read: {clean(error, 200)}", fix) from error


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, Array]:
    listed = archive.infolist()
    total = sum(member.file_size for member in listed)
    if total > _FILE_LIMIT or len(listed) > _MEMBERS:
        raise _wrong(path, f"holds {total >> 20} MiB in {len(listed)} arrays", f"at most {LIMIT >> 20} MiB of values")
    arrays: dict[str, Array] = {}
    for member in listed:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise _wrong(path, f"has two arrays '{clean(name, 100)}'", "give each input once")
        with archive.open(member) as opened:
            content = opened.read(_FILE_LIMIT + 1)
        arrays[name] = _array(path, name, content)
    return arrays


def _array(path: Path, name: str, content: bytes) -> Array:
    """An array of a .npy file's bytes, of this machine's byte order."""
    buffer, shown = io.BytesIO(content), clean(name, 100)
    try:
        version = np.lib.format.read_magic(buffer)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = reader(buffer, max_header_size=_HEADER_LIMIT)
    except (ValueError, TypeError, SyntaxError, KeyError, MemoryError, RecursionError) as error:
        raise _wrong(path, f"'{shown}' is no array", "numpy.savez makes such files") from error
    if dtype.hasobject:
        raise _wrong(path, f"'{shown}' holds Python objects, which are never unpickled", "give it numbers")
    count = int(np.prod([int(length) for length in shape], dtype=object)) if shape else 1
    rest = content[buffer.tell() :]
    if dtype.kind not in "biuf" or count * dtype.itemsize != len(rest):
        text = f"is {dtype}, which is no number" if dtype.kind not in "biuf" else "is cut short or too long"
        raise _wrong(path, f"'{shown}' {text}", "give it numbers, whole")
    flat = np.frombuffer(rest, dtype)
    return flat.reshape(shape, order="F" if by_columns else "C").astype(dtype.newbyteorder("="), copy=False)


def _fitting(path: Path, tensor: TensorSpec, array: Array) -> Array:
    """The array as the input takes it."""
    name, wanted = clean(tensor.name, 100), np.dtype(tensor.dtype)
    if array.dtype != wanted:
        raise _wrong(path, f"'{name}' is {array.dtype}", f"the network takes {wanted}: array.astype('{wanted}')")
    if array.ndim and array.shape[1:] == tensor.shape:
        fitting = array
    elif array.ndim and tensor.shape[:1] == (1,) and array.shape[1:] == tensor.shape[1:]:
        fitting = array[:, np.newaxis]
    else:
        shape = ", ".join(map(str, ("samples", *tensor.shape)))
        raise _wrong(path, f"'{name}' has shape {list(array.shape)}", f"the network takes ({shape})")
    finite = np.isfinite(fitting).all(axis=tuple(range(1, fitting.ndim)))
    if not finite.all():
        raise _wrong(path, f"'{name}' holds NaN or infinity in sample {int(finite.argmin())}", "replace it by numbers")
    return np.ascontiguousarray(fitting)
