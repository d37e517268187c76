"""What labels mean: indices of classes, or numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.core.scalars import shown
from harness.data.findings import FaultLog
from harness.tasks.keys import MAX_CLASS_NAME
from harness.tasks.sample import Sample

#: A stored cell takes no more.
MAX_CLASSES = 10_000
_WHOLE = re.compile(r"-?[0-9]{1,18}(\.0*)?")

#: Indices of classes; -1 where a label is none.
Indices = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def classified(
    samples: Sequence[Sample], declared: tuple[str, ...] | None, faults: FaultLog
) -> tuple[tuple[str, ...], Indices]:
    """The classes, and the class of each sample.

    Declared classes are in the order of a network's scores. A label is the name of one, or else its index. Without a
    declaration, names are sorted, and whole numbers must be 0, 1, 2... without a gap: nothing else tells which score of
    a network a number stands for.
    """
    counts = Counter(sample.label for sample in samples)
    classes = declared or _found(counts, faults)
    index = {name: number for number, name in enumerate(classes)}
    known = {label: _index(label, index, by_number=declared is not None or _numbered(counts)) for label in counts}
    for label, number in known.items():
        if number is None:
            first = next(sample for sample in samples if sample.label == label)
            text = f"'{shown(label)}' is none of the classes; {counts[label]} samples left out"
            faults.error("unknown-label", first.place, text, line=first.line, fix=f"one of: {_some(classes)}",
                         images=counts[label])  # fmt: skip
    numbers = np.array([-1 if known[s.label] is None else known[s.label] for s in samples], dtype=np.int64)
    return classes, numbers


def numbered(samples: Sequence[Sample], faults: FaultLog) -> tuple[Numbers, Indices]:
    """The labels as numbers, and -1 in the second array where a label is none."""
    values, good = np.zeros(len(samples)), np.zeros(len(samples), dtype=np.int64)
    for k, sample in enumerate(samples):
        try:
            values[k] = float(sample.label)
        except ValueError:
            values[k] = math.nan
        if not abs(values[k]) < 1e300:  # also for NaN
            text = f"'{shown(sample.label)}' is no finite number; left out"
            faults.error("bad-number", sample.place, text, line=sample.line, images=1)
            values[k], good[k] = 0.0, -1
    return values, good


def _found(counts: Counter[str], faults: FaultLog) -> tuple[str, ...]:
    """The classes of undeclared labels, in order."""
    if not counts:
        return ()
    if len(counts) > MAX_CLASSES:
        text = f"{len(counts)} different labels, more than the {MAX_CLASSES} classes that are possible"
        faults.fatal("too-many-classes", ".", text, fix="metric: mae, if labels are numbers")
        return tuple(sorted(counts))[:MAX_CLASSES]
    if any(len(name) > MAX_CLASS_NAME for name in counts):
        faults.fatal("long-label", ".", f"a class's name has more than {MAX_CLASS_NAME} characters")
    if not _numbered(counts):
        return tuple(sorted(counts))
    numbers = sorted({int(float(label)) for label in counts})
    if numbers != list(range(len(numbers))):
        text = f"labels are the numbers {_some([str(n) for n in numbers])}: not 0, 1, 2... without a gap"
        fix = "name the classes in the order of a network's scores: classes: [...]; or metric: mae for numbers"
        faults.fatal("labels-not-in-a-row", ".", text, fix=fix)
    return tuple(str(number) for number in numbers)


def _numbered(counts: Counter[str]) -> bool:
    return all(_WHOLE.fullmatch(label) for label in counts)


def _index(label: str, index: dict[str, int], *, by_number: bool) -> int | None:
    """The class of a label: by its name, or by its number."""
    if label in index:
        return index[label]
    if by_number and _WHOLE.fullmatch(label) and 0 <= int(float(label)) < len(index):
        return int(float(label))
    return None


def _some(names: Sequence[str], most: int = 8) -> str:
    listed = ", ".join(shown(name) for name in names[:most])
    return listed if len(names) <= most else f"{listed}... ({len(names)} in all)"
