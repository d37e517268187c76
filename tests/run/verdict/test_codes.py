"""Every reason for which a measurement is not believed has a test that brings it about for real."""

from __future__ import annotations

import ast
import re

from tests.conftest import REPOSITORY

#: Tests in which a real runner measured on a board, behind an SSH server or in QEMU, while something was wrong.
PROOFS = ("run/verdict/test_real.py", "run/verdict/test_qemu.py", "run/verdict/test_rounds.py")


def given() -> set[str]:
    """The codes in the verdict's ``Reason(code="...")`` and the boards' ``Disturbance(code="...")``; a code that is not
    written out there is an error, but for a disturbance's that becomes a reason."""
    judging = (REPOSITORY / "harness/run" / name for name in ("verdict/judge.py", "rounds.py", "golden/comparer.py"))
    files = [*judging, *(REPOSITORY / "harness/boards").glob("*.py")]
    calls = [
        node
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Reason", "Disturbance")
    ]
    codes = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "code"]
    assert len(codes) == len(calls)
    written = [code for code in codes if ast.unparse(code) != "disturbance.code"]
    assert all(isinstance(code, ast.Constant) for code in written)
    return {str(code.value) for code in written if isinstance(code, ast.Constant)}


def asserted(name: str) -> set[str]:
    """The words that a test file's assertions about a cell's codes compare with."""
    found = set()
    for node in ast.walk(ast.parse((REPOSITORY / "tests" / name).read_text())):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
            found |= {
                part.value for part in ast.walk(node.test) if isinstance(part, ast.Constant) and type(part.value) is str
            }
    return found


def test_no_code_is_without_a_proof() -> None:
    proven = set().union(*(asserted(name) for name in PROOFS))
    assert given() <= proven, f"without a proof: {sorted(given() - proven)}"


def test_no_code_is_without_an_explanation() -> None:
    rows = re.findall(r"^\| (?:INVALID|FAILED) ((?:`[a-z-]+`(?:, )?)+)", _page(), re.MULTILINE)
    assert {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)} == given()


def _page() -> str:
    return (REPOSITORY / "docs/measuring.md").read_text()
