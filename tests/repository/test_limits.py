"""Sizes that keep code readable: of files, functions, parameter lists and calls. An exception needs a reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "harness"
FILE_LINES = 300
FUNCTION_LINES = 40
PARAMETERS = 6
POSITIONAL = 4

#: What may be longer than the limits: "file" or "file:function" -> why.
EXCEPTIONS = {
    "cli/build.py:build": "one parameter an option",
    "cli/compare.py:compare": "one parameter an option",
    "cli/report.py:report": "one parameter an option",
    "cli/reproduce.py:reproduce": "one parameter an option",
    "cli/run.py:run": "one parameter an option",
    "ondevice/agent.py": "one text, handed to a board's `python3 -c`",
    "records/cell.py:cell_id": "one parameter a part of the name",
}
#: Whose calls may have more arguments in a row.
IN_A_ROW = {"data/synthetic/faces.py": "shapes take coordinates in a row, as in drawing libraries"}
MODULES = sorted(PACKAGE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: Function) -> int:
    """Lines from ``def`` to the end, the docstring left out: explaining more is no fault."""
    body = function.body
    docstring = 0
    if (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        docstring = (body[0].end_lineno or 0) - body[0].lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def parameters(function: Function) -> int:
    """Parameters that a caller gives."""
    listed = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in listed if name not in ("self", "cls")])


def excused(*names: str) -> bool:
    return any(name in EXCEPTIONS for name in names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_functions_and_parameter_lists_are_short(path: Path) -> None:
    name = name_of(path)
    size = path.read_text().count("\n")
    assert size <= FILE_LINES or excused(name), f"{name} has {size} lines"
    for function in functions(path):
        where = f"{name}:{function.name}"
        assert lines(function) <= FUNCTION_LINES or excused(where), f"{where} has {lines(function)} lines"
        assert parameters(function) <= PARAMETERS or excused(where), f"{where} has {parameters(function)} parameters"


def defined() -> set[str]:
    """Names of the package's functions and classes whose arguments have names, so not those with ``*args``."""
    named, variadic = set(), set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                named.add(node.name)
                inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
                variadic |= {node.name for init in inits if init.args.vararg}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                (variadic if node.args.vararg else named).add(node.name)
    return named - variadic


def test_calls_name_their_arguments() -> None:
    ours, long = defined(), []
    for path in (path for path in MODULES if name_of(path) not in IN_A_ROW):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and len(node.args) > POSITIONAL:
                called = ast.unparse(node.func).rsplit(".", 1)[-1]
                if called in ours and not any(isinstance(arg, ast.Starred) for arg in node.args):
                    long.append(f"{name_of(path)}:{node.lineno}: {called} has {len(node.args)} positional arguments")
    assert not long, "\n".join(long)


def test_exceptions_are_still_needed() -> None:
    known = {name_of(path) for path in MODULES} | {
        f"{name_of(path)}:{function.name}" for path in MODULES for function in functions(path)
    }
    assert known >= EXCEPTIONS.keys() | IN_A_ROW.keys()
