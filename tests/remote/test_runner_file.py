"""The runner as one file: whole, the same wherever it is made, and refused where its modules would not fit together."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.core.files import sha256_bytes
from harness.remote.one_file import one_file
from harness.remote.runner_file import modules_in, runner_bytes, runner_file, runner_modules, runner_sha256
from tests.conftest import REPOSITORY
from tests.support.pythons import OLD_PYTHONS

INIT, MAIN = '"""What it is."""\n', "from .a import twice\n\nprint(twice(21))\n"


def top_names(text: str) -> list[str]:
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_everything_that_modules_define_is_in_it_once() -> None:
    expected = [name for text in runner_modules().values() for name in top_names(text)]
    assert sorted(top_names(runner_bytes().decode())) == sorted(expected)
    assert len(expected) > 30


def test_nothing_of_the_package_is_imported_in_it() -> None:
    nodes = list(ast.walk(ast.parse(runner_bytes())))
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


def test_its_syntax_is_python_3_6s() -> None:
    ast.parse(runner_bytes(), feature_version=(3, 6))


@pytest.mark.skipif(OLD_PYTHONS["3.6"] is None, reason="no Python 3.6 here")
def test_a_real_python_3_6_takes_it() -> None:
    done = subprocess.run(
        [str(OLD_PYTHONS["3.6"]), "-W", "error", str(runner_file()), "--help"], check=True, capture_output=True
    )
    assert b"--job" in done.stdout


def test_its_hash_names_the_file() -> None:
    assert runner_file().read_bytes() == runner_bytes()
    assert runner_sha256() == sha256_bytes(runner_bytes())


def test_the_order_in_which_modules_are_found_does_not_matter() -> None:
    modules = runner_modules()
    assert one_file(dict(reversed(modules.items()))) == one_file(modules)


def test_a_zip_of_the_harness_makes_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "harness.zip", "w") as archive:
        for path in sorted((REPOSITORY / "harness").rglob("*.py")):
            archive.write(path, path.relative_to(REPOSITORY))
    code = "from harness.remote import runner_file as r; print(r.__file__, r.runner_sha256())"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path, text=True,
        env={"PYTHONPATH": str(tmp_path / "harness.zip"), "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    file, sha256 = done.stdout.split()
    assert "harness.zip" in file
    assert sha256 == runner_sha256()


def test_modules_become_a_program() -> None:
    text = one_file({
        "__init__.py": INIT, "__main__.py": MAIN, "a.py": "import math\n\nfrom .sub.b import two\n\n\n"
        "def twice(x: float) -> float:\n    return math.floor(two * x)\n", "sub/b.py": "# two\ntwo = 2\n",
        "sub/__init__.py": "",
    })  # fmt: skip
    assert text.startswith('"""What it is."""\n\nimport math\n\n')
    assert text.index("two = 2") < text.index("def twice") < text.index("print(")
    assert subprocess.run([sys.executable, "-c", text], check=True, capture_output=True).stdout == b"42\n"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"b.py": "def twice() -> None: ...\n"}, "a.py and b.py both define 'twice'"),
        ({"b.py": "x, twice = 1, 2\n"}, "a.py and b.py both define 'twice'"),
        ({"b.py": "if True:\n    twice = 2\n"}, "a.py and b.py both define 'twice'"),
        ({"b.py": "from .a import twice as t\n"}, "b.py: line 1: a name can't be changed by its import"),
        ({"b.py": "import json as j\n"}, "b.py: line 1: a name can't be changed by its import"),
        ({"b.py": "from .c import d\n"}, "b.py: line 1: there is no module c.py to import from"),
        ({"b.py": "from . import a\n"}, "b.py: line 1: there is no module"),
        ({"b.py": "def f() -> None:\n    from .a import twice\n"}, "b.py: line 2: own modules are imported at the top"),
    ],
)
def test_what_would_not_fit_together_is_refused(changed: dict[str, str], complaint: str) -> None:
    modules = {"__init__.py": INIT, "__main__.py": MAIN, "a.py": "def twice(x: int) -> int:\n    return 2 * x\n"}
    with pytest.raises(ValueError, match=complaint):
        one_file(modules | changed)


@pytest.mark.parametrize(
    "line", ["import numpy", "from tflite_runtime import interpreter", "from __future__ import annotations"]
)
def test_only_pythons_own_modules_are_imported_at_the_top(line: str) -> None:
    """The runtime would be imported before its packages can be found, on every board."""
    with pytest.raises(ValueError, match=r"a\.py: line 1: \w+ can't be imported at the top"):
        one_file({"__init__.py": INIT, "__main__.py": MAIN, "a.py": f"{line}\n\ndef twice(x):\n    return x + x\n"})


def test_a_form_feed_is_no_line() -> None:
    text = one_file(
        {
            "__init__.py": INIT,
            "__main__.py": MAIN,
            "a.py": "X = 1\n\x0c\nimport os\n\ndef twice(x):\n    return x + x\n",
        }
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, check=True).stdout == b"42\n"


def test_what_editors_leave_is_no_module(tmp_path: Path) -> None:
    for name in (".#measure.py", "._measure.py"):
        (tmp_path / name).write_bytes(b"\xff")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints/measure.py").write_text("X = 1\n", encoding="utf-8")
    (tmp_path / "measure.py").write_text("X = 1\n", encoding="utf-8")
    assert dict(modules_in(tmp_path)) == {"measure.py": "X = 1\n"}
