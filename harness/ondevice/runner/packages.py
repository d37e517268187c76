"""The version and build of a runtime, from the metadata that its wheel leaves beside it."""

import os
from types import ModuleType
from typing import List, Optional

from .files import names_in, read


def package_version(module: str) -> Optional[str]:
    """The version of a package; None if unknown.

    It comes from the name of the wheel's metadata folder. importlib.metadata is the fallback only, because its import
    takes as long as the start of the interpreter.
    """
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__import__(module).__file__ or "")))
    for entry in names_in(folder):
        if entry.lower().startswith(module.lower() + "-") and entry.endswith(".dist-info"):
            return entry[len(module) + 1 : -len(".dist-info")]
    name = module.replace("_", "-")
    try:
        from importlib import metadata

        return metadata.version(name)
    except Exception:
        try:
            return str(__import__("pkg_resources").get_distribution(name).version)
        except Exception:
            return getattr(__import__(module), "__version__", None)


def wheel_tags(module: ModuleType) -> str:
    """The tags of the runtime's wheel: the Python, C library and machine that it was built for."""
    folder, package = os.path.split(os.path.dirname(os.path.abspath(module.__file__ or "")))
    tags: List[str] = []
    for entry in sorted(os.listdir(folder)):
        if entry.endswith(".dist-info") and entry.split("-")[0].lower() == package.lower():
            text = read(os.path.join(folder, entry, "WHEEL")) or ""
            tags += [line[5:] for line in text.splitlines() if line.startswith("Tag: ")]
    return " ".join(tags)[:500]
