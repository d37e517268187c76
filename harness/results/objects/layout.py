"""Which objects belong to a run. Their names become names of files here, so nothing else is taken over."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.results import store

#: The object that says which controller works on a run. It has no file here.
CLAIM = "claim.json"
#: run.json comes last where the order counts: a run without it is not listed.
_LAYOUT = re.compile(r"run\.json|(?:cells|manifests)/[^/\\\x00-\x1f\x7f]{1,240}\.json")


def belongs(name: str) -> bool:
    """Whether an object's name, relative to its run, is that of one of the run's files."""
    return _LAYOUT.fullmatch(name) is not None and not name.rpartition("/")[2].startswith(".")


def limit(name: str) -> int:
    """The most bytes that such a file can have."""
    return store.MAX_CELL_BYTES if name.startswith("cells/") else store.MAX_RUN_BYTES


def files(run_dir: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The run's files here: the name of the object of each, and the file's state."""
    for folder in ("", "cells", "manifests"):
        try:
            with os.scandir(run_dir / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if belongs(name) and entry.is_file(follow_symlinks=False):
                        yield name, entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
