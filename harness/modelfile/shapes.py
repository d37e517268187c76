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
    """An input as the file declares it; ``declared`` None where not even the number of dimensions is known."""

    name: str
    declared: Declared | None


class SharedShapes(dict[str, tuple[int, ...]]):
    """Shapes for several files, each of which takes those of its own inputs.

    Attributes:
        sample: the shape of one sample, without a batch, that each file will be fed with; None where that is open, too.
        taken: names that some file has had.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], sample: tuple[int, ...] | None = None) -> None:
        super().__init__(shapes)
        self.sample = sample
        self.taken: set[str] = set()

    def of(self, inputs: Sequence[Wanted]) -> dict[str, tuple[int, ...]]:
        """Those of one file's inputs; one input alone with open sizes takes those of a sample. Changes ``taken``."""
        own = {one.name: self[one.name] for one in inputs if one.name in self}
        self.taken.update(own)
        if self.sample is not None and len(inputs) == 1 and not own:
            (one,) = inputs
            shape = (1, *self.sample)
            if one.declared and any(map(dynamic, one.declared)) and _agree(one.declared, shape):
                return {one.name: shape}
        return own


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


def _agree(declared: Declared, shape: tuple[int, ...]) -> bool:
    """Whether a declared shape can be this one."""
    pairs = zip(declared, shape, strict=False)
    return len(declared) == len(shape) and all(dynamic(size) or size == fixed for size, fixed in pairs)


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
    if isinstance(shapes, SharedShapes):
        shapes = shapes.of(inputs)
    _check_names(source, inputs, shapes)
    named: dict[str, int] = {}
    for one in inputs:
        check_declared(source, f"input '{clean(one.name)}'", one.declared or ())
        if one.name in shapes:
            _bind(source, one, shapes[one.name], named)
    found = [shapes.get(one.name) or _fixed(one.declared, named) for one in inputs]
    open_ones = [one for one, shape in zip(inputs, found, strict=True) if -1 in shape]
    if open_ones:
        what = " and ".join(f"input '{clean(one.name)}' is {described(one.declared)}" for one in open_ones)
        raise source.error(f"{what}: choose the open sizes", fix=f"e.g. {_examples(inputs, named)}")
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


def described(declared: Sequence[Dimension] | None) -> str:
    """A shape for people: ``batch x 3 x ? x ?``."""
    if declared is None:
        return "of any shape"
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
    if any(size <= 0 for size in shape) or len(shape) > MAX_RANK:
        raise source.error(f"{what}: no input can have this shape")
    if one.declared is None:
        return
    if len(shape) != len(one.declared):
        raise source.error(f"{what} has {len(shape)} dimensions, and the input is {described(one.declared)}")
    for size, declared in zip(shape, one.declared, strict=True):
        if isinstance(declared, str) and declared:
            if named.setdefault(declared, size) != size:
                text = f"{what}: '{clean(declared)}' is {named[declared]} in another input"
                raise source.error(text, fix="dimensions of one name have one size")
        elif declared not in (-1, "", size):
            raise source.error(f"{what}, and the file fixes it: {described(one.declared)}")


def _fixed(declared: Declared | None, named: Mapping[str, int]) -> tuple[int, ...]:
    """The sizes that are known; -1 for the others."""
    return (-1,) if declared is None else tuple(_known(size, named) for size in declared)


def _known(size: Dimension, named: Mapping[str, int]) -> int:
    return named.get(size, -1) if isinstance(size, str) else size


def _examples(inputs: Sequence[Wanted], named: Mapping[str, int]) -> str:
    """Sizes that such networks usually take, for all inputs with an open one; a name has one size everywhere."""
    sizes, words = dict(named), []
    for one in inputs:
        declared = (-1, 3, -1, -1) if one.declared is None else one.declared
        shape = []
        for place, size in enumerate(declared):
            usual = _usual(declared, place, alone=len(inputs) == 1)
            name = size if isinstance(size, str) else ""
            size = sizes.setdefault(name, usual) if name else usual if dynamic(size) else size
            shape.append(str(size))
        if one.declared is None or any(dynamic(size) and size not in named for size in declared):
            words.append(f"--shape {clean(one.name)}={'x'.join(shape)}")
    return " ".join(words)


def _usual(declared: Declared, place: int, *, alone: bool) -> int:
    """One sample, 224 pixels, 512 steps; a state is (layers, samples, width)."""
    rank, name = len(declared), str(declared[place]).lower()
    if "batch" in name or (place == 0 and rank > 1) or (rank == 1 and not alone):
        return 1
    if rank == 3 and place == 1 and not dynamic(declared[0]):
        return 1
    return _PIXELS if rank >= 4 else _STEPS
