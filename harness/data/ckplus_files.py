"""Reading a copy of CK+ that nobody has checked: a bounded walk, regular files only, PNGs tested before
decoding.

Nothing outside the given folder is read, symbolic links to folders are not followed, and nothing here raises
for what a copy holds: every refusal goes to the :class:`~harness.data.faults.FaultLog`.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.data.faults import FaultLog
from harness.errors import DataError

Grey = npt.NDArray[np.uint8]

#: A CK+ frame is about 300 KB; anything above this is something else.
MAX_IMAGE_BYTES = 16 << 20
#: A CK+ frame has 640 x 490 pixels.
MAX_PIXELS = 4_000_000
MAX_TEXT_BYTES = 4096
#: CK+ has about 33,000 files and folders with its landmarks; more means that the wrong folder was named.
MAX_ENTRIES = 200_000
MAX_DEPTH = 8

_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".git", ".ipynb_checkpoints"}
_PNG = b"\x89PNG\r\n\x1a\n"
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


@dataclass(frozen=True)
class Found:
    """A regular file: where it is, and its place relative to the checked folder, for people."""

    path: Path
    rel: str
    size: int

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the folders above it, outermost first."""
        return tuple(self.rel.split("/")[:-1])

    @property
    def name(self) -> str:
        return self.rel.rpartition("/")[2]


@dataclass
class Walk:
    """Everything found under a folder, in an order that does not depend on the file system."""

    files: list[Found] = field(default_factory=list)
    #: folders in which nothing is but litter, relative
    empty: list[str] = field(default_factory=list)


class _BadImageError(Exception):
    """Why one image can't be used; never leaves this module."""

    def __init__(self, code: str, text: str, fix: str) -> None:
        super().__init__(text)
        self.code, self.text, self.fix = code, text, fix


def is_litter(name: str) -> bool:
    """Files that operating systems and tools leave behind, such as ``.DS_Store`` and ``._name``."""
    return name.lower() in _LITTER or name.startswith("._")


def walk(root: Path, faults: FaultLog, *, count_images: bool = False) -> Walk:
    """Every regular file below ``root``, sorted by name without regard to case, then by name.

    Litter, links that leave the folder, loops, and anything that is no regular file are reported and not
    returned.
    ``count_images``: a refused ``.png`` counts as an image left out.

    Raises:
        DataError: more than :data:`MAX_ENTRIES` files and folders: surely not CK+.
    """
    result = Walk()
    _descend(root, root, "", result, faults, [0], count_images)
    result.files.sort(key=lambda f: (f.rel.lower(), f.rel))
    result.empty.sort(key=lambda rel: (rel.lower(), rel))
    return result


def _descend(
    root: Path, folder: Path, rel: str, result: Walk, faults: FaultLog, seen: list[int], count_images: bool
) -> None:
    if rel.count("/") > MAX_DEPTH:
        faults.error("too-deep", rel, f"more than {MAX_DEPTH} folders deep; not looked into", fix="remove it")
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        faults.error(
            "unreadable",
            rel or ".",
            f"the folder can't be read: {error.strerror}",
            fix="check its permissions",
        )
        return
    seen[0] += len(names)
    if seen[0] > MAX_ENTRIES:
        raise DataError(
            f"{root}: more than {MAX_ENTRIES} files and folders, which CK+ does not have",
            fix="name the folder that holds CK+ itself",
        )
    kept = 0
    for name in names:
        place = f"{rel}/{name}" if rel else name
        if is_litter(name):
            faults.note("litter", place, "left by an operating system or a tool; ignored")
            continue
        kept += 1
        _entry(root, folder / name, place, result, faults, seen, count_images)
    if not kept:
        result.empty.append(rel or ".")


def _entry(
    root: Path, path: Path, rel: str, result: Walk, faults: FaultLog, seen: list[int], count_images: bool
) -> None:
    images = int(count_images and rel.lower().endswith(".png"))
    try:
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            refusal = _link_refusal(root, path)
            if refusal:
                code, text = refusal
                faults.error(code, rel, text, fix="put the file or folder itself there", images=images)
                return
            info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            _descend(root, path, rel, result, faults, seen, count_images)
        elif stat.S_ISREG(info.st_mode):
            result.files.append(Found(path, rel, info.st_size))
        else:
            faults.error(
                "special-file", rel, "is no regular file; not opened", fix="remove it", images=images
            )
    except OSError as error:
        faults.error(
            "unreadable", rel, f"can't be read: {error.strerror}", fix="check its permissions", images=images
        )


def _link_refusal(root: Path, path: Path) -> tuple[str, str] | None:
    """Why a symbolic link is not followed, as code and text; None for one to a regular file inside
    ``root``."""
    try:
        target = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "symlink-loop", "a symbolic link that leads back to itself"
        return "symlink-broken", "a symbolic link to nothing"
    if not target.is_relative_to(root):
        return "symlink-escape", "a symbolic link that leaves the checked folder; not followed"
    if target.is_dir():
        if path.is_relative_to(target):
            return "symlink-loop", "a symbolic link to a folder above it; not followed"
        return (
            "symlink-folder",
            "a symbolic link to another folder; not followed, its files count where they are",
        )
    return None


def read_bytes(found: Found, limit: int) -> bytes:
    """The whole of a file of at most ``limit`` bytes, even if it grows meanwhile.

    Raises:
        OSError: it can't be read.
        ValueError: it is larger.
    """
    with found.path.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return data


def read_grey(found: Found, faults: FaultLog) -> Grey | None:
    """A PNG as grey values, or None after reporting why not (and counting one image as left out).

    Returns:
        uint8, shape (height, width); colour is weighed as Pillow's mode "L" does (ITU-R 601-2), alpha is
        ignored.
    """
    try:
        return _decode(_png_bytes(found), found, faults)
    except _BadImageError as bad:
        faults.error(bad.code, found.rel, bad.text, fix=bad.fix, images=1)
        return None


def _png_bytes(found: Found) -> bytes:
    if found.size > MAX_IMAGE_BYTES:
        raise _BadImageError(
            "too-large",
            f"{found.size} bytes; no CK+ frame is above {MAX_IMAGE_BYTES}",
            "get a new copy of the file",
        )
    try:
        data = read_bytes(found, MAX_IMAGE_BYTES)
    except OSError as error:
        raise _BadImageError(
            "unreadable", f"can't be read: {error.strerror}", "check its permissions"
        ) from error
    except ValueError as error:
        raise _BadImageError("too-large", str(error), "get a new copy of the file") from error
    _check_chunks(data)
    return data


def _check_chunks(data: bytes) -> None:
    """Every chunk whole and with its checksum right, up to IEND; and no more pixels than a frame may have.

    Done before Pillow sees the file: it decodes some truncated files without a word, and a small file can
        unpack to
    gigabytes. PNG (ISO/IEC 15948): 8-byte signature, then chunks of length, type, data and CRC-32.
    """
    again = "get a new copy of the file"
    if not data.startswith(_PNG):
        text = "is empty" if not data else "is no PNG file, whatever its name says"
        raise _BadImageError("not-png", text, "CK+'s images are PNG: get a new copy of the file")
    position = len(_PNG)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise _BadImageError(
                "truncated-image", f"ends after {len(data)} bytes, before its end mark", again
            )
        (length,), kind = struct.unpack_from(">I", data, position), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise _BadImageError(
                "truncated-image", f"ends after {len(data)} bytes, before its end mark", again
            )
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise _BadImageError("damaged-image", "a checksum inside the file is wrong", again)
        if position == len(_PNG):
            _check_size(kind, data)
        position = end


def _check_size(kind: bytes, data: bytes) -> None:
    if kind != b"IHDR" or len(data) < 24:
        raise _BadImageError(
            "damaged-image", "does not begin with an image header", "get a new copy of the file"
        )
    width, height = struct.unpack_from(">II", data, 16)
    if not 0 < width * height <= MAX_PIXELS:
        raise _BadImageError(
            "too-many-pixels",
            f"{width} x {height} pixels; CK+'s frames have 640 x 490",
            "get a new copy of the file",
        )


def _decode(data: bytes, found: Found, faults: FaultLog) -> Grey:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode not in _MODES:
                raise _BadImageError(
                    "unusual-depth",
                    f"pixels of mode {image.mode}, not 8-bit grey or colour",
                    "convert it to 8 bits",
                )
            image.info.pop(
                "transparency", None
            )  # else Pillow warns of it for palettes; alpha is ignored anyway
            pixels = np.array(
                image.convert("RGB" if image.mode == "P" else image.mode).convert("L"), dtype=np.uint8
            )
            if image.mode not in {"1", "L", "LA"}:
                faults.note("colour", found.rel, f"mode {image.mode}; made grey")
            return pixels
    # Pillow reports a broken PNG by any of these, depending on where it breaks.
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        OverflowError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise _BadImageError(
            "damaged-image", f"can't be decoded: {error}", "get a new copy of the file"
        ) from error
