"""Price lists: layers of one operator each are examined on an emulated board for some numbers of channels, and kept.

Whoever can boot a board gives the cycles of files; here it is known which files tell what pruning asks.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from harness.core.files import sha256_bytes, write_atomic
from harness.records.prices import Origin, Priced, PricedVariant, PriceList, Work
from harness.training.compress.works import Wanted
from harness.training.train import stored

#: Output channels: both ends of each step of kernels that compute eight or sixteen at once, and what float kernels for
#: two do.
OUT = (2, 3, 8, 9, 16, 17, 24, 25, 32)
#: Input channels: float kernels take them one by one, int8 kernels in bunches of eight.
INTO: dict[PricedVariant, tuple[int, ...]] = {"fp32": (2, 8, 16), "int8": (2, 8, 9, 16)}
#: A price list has some 100 kB.
_MAX_BYTES = 16 << 20


class Examiner(Protocol):
    """Whoever can say what TFLite files cost on an emulated board."""

    @property
    def origin(self) -> Origin:
        """Where the cycles come from."""

    def cycles(self, files: Sequence[bytes]) -> Generator[float]:
        """Estimated cycles of one inference of each file, without the call of the runtime, as they become known.

        Raises:
            BoardError: they can't be estimated.
        """


def price_list(examiner: Examiner, variant: PricedVariant, wanted: Iterable[Wanted], folder: Path) -> PriceList:
    """The prices of layers. Those that ``folder`` has from the same origin are not examined again, and new ones are
    stored there at once. Builds at the same time ask one after the other.

    Raises:
        BoardError: cycles can't be estimated.
        BuildError: the folder can't be written.
    """
    with stored.reserved(folder, lambda _line: None):
        return _price_list(examiner, variant, wanted, folder)


def _price_list(examiner: Examiner, variant: PricedVariant, wanted: Iterable[Wanted], folder: Path) -> PriceList:
    from harness.training.export.probes import probe

    path = folder / f"{sha256_bytes(examiner.origin.model_dump_json().encode())[:16]}-{variant}.json"
    prices = _stored(path, examiner.origin, variant)
    points = {work: axes for work, axes in _points(wanted, variant).items() if not _covers(prices.of(work), axes)}
    places = [(work, into, out) for work, (ins, outs) in points.items() for into in ins for out in outs]
    if not places:
        return prices
    with closing(examiner.cycles([probe(work, into, out, variant) for work, into, out in places])) as cycles:
        for work, (ins, outs) in points.items():
            rows = tuple(tuple(itertools.islice(cycles, len(outs))) for _ in ins)
            others = [priced for priced in prices.prices if priced.work != work]
            new = Priced(work=work, into=ins, out=outs, cycles=rows)
            prices = prices.model_copy(update={"prices": (*others, new)})
            write_atomic(path, prices.model_dump_json())
    return prices


_Axes = tuple[tuple[int, ...], tuple[int, ...]]


def _points(wanted: Iterable[Wanted], variant: PricedVariant) -> dict[Work, _Axes]:
    """The numbers of input and output channels to examine for each work."""
    ins: dict[Work, set[int]] = defaultdict(set)
    outs: dict[Work, set[int]] = defaultdict(set)
    for each in wanted:
        ins[each.work] |= set(INTO[variant]) if each.into is None else {each.into}
        outs[each.work] |= set(OUT) if each.out is None else {each.out}
    return {work: (tuple(sorted(ins[work])), tuple(sorted(outs[work]))) for work in ins}


def _covers(priced: Priced | None, axes: _Axes) -> bool:
    """Whether prices have all these points."""
    return priced is not None and set(axes[0]) <= set(priced.into) and set(axes[1]) <= set(priced.out)


def _stored(path: Path, origin: Origin, variant: PricedVariant) -> PriceList:
    """The prices in a file; none where it is missing, damaged or of another version."""
    empty = PriceList(origin=origin, variant=variant)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return empty
        stored = PriceList.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return empty
    return stored if (stored.origin, stored.variant) == (origin, variant) else empty
