"""``ckextended.csv``: rows of ``emotion,pixels,Usage`` with 48x48 grey values, without subjects.

The file is read line by line, not as one CSV stream, because no field of this format holds a line end. So an unbalanced
quote spoils only its own row, and all line numbers are right.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data.ckplus import naming
from harness.data.ckplus.samples import Reading, Sample, pixel_digest, report_count
from harness.data.dataset import CLASSES
from harness.data.findings import FaultLog, printable
from harness.data.size import SIDE

COLUMNS = ("emotion", "pixels", "Usage")

#: The published file has about 8 MB. FER2013, which has the same format, has 300 MB.
MAX_FILE_BYTES = 64 << 20
#: A row has 2304 numbers of up to three digits, with spaces at most 9,216 bytes.
MAX_LINE_BYTES = 64 << 10
MAX_USAGES = 20

#: A lookup is four times as fast as int() for two million words, and refuses ``+5``, ``1_0`` and ``٣``.
_PIXEL = {str(value): value for value in range(256)}

_AGAIN = "get a new copy of the file"


@dataclass(frozen=True)
class Columns:
    """The index of each column in a row (``usage``: None if missing); ``width`` is the number of columns."""

    emotion: int
    pixels: int
    usage: int | None
    width: int


def read_csv(path: Path, faults: FaultLog) -> Reading:
    """Read all usable rows of the seven classes, in the order of the file, without subjects and sequences."""
    rel = path.name
    reading = Reading([], naming.PUBLISHED_SEQUENCES)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            text = f"{path.stat().st_size} bytes; ckextended.csv has about 8 MB"
            faults.fatal("too-large", rel, text, fix="is it FER2013? name ckextended.csv")
            return reading
        _read_rows(path, rel, reading, faults)
    except OSError as error:
        text = f"can't be read: {error.strerror}"
        faults.fatal("unreadable", rel, text, fix="check its permissions")
    return reading


def _read_rows(path: Path, rel: str, reading: Reading, faults: FaultLog) -> None:
    columns: Columns | None = None
    labels: Counter[int] = Counter()
    usage: Counter[str] = Counter()
    for line, text in _lines(path, rel, faults):
        if columns is None:
            columns, is_header = _header(text, rel, line, faults)
            if columns is None:
                return
            if is_header:
                continue
        try:
            label, pixels, used_for = parse_fields(parse_row(text), columns)
        except ValueError as error:
            faults.error("bad-row", rel, f"{error}; left out", line=line, fix=_AGAIN, images=1)
            continue
        labels[label] += 1
        if used_for is not None:
            usage[used_for if used_for in usage or len(usage) < MAX_USAGES else "(others)"] += 1
        word = naming.CSV_LABELS[label]
        if word != naming.NEUTRAL:
            sample = Sample(
                path=rel, line=line, label=CLASSES.index(word), subject=None, sequence=None, image=pixels,
                digest=pixel_digest(pixels),
            )  # fmt: skip
            reading.samples.append(sample)
    reading.usage = {printable(name): count for name, count in sorted(usage.items())}
    reading.found = sum(labels.values()) + faults.left_out["bad-row"]
    _report(labels, rel, faults)


def _lines(path: Path, rel: str, faults: FaultLog) -> Iterator[tuple[int, str]]:
    """The lines with their 1-based numbers, without line ends. A line that can't be a row is reported and left out."""
    crlf = 0
    with path.open("rb") as handle:
        number = 0
        while raw := handle.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                fix = "save it again as UTF-8"
                faults.fatal("encoding", rel, "is in UTF-16, not plain text", line=1, fix=fix)
                return
            if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
                raw = raw[3:]
                faults.note("bom", rel, "begins with a byte order mark; ignored", line=1)
            if len(raw) > MAX_LINE_BYTES:
                _skip_line(raw, handle.readline)
                text = f"the row is longer than {MAX_LINE_BYTES} bytes; left out"
                faults.error("bad-row", rel, text, line=number, fix=_AGAIN, images=1)
                continue
            crlf += raw.endswith(b"\r\n")
            try:
                text = raw.rstrip(b"\r\n").decode("utf-8")
            except UnicodeDecodeError:
                faults.error("bad-row", rel, "the row is no plain text; left out", line=number, fix=_AGAIN, images=1)
                continue
            if text.strip():
                yield number, text
            else:
                faults.note("blank-line", rel, "nothing in it; ignored", line=number)
    if crlf:
        faults.note("crlf", rel, f"{crlf} lines end as Windows writes them; read all the same")


def _skip_line(raw: bytes, readline: Callable[[int], bytes]) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = readline(MAX_LINE_BYTES)


def parse_row(text: str) -> list[str]:
    """Split one line of CSV into its fields, without quotes.

    Raises:
        ValueError: quotes don't match, or the line holds a NUL byte.
    """
    if "\0" in text:
        raise ValueError("the row holds a NUL byte")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(f"the row is no CSV: {error}") from error
    return rows[0] if rows else []


def _header(text: str, rel: str, line: int, faults: FaultLog) -> tuple[Columns | None, bool]:
    """The columns, and whether this line is a header. Without a header the published order applies.

    A header with other columns is a fatal fault and gives no columns, because labels can't be guessed.
    """
    fix = f"the first line should be {','.join(COLUMNS)}"
    try:
        fields = [field.strip().lower() for field in parse_row(text)]
    except ValueError as error:
        faults.fatal("bad-header", rel, str(error), line=line, fix=fix)
        return None, False
    if fields and fields[0][:1].isdigit():
        faults.warning("missing-header", rel, "no column names; read as " + ",".join(COLUMNS), line=line, fix=fix)
        return Columns(0, 1, 2 if len(fields) != 2 else None, 2 if len(fields) == 2 else 3), False
    problems = [f"no column {name!r}" for name in ("emotion", "pixels") if name not in fields]
    problems += [f"two columns {name!r}" for name in map(str.lower, COLUMNS) if fields.count(name) > 1]
    if problems:
        faults.fatal("bad-header", rel, " and ".join(problems), line=line, fix=fix)
        return None, True
    if "usage" not in fields:
        faults.warning("missing-column", rel, "no column 'Usage'; not needed", line=line, fix=_AGAIN)
    usage = fields.index("usage") if "usage" in fields else None
    return Columns(fields.index("emotion"), fields.index("pixels"), usage, len(fields)), True


def parse_fields(fields: list[str], columns: Columns) -> tuple[int, npt.NDArray[np.uint8], str | None]:
    """A row's label (an index into CSV_LABELS), image (uint8, 48 x 48) and usage (None without that column).

    Raises:
        ValueError: the number of columns or pixels is wrong, or a label or pixel is invalid; says which.
    """
    if len(fields) != columns.width:
        raise ValueError(f"the row has {len(fields)} columns, not {columns.width}")
    try:
        label = naming.whole_number(fields[columns.emotion].strip(), len(naming.CSV_LABELS))
    except ValueError as error:
        raise ValueError(f"the label {error}") from error
    usage = None if columns.usage is None else fields[columns.usage].strip() or "(empty)"
    return label, parse_pixels(fields[columns.pixels]), usage


def parse_pixels(text: str) -> npt.NDArray[np.uint8]:
    """Parse 2304 numbers from 0 to 255, row by row from the top left, into uint8 of shape (48, 48).

    Raises:
        ValueError: the number of words is wrong, or a word is no such number; says which, counted from 1.
    """
    words = text.split()
    if len(words) != SIDE * SIDE:
        raise ValueError(f"the row has {len(words)} pixels, not {SIDE * SIDE}")
    bad = next(((number, word) for number, word in enumerate(words, 1) if word not in _PIXEL), None)
    if bad is not None:
        number, word = bad
        shown = word if len(word) <= 20 else f"{word[:20]}..."
        raise ValueError(f"pixel {number} is {shown!r}, not a whole number from 0 to 255")
    return np.frombuffer(bytes(_PIXEL[word] for word in words), dtype=np.uint8).reshape(SIDE, SIDE)


def _report(labels: Counter[int], rel: str, faults: FaultLog) -> None:
    """Report on the file as a whole: missing subjects, neutral rows, and an implausible numbering of labels."""
    text = "this form does not tell the subjects: only a random split is possible, no subject-disjoint one"
    faults.note("no-subjects", rel, text, fix="use the official tree or the class folders")
    total = sum(labels.values())
    if total and labels[0] > total / 2:
        faults.fatal(
            "label-order",
            rel,
            f"{labels[0]} of {total} rows have label 0 (anger); neutral seems to be numbered 0 here,"
            " not 6, so no label can be trusted",
            fix="use a file with FER2013's numbers: 0 anger ... 6 neutral, 7 contempt",
        )
    neutral = labels[naming.CSV_LABELS.index(naming.NEUTRAL)]
    if neutral:
        text = f"{neutral} neutral rows left out: neutral is not one of the seven classes"
        faults.note("neutral", rel, text)
        faults.leave_out("neutral", neutral)
    report_count("neutral rows", neutral, naming.PUBLISHED_CSV_NEUTRAL, faults, fix=_AGAIN)
