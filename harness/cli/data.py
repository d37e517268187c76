"""``harness data``: inspect data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Crop, Frames, Json, Task
from harness.core.errors import UsageError

COMMAND = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Data sets.")


@COMMAND.command("check")
def check_data(
    path: Annotated[Path | None, typer.Argument(help="A CK+ copy, or another registered data set.")] = None,
    task: Task = None,
    frames: Frames = "last3",
    crop: Crop = "auto",
    as_json: Json = False,
) -> None:
    """Say what a CK+ copy or a task's data hold, which form they are, and what is wrong with them."""
    if task is not None and task not in _built_in():
        if path is not None:
            raise UsageError(f"--task {task} names its own data", fix=f"leave {path} out")
        raise typer.Exit(_check_task(task, as_json=as_json))
    if path is None and task != "faces":
        raise UsageError("no data are named", fix="the path of a CK+ copy, or --task NAME")
    from harness.data.findings import render, to_json
    from harness.data.registry import check, choose

    findings = check(choose(str(path) if path is not None else "synthetic", frames, crop))
    print(json.dumps(to_json(findings)) if as_json else render(findings))
    raise typer.Exit(1 if findings.errors else 0)


def _built_in() -> tuple[str, ...]:
    from harness.tasks.task import BUILT_IN

    return BUILT_IN


def _check_task(name: str, *, as_json: bool) -> int:
    """Print what a task's data hold; returns the exit code."""
    from harness.tasks import describe
    from harness.tasks.task import load

    task = load(name)
    data, findings = describe.examine(task)
    if as_json:
        print(json.dumps(describe.as_json(task, data, findings)))
    else:
        print(describe.as_text(task, data, findings))
    return 1 if findings.errors else 0
