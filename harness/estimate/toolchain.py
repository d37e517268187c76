"""Finding and running the programs that an estimate needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from harness.core.errors import EstimateError

#: Versions of LLVM that are searched by name (``llvm-mca-19``), newest first. Debian 12 has 14 to 19, Ubuntu 24.04 has
#: 14 to 20; the plain name is searched as well.
_VERSIONS = range(30, 13, -1)
#: Time limit of a call of a compiler or of LLVM, in seconds.
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Llvm:
    """The two programs of one LLVM: ``mc`` disassembles, ``mca`` estimates the cost of a piece of code."""

    mc: str
    mca: str
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


def find_llvm(least: int) -> Llvm:
    """The newest LLVM on PATH that has ``llvm-mc`` and ``llvm-mca``.

    Raises:
        EstimateError: there is none, or it is older than version ``least``.
    """
    newest = _newest_llvm(os.environ.get("PATH", ""))
    if newest is None or newest.major < least:
        what = f"only version {newest.version} of it is" if newest else "it is not"
        raise EstimateError(
            f"estimated cycles need llvm-mca {least} or newer, and {what} installed",
            fix="sudo apt-get install llvm-19",
        )
    return newest


@cache
def _newest_llvm(path: str) -> Llvm | None:
    """Find the newest LLVM; ``path`` is the value of PATH, so that a change of PATH is noticed despite the cache."""
    present = []
    for suffix in ("", *(f"-{version}" for version in _VERSIONS)):
        mc, mca = shutil.which(f"llvm-mc{suffix}", path=path), shutil.which(f"llvm-mca{suffix}", path=path)
        if mc and mca:
            version = re.search(r"LLVM version (\d+(?:\.\d+)*)", run([mca, "--version"]).stdout)
            if version:
                present.append(Llvm(mc, mca, version[1]))
            if suffix and version:
                break  # the plain name may be newer than the newest numbered one, but no other number is
    return max(present, key=lambda llvm: llvm.major, default=None)


def need(program: str, package: str) -> str:
    """The path of a program.

    Raises:
        EstimateError: it is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise EstimateError(
            f"estimated cycles need {program}, which is not installed", fix=f"sudo apt-get install {package}"
        )
    return path


def run(argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program. Its exit status and what it said are the caller's to judge.

    Raises:
        EstimateError: it can't be started, or did not end in time.
    """
    try:
        return subprocess.run(
            argv,
            input=stdin if stdin is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise EstimateError(f"{argv[0]} can't be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise EstimateError(f"{argv[0]} did not end within {_TIMEOUT_S:.0f} s") from error
