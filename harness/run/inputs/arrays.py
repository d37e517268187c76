"""One array for each input of a network, whose first axis is that of the samples; and the file that boards get."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.files import sha256_bytes
from harness.records.cell import SplitInfo
from harness.records.tensor import TensorSpec
from harness.run.testset import OwnInputs, TestSet, kept

Array = npt.NDArray[Any]

#: The most bytes of all values of all samples.
LIMIT = 256 << 20


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a network's inputs.

    Attributes:
        tensors: the inputs.
        arrays: for each of ``tensors``, its values: shape (n, *the input's shape), of its element type.
        info: their description; its ``n`` and ``sha256`` are replaced by those of the samples that are taken.
    """

    tensors: tuple[TensorSpec, ...]
    arrays: tuple[Array, ...]
    info: SplitInfo

    @property
    def n(self) -> int:
        """The number of samples."""
        return len(self.arrays[0])

    @property
    def sha256(self) -> str:
        """The hash of all of them, which is that of their file."""
        return sha256_bytes(npz(self.arrays))

    def own_inputs(self) -> OwnInputs:
        """These samples as inputs of one network's own."""
        names = tuple(tensor.name for tensor in self.tensors)
        return OwnInputs(key=f"{self.info.scheme}-{self.sha256[:8]}", names=names, prepare=self.taken)

    def taken(self, most: int | None = None) -> TestSet:
        """The file that boards get of at most so many samples, spread evenly over all, and its description."""
        n = self.n if most is None else min(most, self.n)
        chosen = (np.arange(n) * self.n) // n
        path, digest = kept(npz([array[chosen] for array in self.arrays]), "npz")
        labels = tuple(self.info.labels[i] for i in chosen) if self.info.labels else ()
        info = self.info.model_copy(update={"n": n, "sha256": digest, "labels": labels})
        return TestSet(info, path, digest, self.tensors)


def npz(arrays: Sequence[Array]) -> bytes:
    """A .npz file with the arrays ``0``, ``1``...; equal arrays give equal bytes.

    Format 1.0 of .npy is readable by the numpy of Python 3.6, and every numpy writes it the same.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place, array in enumerate(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{place}.npy"), member.getvalue())  # a fixed date
    return buffer.getvalue()
