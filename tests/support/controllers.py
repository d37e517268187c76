"""Controllers that share results at one address: each with a cache of its own, and what it said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_manifest
from harness.records.cell import Cell, RunInfo
from harness.results import jsonfile, storage, store
from harness.results.objects.mirror import Mirror


class Controller:
    """One controller.

    Attributes:
        said: its lines for people.
        mirror: its storage.
    """

    def __init__(self, home: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        with monkeypatch.context() as patch:
            patch.setenv("HARNESS_CACHE", str(home))
            found = storage.at(url, self.said.append)
        assert isinstance(found, Mirror)
        self.mirror = found

    @contextmanager
    def measuring(self, name: str) -> Iterator[Path]:
        """Work on a run, which is made if it isn't there; its folder."""
        folder = self.mirror.folder / name
        if not folder.exists():
            self.mirror.folder.mkdir(parents=True, exist_ok=True)
            store.create_run(self.mirror.folder, info(name))
        with self.mirror.claimed(folder, self.said.append):
            yield folder

    def keep(self, folder: Path, cell: Cell) -> None:
        self.mirror.kept(store.write_cell(folder, cell))

    def measure(self, name: str, cells: Sequence[Cell]) -> Path:
        """A whole run of these cells, with a manifest."""
        with self.measuring(name) as folder:
            path = folder / "manifests" / "resvgg19.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(jsonfile.dump(make_manifest("resvgg19")), encoding="utf-8")
            self.mirror.kept(path)
            for cell in cells:
                self.keep(folder, cell)
            assert self.mirror.settled() == ()
        return folder


def info(name: str, started: str = "2026-11-22T20:00:00Z") -> RunInfo:
    return RunInfo(run=name, started=started, harness="0.1.0", devices=("pi4",), planned=())


def some_cells(count: int, run: str = "r") -> list[Cell]:
    return [make_cell(threads=threads, run=run) for threads in range(1, count + 1)]


def content(folder: Path) -> dict[str, bytes]:
    """The files of a run by their names, without what is hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
