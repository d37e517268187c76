"""One record says what a clock's numbers are; nothing else spells a unit."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from harness.core import clock
from harness.core.clock import CLOCKS, clock_of

PACKAGE = Path(clock.__file__).parents[1]
#: Texts that are a unit, or end a column's name with one.
UNIT = re.compile(r"ms|.*[_ (]ms\)?|.*\bms \(emulated\).*|.*minstr.*|.*million.instructions.*|.*M instr.*", re.DOTALL)


def test_no_two_clocks_share_a_name() -> None:
    for attribute in ("key", "unit", "column"):
        assert len({getattr(each, attribute) for each in CLOCKS}) == len(CLOCKS)
    assert [each.key for each in CLOCKS] == ["real", "emulated", "emulated-wall", "real-instructions"]


def test_units_get_shorter() -> None:
    counted = clock_of(True, "instructions")
    assert (counted.unit, counted.progress_unit, counted.short_unit) == (
        "million instructions", "M instructions", "M instr.",
    )  # fmt: skip
    timed = clock_of(True, "wall")
    assert timed.unit == timed.progress_unit == timed.short_unit == "ms (emulated)"


def test_an_unknown_clock_is_an_error() -> None:
    with pytest.raises(KeyError):
        clock_of(False, "sundial")


def spelled(path: Path) -> list[str]:
    """``file:line`` of every unit that a module spells, docstrings aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and UNIT.fullmatch(node.value)
    ]


def test_no_module_but_this_spells_a_unit() -> None:
    rooms = [path for path in PACKAGE.rglob("*.py") if path != Path(clock.__file__) and "ondevice" not in path.parts]
    assert [place for path in rooms for place in spelled(path)] == []
    assert spelled(Path(clock.__file__))  # the pattern finds units where they are
