"""Names of an ONNX file's operators and tensors that depend on the network alone.

The converter numbers what it adds (``Conv__26``), and its numbers come from all that the process has converted and from
the order of Python's sets, which is another one in each process. A file's hash would be, too.
"""

from __future__ import annotations

import re
from typing import Any

_NUMBERED = re.compile(r"^(.*?)((?:__\d+)+)(:\d+)?$")


class _Numbers:
    """New numbers for names, in the order in which they are first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> str:
        """The name with its new number; a name without a number stays."""
        parts = _NUMBERED.match(name)
        if parts is None:
            return name
        stem, _, output = parts.groups()
        number = self._known.setdefault(name.removesuffix(output or ""), len(self._known) + 1)
        return f"{stem}__{number}{output or ''}"


def number_anew(model: Any) -> None:
    """Number the operators and tensors of an ``onnx.ModelProto`` by their order, and sort its constants by name.

    Its text goes: the converter puts a number of TensorFlow's there, which counts what the process has traced.
    """
    numbers, graph = _Numbers(), model.graph
    graph.ClearField("doc_string")
    for node in graph.node:
        inputs, outputs = [numbers.of(name) for name in node.input], [numbers.of(name) for name in node.output]
        node.name = numbers.of(node.name)
        node.ClearField("input")
        node.ClearField("output")
        node.input.extend(inputs)
        node.output.extend(outputs)
    for tensors in (graph.initializer, graph.value_info, graph.input, graph.output):
        for tensor in tensors:
            tensor.name = numbers.of(tensor.name)
    graph.initializer.sort(key=lambda tensor: tensor.name)
    graph.value_info.sort(key=lambda tensor: tensor.name)
