"""Functions that an ONNX file defines for itself: put in where they are called, so that all operators are seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.safetext import clean
from harness.modelfile.source import Source

#: Nodes after all functions are put in. Functions that call each other twice double at each level.
MAX_NODES = 100_000
_MAX_FUNCTIONS, _MAX_DEPTH = 5_000, 50
_Key = tuple[str, str, str]


def inlined(source: Source, model: Any) -> Any:
    """The model without functions of its own.

    Raises:
        ModelFileError: its functions call themselves, or would become too many nodes.
    """
    if not model.functions:
        return model
    if len(model.functions) > _MAX_FUNCTIONS:
        raise source.error(f"has {len(model.functions):,} functions of its own, more than any real model")
    functions = {_key(one): one for one in model.functions}
    if _size(model.graph, functions, source, {}, above=()) > MAX_NODES:
        raise source.error(f"its functions would become over {MAX_NODES:,} nodes")
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # the library is compiled, and its exceptions have no common class
        raise source.error(f"its functions can't be put in: {clean(error, 200)}", fix="export it again") from error


def _key(one: Any) -> _Key:
    return one.domain, getattr(one, "op_type", "") or one.name, getattr(one, "overload", "")


def _size(
    graph: Any, functions: Mapping[_Key, Any], source: Source, known: dict[_Key, int], *, above: tuple[_Key, ...]
) -> int:
    """The number of nodes that a graph or a function becomes."""
    total = 0
    for node in graph.node:
        total += 1
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                total += _size(inner, functions, source, known, above=above)
        key = (node.domain, node.op_type, node.overload)
        if key not in functions:
            continue
        if key in above or len(above) > _MAX_DEPTH:
            raise source.error(f"its function '{clean(node.op_type, 100)}' calls itself, or others too deep")
        if key not in known:
            known[key] = _size(functions[key], functions, source, known, above=(*above, key))
        total += known[key]
    return total
