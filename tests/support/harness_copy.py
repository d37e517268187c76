"""A copy of the harness that a test may add files to, and its programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import MODELS, REPOSITORY


def copied(folder: Path) -> Path:
    """The harness, its tests and what these share with benchmarks in ``folder``, with the models there are."""
    for name in ("harness", "tests", "benchmarks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    (folder / "models").symlink_to(MODELS)
    return folder


def add_line(file: Path, after: str, line: str) -> None:
    """Put ``line`` behind the one line that is ``after``."""
    text = file.read_text(encoding="utf-8")
    assert text.count(f"{after}\n") == 1, f"{file}: {after!r}"
    file.write_text(text.replace(f"{after}\n", f"{after}\n{line}\n"), encoding="utf-8")


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m`` words, with the copy's harness."""
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, check=False, timeout=300,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
