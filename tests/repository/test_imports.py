"""Imports go one way: a room may use what lies before it, never what comes after."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.floors import FLOORS

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "harness"
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
BENCHMARKS = sorted((REPOSITORY / "benchmarks").rglob("*.py"))

LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
TRAINING = "training"
MODULES = sorted(PACKAGE.rglob("*.py"))
RUNNER = PACKAGE / "ondevice" / "runner"


def room_of(path: Path) -> str:
    """The folder a module is in; ``__main__`` and ``__init__`` stand in the package itself."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names of everything a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # the runner's modules are made one file, in which they have no package
                assert path.is_relative_to(RUNNER), f"{path}: relative import"
                continue
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_downwards(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "ondevice"):
        assert not any(name.startswith("harness") for name in imported(path))
        return
    assert room in LEVEL, f"{room}: give the new room its floor in FLOORS"
    for name in imported(path):
        if name.startswith("harness.") and name.count(".") >= 1:
            other = name.split(".")[1]
            if other in LEVEL:
                assert LEVEL[other] < LEVEL[room] or other == room, f"{path}: {room} must not import {other}"
            assert other != "ondevice", f"{path}: the runner is shipped as bytes, not imported"


def test_measuring_needs_no_training() -> None:
    """Lower floors may be used, but a run must work from artifacts alone."""
    for path in (PACKAGE / "run").rglob("*.py"):
        assert not any(name.startswith("harness.training") for name in imported(path)), path


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_training_rooms_import_tensorflow(path: Path) -> None:
    heavy = {name.split(".")[0] for name in imported(path)} & {"tensorflow", "keras", "onnx", "ai_edge_litert"}
    if room_of(path) == "modelfile":
        heavy.discard("onnx")  # the format's own library, without a runtime
    assert not heavy or room_of(path) in (TRAINING, "ondevice"), f"{path} imports {heavy}"


def test_only_the_command_line_exits() -> None:
    for path in MODULES:
        if room_of(path) in ("cli", "ondevice") or path.name == "guard.py":  # both are programs of their own
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("sys.exit", "exit", "os._exit"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Raise) and node.exc is not None:
                assert "SystemExit" not in ast.unparse(node.exc) or "__main__" in path.read_text(), path


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, harness.cli.app; heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'paramiko', 'fabric',"
        " 'pydantic', 'tensorflow', 'rich', 'jinja2'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_no_test_module_is_imported(path: Path) -> None:
    """Helpers that several files share are in ``tests/support`` or, shared with benchmarks, in ``benchmarks/made``."""
    parts = {part for name in imported(path) if name.startswith("tests.") for part in name.split(".")}
    assert not {part for part in parts if part.startswith("test_")}, path


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_benchmarks_import_nothing_from_tests(path: Path) -> None:
    assert not {name for name in imported(path) if name.split(".")[0] == "tests"}, path


def test_the_package_imports_neither_tests_nor_benchmarks() -> None:
    for path in MODULES:
        assert not {name for name in imported(path) if name.split(".")[0] in ("tests", "benchmarks")}, path
