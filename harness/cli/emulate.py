"""``harness emulate``: QEMU boards without a run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Devices, Json
from harness.cli.output import check_places, say
from harness.core.errors import EmulatorError, UsageError

if TYPE_CHECKING:
    from harness.boards.registry import BoardFamily
    from harness.core.clock import ClockName

COMMAND = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The QEMU boards by themselves.")


@COMMAND.command("up")
def up(
    boards: Annotated[list[str] | None, typer.Argument(help="Names from devices.yaml, or board families.")] = None,
    devices: Devices = Path("devices.yaml"),
    clock: Annotated[str | None, typer.Option(help="instructions or wall.")] = None,
) -> None:
    """Boot boards that stay up until 'emulate down'."""
    from harness import emulate

    check_places()
    if clock not in (None, "instructions", "wall"):
        raise UsageError(f"--clock {clock}: is 'instructions' or 'wall'")
    for ticking, chosen in _by_clock(boards or [], devices, clock).items():
        for board in emulate.up(chosen, clock=ticking, progress=say):
            print(f"{board.name}: up on 127.0.0.1:{board.port}; harness emulate ssh {board.name}")


def _by_clock(names: Sequence[str], devices: Path, clock: str | None) -> dict[ClockName, list[tuple[str, BoardFamily]]]:
    """The boards to boot, by their clock; all emulated devices when none is named.

    Raises:
        UsageError: a name is neither a device nor a board family.
    """
    from harness.boards.registry import FAMILIES
    from harness.config.devices import load

    known = {d.name: d for d in load(devices).devices if d.emulate} if devices.exists() else {}
    by_clock: dict[ClockName, list[tuple[str, BoardFamily]]] = {}
    for name in names or list(known):
        if name in known:
            family, usual = known[name].family, known[name].effective_clock
        elif name in FAMILIES:
            family, usual = FAMILIES[name], "instructions"
        else:
            raise UsageError(f"no board '{name}' to emulate (there: {', '.join([*known, *FAMILIES])})")
        by_clock.setdefault("wall" if (clock or usual) == "wall" else "instructions", []).append((name, family))
    return by_clock


@COMMAND.command("down")
def down(boards: Annotated[list[str] | None, typer.Argument(help="All when none is named.")] = None) -> None:
    """Switch boards off."""
    from harness import emulate

    for name in emulate.down(boards or None):
        print(f"{name}: down")
    for board in [] if boards else emulate.list_boards():
        say(f"{board.name}: left alone, it was booted in another container ({board.booted_on})")


@COMMAND.command("list")
def list_boards(as_json: Json = False) -> None:
    """Show the boards that are up."""
    from harness import emulate

    boards = emulate.list_boards()
    if as_json:
        print(json.dumps({"boards": [asdict(board) for board in boards]}))
        return
    for board in boards:
        where = "" if board.is_here() else f"\tin another container ({board.booted_on})"
        print(f"{board.name}\t{board.family}\t127.0.0.1:{board.port}\tpid {board.pid}\t{board.clock}{where}")


@COMMAND.command("ssh", context_settings={"ignore_unknown_options": True})
def ssh(board: str, command: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Open a shell on a board that is up, or run a command there."""
    from harness import emulate

    argv = emulate.ssh_argv(board)
    try:
        os.execvp(argv[0], [*argv, *(command or [])])  # noqa: S606
    except OSError as error:
        raise EmulatorError(f"{argv[0]} can't be started: {error.strerror}") from error
