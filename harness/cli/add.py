"""``harness add``: keep model files of somebody else's under ``models/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Models, Task
from harness.cli.output import plain_lines, say
from harness.core.errors import UsageError

if TYPE_CHECKING:
    from harness.run.adding import Added


def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Model files, .tflite or .onnx.")],
    name: Annotated[str | None, typer.Option(help="The network's name; each file's own without it.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs to run it with: a .npz file.")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Sizes of an input with open ones: input=1x3x224x224.")
    ] = None,
    task: Task = None,
    models: Models = Path("models"),
) -> None:
    """Keep a model file under models/, with a manifest and the outputs that a board must give."""
    from harness.modelfile.shapes import given
    from harness.run.adding import add as keep
    from harness.run.foreign import Fed
    from harness.run.tasked import task_run
    from harness.tasks.task import BUILT_IN

    if task in BUILT_IN:
        raise UsageError(f"--task {task}: is built in, and files are added with a task of your own",
                         fix=f"a file with 'data: {{form: {task}}}' and a name")  # fmt: skip
    judged = task_run(task, "synthetic", str(inputs) if inputs else None)
    for added in keep(files, Fed(inputs, given(shape or [])), models=models, name=name, say=say, task=judged):
        print(plain_lines("\n".join(_lines(added))))


def _lines(added: Added) -> list[str]:
    manifest = added.manifest
    parameters = "parameters not counted" if manifest.parameters is None else f"{manifest.parameters:,} parameters"
    macs = f"MACs not counted: {manifest.macs_missing}" if manifest.macs is None else f"{manifest.macs:,} MACs"
    lines = [f"{added.folder}: {parameters}, {macs}"]
    for artifact in manifest.artifacts:
        golden = artifact.golden
        made = f"golden outputs by {golden.runtime} {golden.version}" if golden else "no golden outputs"
        judged = "" if artifact.accuracy is None else f", accuracy {artifact.accuracy:.2%}"
        lines.append(f"  {artifact.filename}: {artifact.bytes:,} bytes, {made}{judged}")
    run = f"harness run --model {manifest.name}" + (f" --task {manifest.task}" if manifest.task else "")
    return [*lines, *(f"  note: {note}" for note in added.notes), f"  {run}"]


COMMAND = add
