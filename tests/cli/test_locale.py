"""In a locale that isn't UTF-8 every command writes the same files and prints without an error."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_run
from harness.records import cell as records
from tests.support import ckplus_writer as made

pytestmark = pytest.mark.slow

WORDS = "Küche „Pi“ – naïve …"


@pytest.fixture(scope="session")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody whose locale is German in Latin-1."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here: apt-get install locales")
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE")]
    if subprocess.run(command, capture_output=True, check=False).returncode not in (0, 1):
        pytest.skip("no sources of locales here: apt-get install locales")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE"}


ASCII = {"LC_ALL": "C"}
UTF8 = {"LC_ALL": "C.UTF-8"}


def harness(where: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    off = {} if where is UTF8 else {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    keep = {key: text for key, text in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHONIO"))}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=folder, capture_output=True, check=False, timeout=300,
        env={**keep, **off, **where, "HARNESS_CACHE": str(folder / "cache")},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode("latin-1")
    assert b"Error:" not in done.stderr, done.stderr.decode("latin-1")
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs whose texts have what no Latin-1 has."""
    folder = tmp_path_factory.mktemp("place")
    here = device("here", "generic", emulated=False, tags=(WORDS,), os=WORDS)
    for name, factor in (("a", 1.0), ("b", 1.2)):
        cells = [make_cell(model, dev=here, run=name, median_ms=10 * factor) for model in ("ghostnet", "mobilenet-v2")]
        reason = records.Reason(code="unstable", text=WORDS)
        cells.append(make_cell("mnasnet", dev=here, run=name, status="INVALID", reasons=(reason,)))
        make_run(folder / "results", cells, name=name)
    devices = "devices:\n- {name: here, board: generic, local: true, tags: ['" + WORDS + "']}\n"
    made.write(folder / "devices.yaml", devices)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_reports_are_the_same_bytes_in_every_locale(place: Path, latin1: dict[str, str]) -> None:
    found = []
    for name, where in (("utf8", UTF8), ("latin1", latin1), ("ascii", ASCII)):
        out = place / f"out-{name}"
        assert harness(where, place, "report", "a", "b", "--out", str(out), "--format", "svg").returncode == 0
        assert harness(where, place, "report", "--history", "--out", str(out)).returncode == 0
        assert harness(where, place, "compare", "a", "b", "--out", str(out)).returncode == 0
        found.append(digests(out))
        page = (out / "index.html").read_bytes().decode("utf-8")
        assert WORDS in page
        assert "Ã" not in page
    assert found[0] == found[1] == found[2]


#: what to run, and how it ends
COMMANDS = {
    "--help": (0,),
    "doctor --devices Küche.yaml": (2,),
    "doctor": (0, 1),
    "compare a b": (0,),
    "export a --out Ausfuhr-ü.csv": (0,),
    "data check Daten-ü": (0, 1),
    "data check Daten-ü --json": (0, 1),
    "emulate list": (0,),
    "run --devices devices.yaml --only Kürbis": (2,),
}


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_prints_what_it_can(place: Path, latin1: dict[str, str], words: str) -> None:
    made.write_sequence(place / "Daten-ü", "S001_001", 1)
    made.write(place / "Daten-ü/cohn-kanade-images/S001/001/–.txt", "x")
    for where in (latin1, ASCII):
        assert harness(where, place, *words.split()).returncode in COMMANDS[words]


def test_an_escape_stands_for_what_the_locale_lacks(place: Path) -> None:
    done = harness(ASCII, place, "doctor", "--devices", "nicht-da–.yaml")
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert b"nicht-da" in done.stderr
