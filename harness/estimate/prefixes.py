"""The first operators of a TFLite file as a separate file, made by changing a few numbers in it.

A TFLite file is a FlatBuffer: tables refer to each other by offsets, and a list begins with its length. So a file that
ends after some operators is the whole file with the length of its operator list lowered, and with another list of
outputs appended. Outputs are all tensors that a later operator needs, since a runtime omits whatever is not read. The
weights of the other operators stay in the file and are never read. Only the parts needed for this are parsed.

Format: https://flatbuffers.dev/internals and TensorFlow's ``schema.fbs``, whose field numbers are below.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.core.errors import ArtifactError
from harness.core.safetext import clean
from harness.records.operators import MAX_OPERATORS
from harness.records.order import Cut

#: Fields of the tables Model, OperatorCode, SubGraph, Tensor and Operator, by their place in schema.fbs.
_MODEL_CODES, _MODEL_SUBGRAPHS = 1, 2
_CODE_OLD, _CODE_CUSTOM, _CODE_NEW = 0, 1, 3
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_NAME = 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2

#: A larger file is not taken apart: whoever runs its prefixes has it in memory several times.
MOST_BYTES = 128 << 20
#: So many inputs and outputs may all operators have together, and so many outputs all prefixes. Real networks have a
#: few thousand; a crafted file could have billions in a few megabytes, since lists may share their place.
_MOST_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Prefix:
    """The changes that turn a file into one that ends after some operators.

    Attributes:
        patches: (byte offset, 32-bit value) pairs to change in it.
        tail: 32-bit values to append, after padding the file to a multiple of four bytes.
    """

    patches: tuple[tuple[int, int], ...]
    tail: tuple[int, ...]

    @property
    def cut(self) -> Cut:
        """The same for an order to a board."""
        return self.patches, self.tail


@dataclass(frozen=True)
class Operator:
    """One operator of the graph, in the order of execution.

    Attributes:
        index: its place in the list.
        kind: such as ``CONV_2D``.
        name: of its output tensor.
        prefix: the file that ends with this operator.
    """

    index: int
    kind: str
    name: str
    prefix: Prefix


def content_of(path: Path) -> bytes:
    """A file that is to be taken apart.

    Raises:
        ArtifactError: it is too large.
        OSError: it can't be read.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ArtifactError(f"the file has {size >> 20} MB; one over {MOST_BYTES >> 20} MB is not taken apart")
    return path.read_bytes()


def operators(content: bytes) -> tuple[Operator, ...]:
    """The operators of the first graph of a TFLite file.

    Raises:
        ArtifactError: it is not a TFLite file, is damaged, or has more operators than anybody would look through, or
            more tensors between them than any network has.
    """
    with _damage():
        model, graph = _model(content)
        return _operators(content, model, graph)


def call_alone(content: bytes) -> Prefix:
    """The file without any operator, whose outputs are its inputs: running it is calling the runtime alone.

    Raises:
        ArtifactError: as :func:`operators`.
    """
    with _damage():
        _, graph = _model(content)
        return _cut(content, graph, 0, graph.numbers(_GRAPH_INPUTS))


@contextmanager
def _damage() -> Iterator[None]:
    """What reading a damaged file raises, as the error that says so."""
    try:
        yield
    except (struct.error, ValueError, IndexError, RecursionError) as error:
        raise ArtifactError(f"the TFLite file is damaged: {error}") from error


def _model(content: bytes) -> tuple[_Table, _Table]:
    """The tables of the model and of its first graph."""
    if content[4:8] != b"TFL3":
        raise ArtifactError("this is no TFLite file")
    model = _Table(content, _u32(content, 0))
    return model, model.table(_MODEL_SUBGRAPHS, 0)


def _cut(content: bytes, graph: _Table, number: int, outputs: tuple[int, ...]) -> Prefix:
    """The file with so many operators and with such outputs."""
    end = len(content) + -len(content) % 4
    length_place = graph.list_at(_GRAPH_OPERATORS)[0] - 4
    outputs_place = graph.place_of(_GRAPH_OUTPUTS)
    return Prefix(((length_place, number), (outputs_place, end - outputs_place)), (len(outputs), *outputs))


def _operators(content: bytes, model: _Table, graph: _Table) -> tuple[Operator, ...]:
    if not 0 < (number := graph.list_at(_GRAPH_OPERATORS)[1]) <= MAX_OPERATORS:
        raise ArtifactError(f"the TFLite file has {number} operators, and 1 to {MAX_OPERATORS} can be told apart")
    tables = [graph.table(_GRAPH_OPERATORS, index) for index in range(number)]
    lists = ((table, field) for table in tables for field in (_OPERATOR_INPUTS, _OPERATOR_OUTPUTS))
    _bound(sum(table.list_at(field)[1] for table, field in lists))
    made = [table.numbers(_OPERATOR_OUTPUTS) for table in tables]
    found = []
    for index, (table, live) in enumerate(zip(tables, _live(tables, made, graph), strict=True)):
        name = graph.table(_GRAPH_TENSORS, made[index][0]).text(_TENSOR_NAME) if made[index] else ""
        kind = _kind(model.table(_MODEL_CODES, table.number(_OPERATOR_CODE)))
        prefix = _cut(content, graph, index + 1, live)
        found.append(Operator(index, kind, name, prefix))
    return tuple(found)


def _live(tables: list[_Table], made: list[tuple[int, ...]], graph: _Table) -> list[tuple[int, ...]]:
    """For each operator, the tensors made so far that are needed after it, by later operators or as outputs."""
    read = [table.numbers(_OPERATOR_INPUTS) for table in tables]
    last = {tensor: index for index, tensors in enumerate(read) for tensor in tensors}
    last.update(dict.fromkeys(graph.numbers(_GRAPH_OUTPUTS), len(tables)))
    alive: dict[int, None] = {}  # in the order in which they are made
    live = []
    entries = 0
    for index, results in enumerate(made):
        alive.update(dict.fromkeys(tensor for tensor in results if last.get(tensor, -1) > index))
        for tensor in read[index]:
            if last[tensor] == index:
                alive.pop(tensor, None)
        entries += len(alive)
        _bound(entries)
        live.append(tuple(alive) or results[:1])
    return live


def _bound(entries: int) -> None:
    """Refuse more entries of lists than any network has."""
    if entries > _MOST_ENTRIES:
        raise ArtifactError(
            f"the TFLite file has over {_MOST_ENTRIES:,} tensors between operators, more than any network"
        )


def prefix_of(content: bytes, prefix: Prefix) -> bytes:
    """The file that ends after some operators."""
    changed = bytearray(content + bytes(-len(content) % 4))
    for offset, value in prefix.patches:
        struct.pack_into("<I", changed, offset, value)
    return bytes(changed) + struct.pack(f"<{len(prefix.tail)}I", *prefix.tail)


def _kind(code: _Table) -> str:
    """An operator code's name. Numbers above 127 are in a newer field than the others."""
    custom = code.text(_CODE_CUSTOM)
    number = max(code.number(_CODE_OLD, width=1), code.number(_CODE_NEW))
    return custom or _names().get(number, f"operator {number}")


@cache
def _names() -> dict[int, str]:
    """The names of the format's own operators, by number."""
    from tflite import BuiltinOperator

    named = {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
    return named | {209: "STABLEHLO_CASE"}  # newer than that package


def _u32(content: bytes, place: int) -> int:
    value: int = struct.unpack_from("<I", content, place)[0]
    return value


class _Table:
    """One FlatBuffers table; ``place`` is its position."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content, self._place = content, place
        back: int = struct.unpack_from("<i", content, place)[0]
        self._fields = place - back
        if self._fields < 0:
            raise ValueError("a table without fields")
        self._size: int = struct.unpack_from("<H", content, self._fields)[0]

    def _at(self, field: int) -> int | None:
        """The position of a field's value; None where the field has its default."""
        slot = 4 + 2 * field
        if slot + 2 > self._size:
            return None
        offset: int = struct.unpack_from("<H", self._content, self._fields + slot)[0]
        return self._place + offset if offset else None

    def number(self, field: int, *, width: int = 4) -> int:
        place = self._at(field)
        if place is None:
            return 0
        value: int = struct.unpack_from({1: "<b", 4: "<i"}[width], self._content, place)[0]
        return value

    def list_at(self, field: int) -> tuple[int, int]:
        """The position of a list's first element, and the list's length."""
        place = self.place_of(field)
        start = place + _u32(self._content, place)
        length = _u32(self._content, start)
        if start + 4 + 4 * length > len(self._content):
            raise ValueError("a list beyond the end")
        return start + 4, length

    def place_of(self, field: int) -> int:
        """The position of a list's offset."""
        place = self._at(field)
        if place is None:
            raise ValueError(f"no list in field {field}")
        return place

    def numbers(self, field: int) -> tuple[int, ...]:
        """A list of 32-bit numbers."""
        start, length = self.list_at(field)
        return struct.unpack_from(f"<{length}i", self._content, start)

    def table(self, field: int, index: int) -> _Table:
        """One of the tables in a list."""
        start, length = self.list_at(field)
        if not 0 <= index < length:
            raise ValueError(f"no entry {index} in a list of {length}")
        place = start + 4 * index
        return _Table(self._content, place + _u32(self._content, place))

    def text(self, field: int) -> str:
        """A string, sanitised for display; empty where there is none."""
        place = self._at(field)
        if place is None:
            return ""
        start = place + _u32(self._content, place)
        raw = self._content[start + 4 : start + 4 + min(_u32(self._content, start), 400)]
        return clean(raw.decode("utf-8", "replace"))
