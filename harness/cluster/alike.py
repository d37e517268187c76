"""Whether workers would do what this process does: the same Python, the same harness, the same libraries.

A worker with another version may compute other numbers without any error, so it is refused.
"""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.core.errors import ClusterError
from harness.core.files import sha256_bytes

if TYPE_CHECKING:
    import distributed

#: What client, scheduler and workers must have in one version to understand each other.
PROTOCOL = ("dask", "distributed", "cloudpickle", "msgpack")
Versions = Mapping[str, str]


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python, the harness and packages in this process; ``absent`` where one isn't installed."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "harness": f"{__version__} ({source()})"}
    for name in (name for name in packages if name not in found):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


@functools.cache
def source() -> str:
    """A short hash of the harness's own code: one version number may stand for many states of a checkout."""
    root = Path(__file__).parents[1]
    files = sorted(path for path in root.rglob("*.py"))
    texts = (f"{path.relative_to(root).as_posix()} {sha256_bytes(path.read_bytes())}" for path in files)
    return sha256_bytes("\n".join(texts).encode())[:12]


def check_alike(client: distributed.Client, packages: Sequence[str] = ()) -> None:
    """Check that all workers of a cluster have the versions of this process.

    Args:
        packages: those that count besides Dask's own, by the names of their distributions.

    Raises:
        ClusterError: one has others, or the harness isn't installed there.
    """
    wanted = (*PROTOCOL, *packages)
    try:
        answers: Mapping[str, Versions | BaseException] = client.run(versions, wanted, on_error="return")
    except Exception as error:  # whatever unpickling raised over there, where the harness may be missing
        raise _unlike("a worker", error) from error
    mine = versions(wanted)
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, BaseException):
            raise _unlike(f"worker {worker}", answer)
        if other := differing(mine, answer):
            raise ClusterError(f"worker {worker} has {other}", fix="install the same versions there")


def _unlike(who: str, error: BaseException) -> ClusterError:
    text = " ".join(str(error).split())[:300]
    return ClusterError(f"{who} can't say its versions: {text}", fix="install this harness there")


def differing(mine: Versions, others: Versions) -> str:
    """The first difference in words; empty where there is none."""
    for name, version in mine.items():
        if (other := others.get(name, "absent")) != version:
            return f"{name} {other}, and here it is {version}"
    return ""
