"""The runner as a file on this machine, and its name on a board."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir


@functools.cache
def runner_bytes() -> bytes:
    """The runner, as shipped."""
    return resources.files("harness.ondevice").joinpath("runner.py").read_bytes()


@functools.cache
def runner_sha256() -> str:
    """Its content hash, which is its name on a board."""
    return sha256_bytes(runner_bytes())


def runner_file() -> Path:
    """The runner as a file on this machine (the package may be a zip)."""
    path = cache_dir() / "runner" / f"{runner_sha256()}.py"
    if not path.is_file() or path.read_bytes() != runner_bytes():
        write_atomic(path, runner_bytes())
    return path
