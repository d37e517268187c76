"""``harness emulate``: QEMU boards without a run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Devices, Json
from harness.cli.output import check_places, say
from harness.core.errors import EmulatorError, UsageError
from harness.core.named import nearest

if TYPE_CHECKING:
    from harness.boards.registry import BoardFamily
    from harness.core.clock import ClockName

COMMAND = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The QEMU boards by themselves.")


@dataclass(frozen=True)
class _Boot:
    """How some boards are booted: their clock, and what they boot (None for each family's usual system)."""

    clock: ClockName
    os: str | None


@COMMAND.command("up")
def up(
    boards: Annotated[list[str] | None, typer.Argument(help="Names from devices.yaml, or board families.")] = None,
    devices: Devices = Path("devices.yaml"),
    clock: Annotated[str | None, typer.Option(help="instructions or wall.")] = None,
    system: Annotated[
        str | None, typer.Option("--os", help="arm64 or armhf; default: the device's or family's.")
    ] = None,
) -> None:
    """Boot boards that stay up until 'emulate down'."""
    from harness import emulate

    check_places()
    if clock not in (None, "instructions", "wall"):
        raise UsageError(f"--clock {clock}: is 'instructions' or 'wall'")
    for how, chosen in _grouped(boards or [], devices, clock, system).items():
        for board in emulate.up(chosen, clock=how.clock, os=how.os, progress=say):
            print(f"{board.name}: up on 127.0.0.1:{board.port}; harness emulate ssh {board.name}")


def _grouped(
    names: Sequence[str], devices: Path, clock: str | None, system: str | None
) -> dict[_Boot, list[tuple[str, BoardFamily]]]:
    """The boards to boot, by how; all emulated devices when none is named. ``clock`` and ``system`` go first.

    Raises:
        UsageError: a name is neither a device nor a board family, or a family has no such system.
    """
    from harness.boards.registry import FAMILIES
    from harness.config.devices import load

    known = {d.name: d for d in load(devices).devices if d.emulate} if devices.exists() else {}
    grouped: dict[_Boot, list[tuple[str, BoardFamily]]] = {}
    for name in names or list(known):
        listed = known.get(name)
        family = listed.family if listed else FAMILIES.get(name)
        if family is None:
            raise UsageError(f"no board '{name}' to emulate (there: {', '.join([*known, *FAMILIES])})")
        usual = listed.effective_clock if listed else "instructions"
        wanted = system or (listed.os if listed else None)
        if wanted is not None and wanted not in family.emulated_os:
            raise UsageError(f"--os {wanted}: '{name}' has no such system{nearest(wanted, family.emulated_os)}")
        how = _Boot("wall" if (clock or usual) == "wall" else "instructions", wanted)
        grouped.setdefault(how, []).append((name, family))
    return grouped


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
