"""Text is UTF-8 whatever the locale: no text file and no program's output is opened without saying so."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDERS = ("harness", "tools", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))

#: where the mode stands among the arguments of what opens a file, and where the encoding may
OPENERS = {"open": (1, 3), "fdopen": (1, 3), "NamedTemporaryFile": (0, None), "TemporaryFile": (0, None)}
#: methods of paths: the place of their encoding
TEXT_METHODS = {"read_text": 0, "write_text": 1}
SUBPROCESS = {"run", "Popen", "check_output", "check_call", "call"}
#: calls of these names that open no file here
OTHERS = {
    ("os", "open"),
    ("Image", "open"),
    ("tarfile", "open"),
    ("zipfile", "open"),
    ("connection", "open"),
    ("task", "open"),
}


def without_encoding(call: ast.Call) -> bool:
    """Whether a call opens text and leaves the encoding to the locale. Ruff's rule sees only what it can infer."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = _last_name(function.value) if isinstance(function, ast.Attribute) else ""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in given or (owner, name) in OTHERS:
        return False
    if name in SUBPROCESS and owner == "subprocess":
        return any(_true(given.get(key)) for key in ("text", "universal_newlines")) or "errors" in given
    if name in TEXT_METHODS:
        return len(call.args) <= TEXT_METHODS[name]
    if name not in OPENERS:
        return False
    place, encoding = OPENERS[name]
    method = isinstance(function, ast.Attribute) and owner not in ("os", "io", "gzip", "bz2", "lzma", "tempfile")
    place -= method and name == "open"  # path.open(mode)
    if encoding is not None and len(call.args) > encoding - method:
        return False
    mode = given.get("mode", call.args[place] if len(call.args) > place else None)
    if mode is None:
        return "File" not in name and owner not in ("gzip", "bz2", "lzma")
    return (
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and "b" not in mode.value
        and (mode.value[:1] in "rwax")
    )


def _last_name(owner: ast.expr) -> str:
    """``task`` of ``task`` and of ``self.task``."""
    return owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")


def _true(value: ast.expr | None) -> bool:
    return value is not None and not (isinstance(value, ast.Constant) and not value.value)


def offences(source: str) -> list[int]:
    return [n.lineno for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and without_encoding(n)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_text_file_is_opened_as_utf_8(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "open(p)", "open(p, 'w')", "p.open()", "p.open('a')", "p.read_text()", "p.write_text(x)", "os.fdopen(1)",
        "subprocess.run(x, text=True)", "subprocess.Popen(x, universal_newlines=True)", "subprocess.run(x, errors='a')",
        "gzip.open(p, 'rt')", "tempfile.NamedTemporaryFile('w')",
    ],
)  # fmt: skip
def test_the_rule_sees(line: str) -> None:
    assert offences(line) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "open(p, 'rb')", "open(p, encoding='utf-8')", "p.open('rb')", "p.read_text('utf-8')", "os.open(p, 0)",
        "p.write_text(x, encoding='ascii')", "subprocess.run(x, capture_output=True)", "gzip.open(p)",
        "subprocess.run(x, text=True, encoding='utf-8')", "tempfile.NamedTemporaryFile()", "p.write_bytes(x)",
    ],
)  # fmt: skip
def test_the_rule_leaves_alone(line: str) -> None:
    assert offences(line) == []
