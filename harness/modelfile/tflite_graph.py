"""A TFLite file as plain records. The flatbuffer is read by the ``tflite`` package; every offset in it is hostile.

Flatbuffers may point to one place from many, so a small file could be read for ever. All tables and list entries that
are read count against one allowance.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.modelfile.source import Source

#: Tables and list entries that may be read. Genuine files have some ten thousand at most.
ALLOWANCE = 1_000_000
_MAX_NAME = 4096
_MAX_BUFFER = 1 << 62


@dataclass(frozen=True)
class Tensor:
    """One tensor. ``stored`` is the number of its constant bytes in the file, 0 for a variable one."""

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...] | None
    dtype: str
    buffer: int
    stored: int
    scale: float | None = None
    zero_point: int | None = None

    @property
    def quantised(self) -> bool:
        """Whether its integers stand for floats."""
        return self.scale is not None


@dataclass(frozen=True)
class Operator:
    """One operator. ``inputs`` and ``outputs`` are indices of tensors, -1 for an input that is left out.

    ``bodies`` are the subgraphs that it runs, ``transposed`` whether BATCH_MATMUL takes its first input transposed.
    """

    name: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    bodies: tuple[int, ...] = ()
    transposed: bool = False


@dataclass(frozen=True)
class Subgraph:
    """A list of operators over a list of tensors."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Graph:
    """A whole file; the first subgraph is the one that is run."""

    schema: int
    subgraphs: tuple[Subgraph, ...]
    operator_versions: Mapping[str, int] = field(default_factory=dict)
    min_runtime: str = ""


@contextmanager
def _hostile(source: Source) -> Iterator[None]:
    """Whatever the flatbuffers library raises for an offset or a value that can't be."""
    try:
        yield
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise source.error("is damaged or cut off: as TFLite, it points outside itself", fix="download it again") from (
            error
        )


def parse(source: Source, data: bytes) -> Graph:
    """Read a TFLite file's content.

    Raises:
        ModelFileError: it is damaged, or is no network.
    """
    from tflite import Model

    with _hostile(source):
        return _Reader(source, data, Model.GetRootAs(data, 0)).graph()


class _Reader:
    """One reading of one file: its root table, and what is left of the allowance."""

    def __init__(self, source: Source, data: bytes, model: Any) -> None:
        import tflite

        self._source, self._data, self._model = source, data, model
        self._left = ALLOWANCE
        self._operator_names = _names(tflite.BuiltinOperator) | {209: "STABLEHLO_CASE"}
        newer = {19: "int2", 20: "uint4", 21: "float8", 22: "float8"}
        self._types = {code: name.lower() for code, name in _names(tflite.TensorType).items()} | newer
        self._buffers: list[int] = []

    def graph(self) -> Graph:
        """The file as records."""
        model = self._model
        if model.Version() != 3:
            raise self._source.error(f"is TFLite of schema version {model.Version()}, and only 3 is in use")
        self._buffers = [self._stored(model.Buffers(i)) for i in self._count(model.BuffersLength())]
        codes = [self._code(model.OperatorCodes(i)) for i in self._count(model.OperatorCodesLength())]
        subgraphs = tuple(self._subgraph(model.Subgraphs(i), codes) for i in self._count(model.SubgraphsLength()))
        if not subgraphs or not subgraphs[0].operators:
            raise self._source.error("is a TFLite file without any operator", fix="export it again")
        versions: dict[str, int] = {}
        for name, _, version in codes:
            versions[name] = max(version, versions.get(name, 0))
        self._check_bodies(subgraphs)
        return Graph(model.Version(), subgraphs, versions, self._min_runtime())

    def _count(self, length: int) -> range:
        """The indices of a list, paid from the allowance."""
        self._left -= length + 1
        if self._left < 0:
            raise self._source.error(f"has over {ALLOWANCE:,} tables and list entries, more than any real model")
        return range(length)

    def _ints(self, values: Any) -> tuple[int, ...]:
        """A list of integers; the library gives 0 where there is none."""
        if isinstance(values, int):
            return ()
        self._count(len(values))
        return tuple(int(value) for value in values)

    def _text(self, data: bytes | None) -> str:
        if data is None:
            return ""
        if len(data) > _MAX_NAME:
            raise self._source.error(f"has a name of {len(data)} bytes")
        return data.decode("utf-8", "replace")

    def _stored(self, buffer: Any) -> int:
        """The number of bytes in a buffer, which may be behind the flatbuffer in files over 2 GiB."""
        if buffer is None:
            return 0
        size, offset = buffer.Size(), buffer.Offset()
        if offset > 1:
            if offset + size > min(len(self._data), _MAX_BUFFER):
                raise self._source.error("is cut off: weights are missing at its end", fix="download it again")
            return int(size)
        values = buffer.DataAsNumpy()  # a view: nothing is copied, and a wrong length raises
        return 0 if isinstance(values, int) else len(values)

    def _code(self, code: Any) -> tuple[str, bool, int]:
        """An operator's name, whether it is custom, and its version."""
        number = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
        name = self._operator_names.get(number, f"operator {number}")
        if name != "CUSTOM":
            return name, False, int(code.Version())
        return self._text(code.CustomCode()) or "CUSTOM", True, int(code.Version())

    def _subgraph(self, graph: Any, codes: list[tuple[str, bool, int]]) -> Subgraph:
        tensors = tuple(self._tensor(graph.Tensors(i)) for i in self._count(graph.TensorsLength()))
        operators = tuple(self._operator(graph.Operators(i), codes) for i in self._count(graph.OperatorsLength()))
        part = Subgraph(
            tensors=tensors,
            inputs=self._ints(graph.InputsAsNumpy()),
            outputs=self._ints(graph.OutputsAsNumpy()),
            operators=operators,
        )
        used = [*part.inputs, *part.outputs, *(i for one in operators for i in (*one.inputs, *one.outputs))]
        if any(not -1 <= index < len(tensors) for index in used) or -1 in (*part.inputs, *part.outputs):
            raise self._source.error("is damaged: an operator names a tensor that isn't there", fix="download it again")
        return part

    def _tensor(self, tensor: Any) -> Tensor:
        index = tensor.Buffer()
        if index >= len(self._buffers) > 0:
            raise self._source.error("is damaged: a tensor names a buffer that isn't there", fix="download it again")
        signature = None if tensor.ShapeSignatureIsNone() else self._ints(tensor.ShapeSignatureAsNumpy())
        scales = tensor.Quantization()
        scaled = scales is not None and scales.ScaleLength() > 0
        return Tensor(
            name=self._text(tensor.Name()),
            shape=self._ints(tensor.ShapeAsNumpy()),
            signature=signature or None,
            dtype=self._types.get(tensor.Type(), f"type {tensor.Type()}"),
            buffer=index,
            stored=0 if tensor.IsVariable() or not self._buffers else self._buffers[index],
            scale=float(scales.Scale(0)) if scaled else None,
            zero_point=int(scales.ZeroPoint(0)) if scaled and scales.ZeroPointLength() else None,
        )

    def _operator(self, operator: Any, codes: list[tuple[str, bool, int]]) -> Operator:
        if operator.OpcodeIndex() >= len(codes):
            raise self._source.error("is damaged: an operator of no kind", fix="download it again")
        name, custom, _ = codes[operator.OpcodeIndex()]
        bodies, transposed = _options(operator, name)
        return Operator(
            name=name,
            custom=custom,
            inputs=self._ints(operator.InputsAsNumpy()),
            outputs=self._ints(operator.OutputsAsNumpy()),
            bodies=bodies,
            transposed=transposed,
        )

    def _check_bodies(self, subgraphs: tuple[Subgraph, ...]) -> None:
        for one in (one for part in subgraphs for one in part.operators):
            if any(not 0 <= body < len(subgraphs) for body in one.bodies):
                raise self._source.error(f"is damaged: {one.name} runs a subgraph that isn't there")

    def _min_runtime(self) -> str:
        """The converter's note on the oldest runtime, e.g. ``1.14.0``."""
        for i in self._count(self._model.MetadataLength()):
            entry = self._model.Metadata(i)
            if self._text(entry.Name()) == "min_runtime_version" and entry.Buffer() < len(self._buffers):
                values = self._model.Buffers(entry.Buffer()).DataAsNumpy()
                if not isinstance(values, int) and len(values) <= 64:
                    text = bytes(values).rstrip(b"\0").decode("ascii", "replace")
                    return text if all(part.isdigit() for part in text.split(".")) else ""
        return ""


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


def _options(operator: Any, name: str) -> tuple[tuple[int, ...], bool]:
    """The subgraphs that an operator runs, and whether a matrix is taken transposed."""
    import tflite

    kinds: dict[str, tuple[Any, Any]] = {
        "IF": (tflite.IfOptions, lambda o: (o.ThenSubgraphIndex(), o.ElseSubgraphIndex())),
        "WHILE": (tflite.WhileOptions, lambda o: (o.CondSubgraphIndex(), o.BodySubgraphIndex())),
        "CALL": (tflite.CallOptions, lambda o: (o.Subgraph(),)),
        "CALL_ONCE": (tflite.CallOnceOptions, lambda o: (o.InitSubgraphIndex(),)),
        "STABLEHLO_COMPOSITE": (tflite.StableHLOCompositeOptions, lambda o: (o.DecompositionSubgraphIndex(),)),
    }
    kind, bodies = kinds.get(name, (None, None))
    if name != "BATCH_MATMUL" and kind is None:
        return (), False
    table = operator.BuiltinOptions2() if name == "STABLEHLO_COMPOSITE" else operator.BuiltinOptions()
    if table is None:
        return (), False
    options = (kind or tflite.BatchMatMulOptions)()
    options.Init(table.Bytes, table.Pos)
    return (tuple(map(int, bodies(options))), False) if bodies else ((), bool(options.AdjX()))
