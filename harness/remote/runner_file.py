"""The runner as one file, built from its package's modules; its name on a board is its content hash."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir
from harness.remote.one_file import one_file

#: CPython 3.11 counts the depth of a syntax tree once for all threads: two that parse at the same time fail with
#: "AST constructor recursion depth mismatch".
_PARSING = threading.Lock()


def runner_bytes() -> bytes:
    """The runner's bytes, as shipped."""
    with _PARSING:
        return _joined()


@functools.cache
def _joined() -> bytes:
    return one_file(runner_modules()).encode()


@functools.cache
def runner_sha256() -> str:
    """Its content hash, which is its name on a board."""
    return sha256_bytes(runner_bytes())


def runner_file() -> Path:
    """The runner as a file on this machine."""
    path = cache_dir() / "runner" / f"{runner_sha256()}.py"
    if not path.is_file() or path.read_bytes() != runner_bytes():
        write_atomic(path, runner_bytes())
    return path


def runner_modules() -> dict[str, str]:
    """The text of the runner's modules by path, ``runtimes/litert.py``. They are read as resources, since the harness
    may itself be run from a zip."""
    return dict(sorted(modules_in(resources.files("harness.ondevice").joinpath("runner"))))


def modules_in(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        # editors and file systems leave `.#measure.py`, `._measure.py` and `.ipynb_checkpoints/` beside modules
        if not entry.name.removesuffix(".py").isidentifier():
            continue
        if entry.name.endswith(".py"):
            yield prefix + entry.name, entry.read_text(encoding="utf-8")
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from modules_in(entry, f"{prefix}{entry.name}/")
