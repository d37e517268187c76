"""Cells for small reports, and what their files hold."""

from __future__ import annotations

import csv
import hashlib
import io
from html.parser import HTMLParser
from pathlib import Path

from benchmarks.made.cells import device, make_cell
from harness.records.cell import Cell

HERE = device("here", "generic", emulated=False)
EVIL = "<script>alert(1)</script>\x1b[31m</title>$x^2$ \u202e`|*"


def few() -> list[Cell]:
    """Two boards on which the pruned network wins, and two cells without numbers."""
    networks = (("resvgg19-pruned", 3.9, 0.96), ("ghostnet", 5.0, 0.9))
    cells = [
        make_cell(name, variant, board, median_ms=ms, accuracy=accuracy)
        for name, ms, accuracy in networks
        for variant in ("fp32", "int8")
        for board in (device(), HERE)
    ]
    failed = make_cell("squeezenet", status="FAILED", evidence={"stderr": EVIL})
    return [*cells, make_cell("mnasnet", status="INVALID"), failed]


def rows(path: Path) -> list[dict[str, str]]:
    """A table of the report, from its CSV file."""
    return list(csv.DictReader(io.StringIO(path.read_text())))


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder, by its path there."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


class Scripts(HTMLParser):
    """Counts what could run, and what could be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.addresses: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]
