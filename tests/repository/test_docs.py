"""The guide: every command in it is run, or says why it isn't and is at least parsed; no link is dead.

Commands are the lines that start with ``$`` in fenced ``console`` blocks of the guide's pages, and all lines of ``sh``
and ``bash`` blocks in the README. ``<!-- not run: reason -->`` before a block leaves it out.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.app import app
from tests.conftest import MODELS, REPOSITORY
from tests.support.browser import axe, browser, complaints

DOCS = REPOSITORY / "docs"
#: In the order in which their commands are run: later pages use what earlier ones made.
GUIDE = (
    "quick-start", "your-own-network", "your-own-data", "real-board", "model-files", "adding-a-network",
    "adding-a-board", "adding-a-runtime",
    "adding-a-data-set", "adding-a-figure", "ci",
)  # fmt: skip
PAGES = [REPOSITORY / "README.md", *(DOCS / f"{name}.md" for name in GUIDE)]
NETWORKS = ("mobilenet-v3-small", "resvgg19-pruned")
#: How many commands of the guide are not run here; raise it with a reason only. Five of them need a board, and
#: tests/strange/test_guide.py runs them with an emulated one.
NOT_RUN = 28
_BLOCK = re.compile(r"(?:<!-- not run: ([^\n]*?) -->\s*)?^ *```(console|sh|bash)\n(.*?)^ *```", re.M | re.S)


@dataclass(frozen=True)
class Command:
    page: str
    line: str
    why_not: str | None


def commands(page: Path) -> list[Command]:
    found = []
    for why_not, language, block in _BLOCK.findall(page.read_text()):
        for line in block.splitlines():
            text = line.strip()
            if language == "console" and not text.startswith("$ "):
                continue
            text = re.sub(r"\s+# .*", "", text.removeprefix("$ "))
            found.append(Command(page.name, text, why_not or None))
    return found


ALL = [command for page in PAGES for command in commands(page)]


def test_every_page_has_commands_and_few_are_left_out() -> None:
    assert {command.page for command in ALL} == {page.name for page in PAGES}
    assert sum(bool(command.why_not) for command in ALL) == NOT_RUN
    assert sum(not command.why_not for command in ALL) >= 12


@pytest.mark.parametrize("command", ALL, ids=lambda c: f"{c.page}: {c.line[:60]}")
def test_every_command_is_one(command: Command) -> None:
    """Parsed as the program would, without running it."""
    program, *words = shlex.split(command.line.split(" >")[0])
    if program == "harness":
        parse(words)
    elif program == "make":
        assert re.search(rf"^{re.escape(words[0])}:", (REPOSITORY / "Makefile").read_text(), re.M)
    elif program == "python":
        assert words[0] == "-m"
        assert importlib.util.find_spec(words[1])
    else:
        assert program in ("ssh", "ssh-keygen", "ssh-copy-id", "cp"), command.line


def parse(words: list[str]) -> None:
    """As the command line does; a mistake is an exception, and nothing is run."""
    group = get_command(app)
    context = group.make_context("harness", list(words))
    while hasattr(group, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, group, rest = group.resolve_command(context, rest)
        assert group is not None
        context = group.make_context(name, rest, parent=context)


def test_parsing_finds_mistakes() -> None:
    parse(["emulate", "ssh", "pi4", "uname", "-m"])
    for wrong in (["report", "--fromat", "svg"], ["buld"], ["compare", "one-run"], ["emulate", "boot"]):
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            parse(wrong)


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), *sorted(REPOSITORY.glob("*.md"))], ids=lambda p: p.name)
def test_no_link_is_dead(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if part:
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert part in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, link


def test_the_index_names_every_page() -> None:
    text = (DOCS / "index.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = str(page.relative_to(DOCS))
        assert name == "index.md" or f"({name}" in text, name


@pytest.mark.slow
def test_the_guide_works_as_written(tmp_path: Path, cache: Path) -> None:
    """All commands in order, in a project with two small networks and this machine as its only board."""
    for name in NETWORKS:
        (tmp_path / "models" / name).mkdir(parents=True)
        for file in ("manifest.json", "int8.tflite"):
            shutil.copy(MODELS / name / file, tmp_path / "models" / name)
    (board,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "quick-start.md").read_text(), re.S)
    # whether numbers are steady is not what is tested here, and a build machine is seldom quiet
    limits = (
        "waited", "dispersion", "drift", "others", "stolen", "memory_stall", "clock_step_s", "frequency_drop",
        "machine",
    )  # fmt: skip
    calm = ", ".join(f"{name}: null" for name in limits)
    (tmp_path / "here.yaml").write_text(board.replace("}", f", thresholds: {{{calm}}}}}"))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (prepare,) = re.findall(r"```python\n(.*?)```", (DOCS / "your-own-network.md").read_text(), re.S)
    subprocess.run([sys.executable, "-c", prepare], cwd=tmp_path, check=True, capture_output=True)
    prepared = DOCS / "your-own-data.md"
    (draw,) = re.findall(r"```python\n(.*?)```", prepared.read_text(), re.S)
    subprocess.run([sys.executable, "-c", draw], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "tasks" / "shapes.yaml").write_text(re.findall(r"```yaml\n(.*?)```", prepared.read_text(), re.S)[0])
    for command in ALL:
        if command.why_not:
            continue
        done = subprocess.run(
            ["bash", "-ec", command.line], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
            env=environment,
        )  # fmt: skip
        told = f"{command.page}: {command.line}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        # a doctor that finds something wrong with this machine has worked; so has a comparison whose gate trips, but
        # not one that didn't find its runs
        assert done.returncode in ((0, 1) if re.match(r"harness (doctor|compare)", command.line) else (0,)), told
        assert not re.search(r"^harness: ", done.stderr, re.M), told
        assert "Traceback" not in done.stderr, told
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "quick-start.md").read_text(), re.S)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    for name in ("reports/index.html", "reports/compare.html", "reports/history.html", "cells.csv", "benchmark.json"):
        assert (tmp_path / name).stat().st_size > 0, name
    with browser() as driver:  # pages of what was really measured, not of made-up cells
        for page in sorted((tmp_path / "reports").glob("*.html")):
            assert complaints(driver, page) == [], page.name
            assert axe(driver) == [], page.name
