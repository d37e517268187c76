"""``form: npz``: samples and labels as arrays of one ``.npz`` file.

Arrays are ``images`` and ``labels`` (or as the keys name them), perhaps ``group`` and ``split``; or, as Keras's data
sets have them, ``x_train``, ``y_train``, ``x_test``, ``y_test``, perhaps ``x_val``, ``y_val``.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Annotated, Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

from harness.core.errors import DataError
from harness.core.named import nearest
from harness.core.scalars import shown, text
from harness.core.yamlkeys import optional
from harness.data.findings import FaultLog
from harness.tasks.forms.places import located
from harness.tasks.forms.registry import FormKeys
from harness.tasks.sample import Part, Sample, part_of, part_words

#: All arrays that are read, once unpacked.
MAX_BYTES = 4 << 30
MAX_SAMPLES = 1_000_000
_PAIRS: tuple[tuple[Part, str, str], ...] = (
    ("train", "x_train", "y_train"), ("validation", "x_val", "y_val"), ("test", "x_test", "y_test"),
)  # fmt: skip


class Keys(FormKeys):
    """The file, and the names of its arrays where they differ."""

    path: Annotated[str, BeforeValidator(text)]
    images: Annotated[str | None, optional(text)] = None
    labels: Annotated[str | None, optional(text)] = None
    group: Annotated[str | None, optional(text)] = None
    split: Annotated[str | None, optional(text)] = None


def read(keys: FormKeys, folder: Path, _faults: FaultLog) -> list[Sample]:
    """One sample for each entry along the first axis."""
    wanted = cast("Keys", keys)
    path = located(folder, wanted.path, kind="file")
    archive = _Archive(path)
    if wanted.images is None and wanted.labels is None and {"x_train", "y_train"} <= set(archive.names):
        samples = []
        for part, x, y in _PAIRS:
            if x in archive.names:
                samples += _samples(archive, x, archive.texts(y), parts=[part])
        return samples
    labels = archive.texts(wanted.labels or "labels")
    parts = [_part(word, path) for word in archive.texts(wanted.split)] if wanted.split else [None]
    groups = archive.texts(wanted.group) if wanted.group else [None]
    return _samples(archive, wanted.images or "images", labels, parts=parts, groups=groups)


def _samples(
    archive: _Archive,
    name: str,
    labels: Sequence[str],
    *,
    parts: Sequence[Part | None],
    groups: Sequence[str | None] = (None,),
) -> list[Sample]:
    """Samples of one array; a single part or group is that of all."""
    values, n = archive.array(name), len(labels)
    for what, count in (("labels", n), ("parts", len(parts)), ("groups", len(groups))):
        if count != len(values) and not (what != "labels" and count == 1):
            raise DataError(f"{archive.path}: {len(values)} entries in '{name}', but {count} {what}")
    if values.dtype.kind not in "fiub" or values.ndim < 2:
        raise DataError(f"{archive.path}: '{name}' is {values.dtype}{values.shape}, no numbers for each sample")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"{archive.path}: '{name}' holds NaN or infinity", fix="remove or replace these samples")
    return [
        Sample(
            f"{archive.path.name}[{name}]",
            labels[k],
            values[k],
            line=k,
            group=groups[k] if len(groups) == n else groups[0],
            part=parts[k] if len(parts) == n else parts[0],
        )
        for k in range(n)
    ]


def _part(word: str, path: Path) -> Part:
    part = part_of(word)
    if part is None:
        raise DataError(f"{path}: '{shown(word)}' is no part of a split", fix=f"one of: {part_words()}")
    return part


class _Archive:
    """The arrays of a .npz file, each read within bounds and never unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = MAX_BYTES
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.namelist()
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(f"{path}: is no .npz file: {error}", fix="numpy.savez makes one") from error
        self.names = [name.removesuffix(".npy") for name in entries if name.endswith(".npy")]

    def array(self, name: str) -> npt.NDArray[Any]:
        """The array of that name.

        Raises:
            DataError: it isn't there, is damaged, too large, or holds objects.
        """
        if name not in self.names:
            raise DataError(f"{self.path}: no array '{name}'{nearest(name, self.names) if self.names else ''}")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
                return self._read(name, file)
        except DataError:
            raise
        except (
            OSError, zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, MemoryError,
            RuntimeError, SyntaxError, OverflowError, TypeError,
        ) as error:  # fmt: skip
            raise DataError(f"{self.path}: array '{name}' can't be read: {error}") from error

    def _read(self, name: str, file: IO[bytes]) -> npt.NDArray[Any]:
        """The array in a .npy file; its header tells the size before anything is read."""
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        if dtype.hasobject or dtype.names is not None:
            raise DataError(f"{self.path}: array '{name}' holds {dtype}, not numbers", fix="save plain numbers")
        count = 1
        for length in shape:
            count *= length
        size = count * dtype.itemsize
        if size > self._left or (shape and shape[0] > MAX_SAMPLES):
            text = f"{self.path}: array '{name}' of shape {shape} is too large"
            raise DataError(text, fix=f"at most {MAX_BYTES >> 30} GiB and {MAX_SAMPLES} samples in all")
        self._left -= size
        data = file.read(size)
        if len(data) != size:
            raise DataError(f"{self.path}: array '{name}' is cut off")
        return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")

    def texts(self, name: str) -> list[str]:
        """A one-dimensional array as texts; whole numbers have no point."""
        values = self.array(name)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1 or values.dtype.kind not in "fiubUS":
            raise DataError(f"{self.path}: '{name}' is {values.dtype}{values.shape}, not one label for each sample")
        if values.dtype.kind == "S":
            return [bytes(value).decode("utf-8", "backslashreplace") for value in values]
        return [str(value) for value in values.tolist()]
