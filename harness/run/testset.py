"""The inputs of a cell as boards receive them: one file in the cache, named after its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir
from harness.records.cell import SplitInfo
from harness.records.tensor import TensorSpec

if TYPE_CHECKING:
    from harness.run.judging import Judge


@dataclass(frozen=True)
class TestSet:
    """The samples that a cell is measured on.

    Attributes:
        info: their description for the cell's file, with the labels, which never leave the controller.
        file: images: a .npy file, uint8, shape (n, 48, 48, 1), in the order of ``info.labels``; tensors: a .npz file
            with one array for each input, named ``0``, ``1``..., shape (n, *the input's shape).
        file_sha256: its hash, checked again on the board.
        tensors: the network's inputs; None where ``file`` has images.
        judge: judges the outputs that come back; None where predictions say enough, or nobody judges.
    """

    __test__ = False  # not a test case for pytest

    info: SplitInfo
    file: Path
    file_sha256: str
    tensors: tuple[TensorSpec, ...] | None = None
    judge: Judge | None = None


@dataclass(frozen=True)
class OwnInputs:
    """Inputs of one network's own, beside the images that the networks of a run share.

    Attributes:
        key: a short word for them, part of the cell's name: ``seeded-0123abcd``.
        names: the network's inputs in the order of the file's arrays. Another network may call its inputs otherwise and
            take the same values, so the key alone doesn't say what a board is told.
        prepare: makes them for so many samples; None means all.
    """

    key: str
    names: tuple[str, ...]
    prepare: Callable[[int | None], TestSet]


def kept(content: bytes, ending: str) -> tuple[Path, str]:
    """The file in the cache with this content, and its hash."""
    digest = sha256_bytes(content)
    path = cache_dir() / "testsets" / f"{digest}.{ending}"
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path, digest
