"""What every command keeps to. A new one passes without a change here."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from harness.cli.app import COMMANDS, app
from tests.conftest import REPOSITORY

#: What costs time to import, so that only a command that runs may do it.
HEAVY = "pandas numpy scipy matplotlib paramiko fabric pydantic tensorflow keras rich jinja2 yaml cryptography onnx"


def test_names_are_unique_and_are_those_of_the_command_line() -> None:
    assert len(set(COMMANDS)) == len(COMMANDS)
    assert list(get_command(app).commands) == list(COMMANDS)  # type: ignore[attr-defined]


def test_each_file_of_a_command_is_in_the_list() -> None:
    """A file that says ``COMMAND = ...`` and is in no list would be a command nobody can call."""
    files = {path.stem for path in (REPOSITORY / "harness" / "cli").glob("*.py") if "\nCOMMAND = " in path.read_text()}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_function_or_a_group_with_a_help_text(name: str) -> None:
    command = importlib.import_module(f"harness.cli.{name}").COMMAND
    if isinstance(command, typer.Typer):
        assert command.info.help
        assert all(inner.callback and inner.callback.__doc__ for inner in command.registered_commands)
    else:
        assert command.__name__ == name
        assert command.__doc__


@pytest.mark.parametrize("name", COMMANDS)
def test_loading_a_command_imports_nothing_heavy(name: str) -> None:
    code = f"import sys, harness.cli.{name}; sys.exit(' '.join(set({HEAVY.split()}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_a_wrong_option_are_answered(name: str) -> None:
    """Also by its group's help, so that each command is found from the top."""
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    with pytest.raises(SystemExit) as left:
        command.main([f"--no-such-option-of-{name}"], prog_name=name)
    assert left.value.code == 2
    with pytest.raises(SystemExit) as left:
        command.main(["--help"], prog_name=name)
    assert left.value.code == 0


GREET = '''
"""``harness greet``: what docs/adding-a-command.md describes."""

from typing import Annotated

import typer

from harness.core.errors import UsageError


def greet(name: str, loud: Annotated[bool, typer.Option("--loud", help="In capitals.")] = False) -> None:
    """Greet somebody."""
    if not name:
        raise UsageError("greet: no name", fix="harness greet NAME")
    print(f"hello {name}".upper() if loud else f"hello {name}")


COMMAND = greet
'''


def test_a_command_is_one_file_and_one_line(tmp_path: Path) -> None:
    """As the guide has it: a file in a copy of ``cli``, and its name in the list."""
    package = tmp_path / "harness"
    package.mkdir()
    for path in (REPOSITORY / "harness").iterdir():
        if path.name != "cli":
            (package / path.name).symlink_to(path)
    (package / "cli").mkdir()
    for path in (REPOSITORY / "harness" / "cli").glob("*.py"):
        (package / "cli" / path.name).write_text(path.read_text())
    (package / "cli" / "greet.py").write_text(GREET)
    listed = (package / "cli" / "app.py").read_text()
    (package / "cli" / "app.py").write_text(listed.replace("COMMANDS = (", 'COMMANDS = ("greet", '))

    def harness(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False, cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip

    assert harness("greet", "you", "--loud").stdout == "HELLO YOU\n"
    assert "Greet somebody." in harness("--help").stdout
    refused = harness("greet", "")
    assert (refused.returncode, refused.stderr) == (2, "harness: greet: no name (harness greet NAME)\n")
