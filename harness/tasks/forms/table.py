"""``form: csv``: a table with a row for each sample, which names an image file or holds pixels as FER2013 does.

The file is read line by line, so an unbalanced quote spoils only its own row, and all line numbers are right.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

from harness.core.errors import DataError
from harness.core.named import nearest
from harness.core.scalars import text
from harness.core.yamlkeys import optional
from harness.data.findings import FaultLog
from harness.tasks import keys as converters
from harness.tasks.forms.places import located
from harness.tasks.forms.registry import FormKeys
from harness.tasks.sample import Part, Sample, part_of, part_words

#: FER2013 has 300 MB, and its rows 9 KB.
MAX_FILE_BYTES = 2 << 30
MAX_LINE_BYTES = 128 << 10
MAX_ROWS = 2_000_000
_AGAIN = "correct the row"
_PIXEL = {str(value): value for value in range(256)}


class Keys(FormKeys):
    """The file and its columns by name. Without ``image`` and ``pixels``, FER2013's columns are looked for.

    ``images`` is the folder that image files are relative to: the table's own by default.
    """

    path: Annotated[str, BeforeValidator(text)]
    image: Annotated[str | None, optional(text)] = None
    pixels: Annotated[str | None, optional(text)] = None
    label: Annotated[str | None, optional(text)] = None
    group: Annotated[str | None, optional(text)] = None
    split: Annotated[str | None, optional(text)] = None
    images: Annotated[str | None, optional(text)] = None
    delimiter: Annotated[str | None, optional(converters.delimiter)] = None
    encoding: Annotated[str, BeforeValidator(converters.encoding)] = "utf-8"


@dataclass(frozen=True)
class _Columns:
    """Where the columns are in a row of ``width`` cells; ``folder`` is that of image files, None for pixels."""

    content: int
    label: int
    group: int | None
    split: int | None
    width: int
    folder: Path | None


def read(keys: FormKeys, folder: Path, faults: FaultLog) -> list[Sample]:
    """One sample for each usable row, in the order of the file."""
    wanted = cast("Keys", keys)
    path = located(folder, wanted.path, kind="file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise DataError(f"{path}: larger than the {MAX_FILE_BYTES >> 30} GiB that a table may have")
    images = located(folder, wanted.images, kind="folder") if wanted.images else path.parent
    lines = _lines(path, wanted.encoding)
    number, header = next(lines, (1, ""))
    if not header:
        raise DataError(f"{path}: is empty", fix="its first line names the columns")
    delimiter = wanted.delimiter or max(",;\t", key=header.count)
    columns = _columns(_cells(header, delimiter), wanted, f"{path}:{number}", images)
    samples = []
    for number, line in lines:
        if not line.strip():
            continue
        try:
            samples.append(_sample(_cells(line, delimiter), columns, path.name, number))
        except ValueError as error:
            faults.error("bad-row", path.name, f"{error}; left out", line=number, fix=_AGAIN, images=1)
        if len(samples) > MAX_ROWS:
            raise DataError(f"{path}: more than {MAX_ROWS} rows")
    return samples


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines with their 1-based numbers, without line ends and byte order mark."""
    with path.open("rb") as raw:
        start = raw.read(2)
    if start in (b"\xff\xfe", b"\xfe\xff") and not encoding.startswith("utf-16"):
        raise DataError(f"{path}: is in UTF-16", fix="write 'encoding: utf-16' below 'data', or save it as UTF-8")
    known = "utf-8-sig" if encoding in ("utf-8", "utf_8") else encoding
    with path.open(encoding=known, errors="surrogateescape", newline=None) as file:
        number = 0
        try:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DataError(f"{path}:{number}: a line of more than {MAX_LINE_BYTES} characters")
                if not line.isascii() and any("\udc80" <= char <= "\udcff" for char in line):
                    _refuse_bytes(path, number, encoding)
                yield number, line.rstrip("\r\n")
        except UnicodeError as error:
            _refuse_bytes(path, number + 1, encoding, error)


def _refuse_bytes(path: Path, number: int, encoding: str, cause: UnicodeError | None = None) -> None:
    other = "latin-1" if encoding.startswith("utf") else "utf-8"
    fix = f"write 'encoding: {other}' below 'data' if it is that, or save it as UTF-8"
    raise DataError(f"{path}:{number}: is not in {encoding}", fix=fix) from cause


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, without quotes and spaces around.

    Raises:
        ValueError: quotes don't match, or the line holds a NUL.
    """
    if "\0" in line:
        raise ValueError("the row holds a NUL byte")
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"the row is no CSV: {error}; a cell can't hold a line end") from error
    return [cell.strip() for cell in rows[0]] if rows else []


def _columns(header: list[str], keys: Keys, place: str, images: Path) -> _Columns:
    """The columns that the keys name, in FER2013's names where they name none."""
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{place}: column '{twice}' is here twice")
    spelt = {name.lower(): name for name in header}
    fer = keys.image is None and keys.pixels is None and {"emotion", "pixels"} <= set(spelt)
    if fer:
        keys = keys.model_copy(
            update={"pixels": spelt["pixels"], "label": keys.label or spelt["emotion"],
                    "split": keys.split or spelt.get("usage")}
        )  # fmt: skip
    if (keys.image is None) == (keys.pixels is None):
        told = "'image' and 'pixels' are both given" if keys.image else "no key says where images are"
        columns = ", ".join(header)[:200]
        raise DataError(f"{place}: {told}", fix=f"'image: COLUMN' or 'pixels: COLUMN' below 'data'; there: {columns}")

    def at(name: str) -> int:
        if name not in header:
            raise DataError(f"{place}: no column '{name}'{nearest(name, header)}")
        return header.index(name)

    return _Columns(
        content=at(keys.image or keys.pixels or ""),
        label=at(keys.label or "label"),
        group=at(keys.group) if keys.group else None,
        split=at(keys.split) if keys.split else None,
        width=len(header),
        folder=images if keys.image else None,
    )


def _sample(cells: list[str], columns: _Columns, table: str, number: int) -> Sample:
    """One row's sample.

    Raises:
        ValueError: the row has too few or too many cells, or one can't be used; says which.
    """
    if len(cells) != columns.width:
        raise ValueError(f"the row has {len(cells)} cells, not {columns.width}")
    label = cells[columns.label]
    if not label:
        raise ValueError("the row has no label")
    group = None if columns.group is None else cells[columns.group]
    if group == "":
        raise ValueError("the row has no group")
    written = cells[columns.content]
    content = parse_pixels(written) if columns.folder is None else _file(columns.folder, written)
    part = None if columns.split is None else _part(cells[columns.split])
    return Sample(table, label, content, line=number, group=group, part=part)


def _part(word: str) -> Part:
    part = part_of(word)
    if part is None:
        raise ValueError(f"'{word[:40]}' is no part of a split; one of: {part_words()}")
    return part


def _file(folder: Path, written: str) -> Path:
    """The image that a cell names: below the folder, also once symbolic links are followed."""
    if not written:
        raise ValueError("the row names no image")
    if Path(written).is_absolute():
        raise ValueError("an absolute path; write 'images: FOLDER' below 'data', and paths relative to it")
    path = folder / written.replace("\\", "/")
    try:
        found = path.resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"'{written[:80]}' can't be followed") from error
    if not found.is_relative_to(folder):
        raise ValueError(f"'{written[:80]}' leads out of the images' folder")
    return found


def parse_pixels(written: str) -> npt.NDArray[np.uint8]:
    """A square grey image from numbers 0 to 255, row by row: uint8, shape (side, side).

    Raises:
        ValueError: their number is no square, or a word is no such number; says which, counted from 1.
    """
    words = written.split()
    side = math.isqrt(len(words))
    if side < converters.MIN_SIDE or side * side != len(words):
        raise ValueError(f"the row has {len(words)} pixels, which is no square image")
    bad = next(((number, word) for number, word in enumerate(words, 1) if word not in _PIXEL), None)
    if bad is not None:
        raise ValueError(f"pixel {bad[0]} is {bad[1][:20]!r}, not a whole number from 0 to 255")
    return np.frombuffer(bytes(_PIXEL[word] for word in words), dtype=np.uint8).reshape(side, side)
