"""Adding a figure is one file and one line, as docs/adding-a-figure.md says: done in a copy of the package, and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.made.cells import make_cell, make_run
from tests.conftest import REPOSITORY
from tests.support.harness_copy import copied


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package that has the figure of the docs, and with a made-up run."""
    folder = tmp_path_factory.mktemp("adding")
    copied(folder)
    text = (REPOSITORY / "docs" / "adding-a-figure.md").read_text()
    (name,) = re.findall(r"`harness/report/figures/(\w+)\.py`, draws", text)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (line,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    figures = folder / "harness" / "report" / "figures"
    (figures / f"{name}.py").write_text(code)
    registry = figures / "__init__.py"
    last = '    "timeline",\n'
    assert registry.read_text().count(last) == 1
    registry.write_text(registry.read_text().replace(last, line + last))
    make_run(folder / "results", [make_cell(), make_cell("squeezenet", parameters=90_000)])
    return folder


def run(place: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, *words], cwd=place, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plot_takes_its_name(place: Path) -> None:
    run(place, "-m", "harness", "report", "--plot", "parameters", "--format", "svg", "--out", "one")
    assert [path.name for path in (place / "one").rglob("*.*")] == ["parameters.svg"]


def test_the_page_has_it(place: Path) -> None:
    run(place, "-m", "harness", "report", "--format", "svg", "--out", "all")
    page = (place / "all" / "index.html").read_text()
    assert '<h2 id="s-parameters">Accuracy against parameters</h2>' in page
    assert "Scatter of accuracy in percent against parameters of 2 artifacts." in page


def test_the_contract_covers_it_untouched(place: Path) -> None:
    wanted = "parameters or names_are_unique"
    said = run(place, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_figures.py", "-k", wanted)
    assert "4 passed" in said
