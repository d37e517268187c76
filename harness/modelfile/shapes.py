"""Shapes of inputs with dynamic dimensions: what the user chose, and a usable example where a choice is missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from harness.core.errors import UsageError
from harness.core.safetext import clean
from harness.modelfile.source import Source

#: A dimension: its size, or a name or -1 where it is dynamic.
Dimension = int | str
Declared = tuple[Dimension, ...]
#: No runtime takes tensors with more dimensions.
MAX_RANK = 32
#: Values of one input or output; with more, no board has the memory.
MAX_VALUES = 1 << 30
_PIXELS, _STEPS = 224, 512


@dataclass(frozen=True)
class Wanted:
    """An input as the file declares it."""

    name: str
    declared: Declared


def given(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The values of ``--shape``: ``input=1x3x224x224``, several of them repeated or with commas between.

    Raises:
        UsageError: one is not of that form, or names an input again.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for word in (part.strip() for text in words for part in text.split(",")):
        name, equals, sizes = word.rpartition("=")
        try:
            shape = tuple(int(size) for size in sizes.lower().split("x"))
        except ValueError:
            shape = ()
        if not equals or not name or not shape or any(not 0 < size < 1 << 31 for size in shape):
            raise UsageError(f"--shape '{clean(word)}' is no input with its sizes", fix="--shape input=1x3x224x224")
        if shapes.setdefault(name, shape) != shape:
            raise UsageError(f"--shape names '{clean(name)}' twice, with different sizes")
    return shapes


def dynamic(size: Dimension) -> bool:
    """Whether a declared dimension has no fixed size."""
    return isinstance(size, str) or size == -1


def chosen(
    source: Source, inputs: Sequence[Wanted], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """The shape of each input to run. A dimension's name that one input fixes is fixed for the others, too.

    Raises:
        ModelFileError: a dimension can't be, one has to be chosen, or the choice doesn't fit.
    """
    _check_names(source, inputs, shapes)
    named: dict[str, int] = {}
    for one in inputs:
        check_declared(source, f"input '{clean(one.name)}'", one.declared)
        if one.name in shapes:
            _bind(source, one, shapes[one.name], named)
    found = [shapes.get(one.name) or tuple(_known(size, named) for size in one.declared) for one in inputs]
    open_ones = [one for one, shape in zip(inputs, found, strict=True) if -1 in shape]
    if open_ones:
        what = " and ".join(f"input '{clean(one.name)}' is {described(one.declared)}" for one in open_ones)
        words = " ".join(f"--shape {clean(one.name)}={_example(one.declared, named)}" for one in open_ones)
        raise source.error(f"{what}: choose its sizes", fix=f"e.g. {words}")
    for one, shape in zip(inputs, found, strict=True):
        if math.prod(shape) > MAX_VALUES:
            raise source.error(f"input '{clean(one.name)}' has {math.prod(shape):.1e} values, too many for any board")
    return tuple(found)


def check_declared(source: Source, what: str, declared: Declared) -> None:
    """Refuse a declared shape that no tensor can have.

    Raises:
        ModelFileError: too many dimensions, or one of zero or less.
    """
    if len(declared) > MAX_RANK:
        raise source.error(f"{what} has {len(declared)} dimensions")
    if any(isinstance(size, int) and (size == 0 or size < -1) for size in declared):
        raise source.error(f"{what} is {described(declared)}: no size can be zero or less", fix="export it again")


def described(declared: Sequence[Dimension]) -> str:
    """A shape for people: ``batch x 3 x ? x ?``."""
    if not declared:
        return "a single value"
    return " x ".join("?" if size in (-1, "") else clean(size, 40) for size in declared)


def _check_names(source: Source, inputs: Sequence[Wanted], shapes: Mapping[str, tuple[int, ...]]) -> None:
    names = [one.name for one in inputs]
    for name in shapes:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.0) or ["input"]
            listed = ", ".join(f"'{clean(one)}'" for one in names[:20])
            raise source.error(f"has no input '{clean(name)}'; it has {listed}", fix=f"--shape {clean(near[0])}=...")


def _bind(source: Source, one: Wanted, shape: tuple[int, ...], named: dict[str, int]) -> None:
    """Check a chosen shape against the declared one, and note what it says of named dimensions."""
    what = f"--shape {clean(one.name)}={'x'.join(map(str, shape))}"
    if len(shape) != len(one.declared):
        raise source.error(f"{what} has {len(shape)} dimensions, and the input is {described(one.declared)}")
    for size, declared in zip(shape, one.declared, strict=True):
        if size <= 0:
            raise source.error(f"{what}: no size can be zero or less")
        if isinstance(declared, str) and declared:
            if named.setdefault(declared, size) != size:
                text = f"{what}: '{clean(declared)}' is {named[declared]} in another input"
                raise source.error(text, fix="dimensions of one name have one size")
        elif declared not in (-1, "", size):
            raise source.error(f"{what}, and the file fixes it: {described(one.declared)}")


def _known(size: Dimension, named: Mapping[str, int]) -> int:
    return named.get(size, -1) if isinstance(size, str) else size


def _example(declared: Declared, named: Mapping[str, int]) -> str:
    """Sizes that such a network usually takes: one sample, 224 pixels, 512 steps."""
    sizes = []
    for place, size in enumerate(declared):
        known = _known(size, named)
        usual = 1 if place == 0 and len(declared) > 1 else _PIXELS if len(declared) >= 4 else _STEPS
        sizes.append(usual if known == -1 else known)
    return "x".join(map(str, sizes))
