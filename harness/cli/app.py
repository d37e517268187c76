"""The command line: its commands, and how an error becomes one line and an exit code. The process exits only here."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated

import typer

from harness import __version__
from harness.cli.streams import os_error, prepare_streams, print_unless_used, say_error
from harness.core.errors import HarnessError
from harness.core.safetext import print_anything

#: The commands, in the order of the help. Each is a module of this package with its options and its body, which imports
#: its dependencies when it runs. Its ``COMMAND`` is a function, or a Typer group of functions.
COMMANDS = ("run", "add", "report", "build", "reproduce", "show", "doctor", "compare", "export", "emulate", "data")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Edge benchmarking harness: which network, on which board, how fast and how right?",
)
for _name in COMMANDS:
    _command = importlib.import_module(f"harness.cli.{_name}").COMMAND
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name)(_command)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
    ] = False,
) -> None:
    del version  # its callback has exited already
    if debug:
        os.environ["HARNESS_DEBUG"] = "1"


def main() -> None:
    """Entry point: every error becomes one line and an exit code."""
    prepare_streams()
    print_anything()
    code = _outcome()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = max(os_error(error), code)
    raise SystemExit(code)


def _outcome() -> int:
    """Run the command; returns its exit code."""
    try:
        app()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except HarnessError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        say_error(str(error))
        if "--json" in sys.argv[1:]:
            print_unless_used({"error": {"code": error.code, "message": error.message, "fix": error.fix}})
        return error.exit_code
    except KeyboardInterrupt:
        say_error("interrupted")
        return 130
    except OSError as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        return os_error(error)
    return 0


if __name__ == "__main__":
    main()
