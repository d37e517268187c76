"""One program made of a package's modules; every Python produces the same text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import PurePosixPath

_PACKAGE, _MAIN = "__init__.py", "__main__.py"


@dataclass
class _Module:
    """A parsed module.

    Attributes:
        docstring: its source text without the quotes.
        needed: paths of the package's modules that it imports from.
        imports: other modules that it imports, with the imported names; no names for ``import module``.
        defined: names that it defines at its top level.
        body: its text without docstring and imports.
    """

    docstring: str = ""
    needed: set[str] = field(default_factory=set)
    imports: dict[str, set[str]] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    body: str = ""


def one_file(modules: Mapping[str, str]) -> str:
    """Join a package's modules into one program: each module comes after those it imports from, ``__main__.py`` comes
    last.

    Names stay as they are, so only one module may define each. The package's modules are imported at the top level as
    ``from .module import name``; these lines are left out. Other imports at the top level are gathered at the start of
    the program.

    Args:
        modules: text by path in the package; the docstring of ``__init__.py`` becomes the program's.

    Raises:
        ValueError: a name is defined twice, or a module imports in another way or what Python itself lacks.
    """
    parts = {path: _taken_apart(path, modules[path], modules) for path in sorted(modules)}
    _refuse_doubles(parts)
    parts[_MAIN].needed |= parts.keys() - {_MAIN}
    imports: dict[str, set[str]] = {}
    for part in parts.values():
        for module, names in part.imports.items():
            imports.setdefault(module, set()).update(names)
    plain = [f"import {module}" for module, names in sorted(imports.items()) if not names]
    named = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(imports.items()) if names]
    head = "\n".join([f'"""{parts[_PACKAGE].docstring}"""', "", *plain, *named])
    bodies = [f"#: {path}\n\n{parts[path].body}" for path in _in_order(parts) if parts[path].body]
    return "\n\n\n".join([head, *bodies]) + "\n"


def _in_order(parts: Mapping[str, _Module]) -> Iterator[str]:
    """Paths, each after its dependencies; the order depends on the modules alone."""
    sorter = TopologicalSorter({path: part.needed for path, part in parts.items()})
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)


def _refuse_doubles(parts: Mapping[str, _Module]) -> None:
    owner: dict[str, str] = {}
    for path, part in parts.items():
        for name in part.defined:
            if owner.setdefault(name, path) != path:
                raise ValueError(f"{owner[name]} and {path} both define '{name}'")


def _taken_apart(path: str, text: str, modules: Iterable[str]) -> _Module:
    module = _Module()
    lines: list[str | None] = list(text.split("\n"))  # as ast counts: a form feed ends no line
    for node in ast.parse(text).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.lineno == 1:
            module.docstring = str(node.value.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _imported(module, path, node, modules)
        else:
            _refuse_inner(path, node)
            module.defined |= _defined(node)
            continue
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        lines[node.lineno - 1 : node.lineno - 1 + count] = [None] * count
    module.body = "\n".join(line for line in lines if line is not None).strip("\n")
    return module


def _refuse_inner(path: str, node: ast.stmt) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and inner.level:
            raise ValueError(f"{path}: line {inner.lineno}: own modules are imported at the top")


def _imported(module: _Module, path: str, node: ast.Import | ast.ImportFrom, modules: Iterable[str]) -> None:
    """Record the names in one import statement at the top level of a module."""
    if any(alias.asname for alias in node.names):
        raise ValueError(f"{path}: line {node.lineno}: a name can't be changed by its import")
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
    foreign = {name.partition(".")[0] for name in names} - (sys.stdlib_module_names - {"__future__"})
    if foreign and (isinstance(node, ast.Import) or not node.level):
        # the program's top is read before the job's packages can be found, and by boards that lack this one
        raise ValueError(f"{path}: line {node.lineno}: {', '.join(sorted(foreign))} can't be imported at the top")
    if isinstance(node, ast.Import):
        for alias in node.names:
            module.imports.setdefault(alias.name, set())
    elif not node.level:
        module.imports.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    else:
        folder = PurePosixPath(path).parents[node.level - 1]
        needed = str(folder / f"{(node.module or '').replace('.', '/')}.py")
        if needed not in modules:
            raise ValueError(f"{path}: line {node.lineno}: there is no module {needed} to import from")
        module.needed.add(needed)


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement at the top level of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        words = (word for target in targets for word in ast.walk(target) if isinstance(word, ast.Name))
        return {word.id for word in words if isinstance(word.ctx, ast.Store)}
    if isinstance(node, ast.If):
        return {name for child in [*node.body, *node.orelse] for name in _defined(child)}
    return set()
