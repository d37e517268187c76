"""Building the networks that a run asks for and that are not there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import say
from harness.core.errors import MissingModelError, UsageError

if TYPE_CHECKING:
    from harness.run.plan import Options


def build_missing(models: Path, options: Options, missing: MissingModelError) -> None:
    """Build the missing networks.

    Raises:
        UsageError: a network was named where a folder is expected.
        MissingModelError: ``missing`` itself, where they can't be built.
    """
    from harness.cli.build import build_networks
    from harness.tasks.task import chosen, models_folder
    from harness.training.networks.registry import names
    from harness.training.options import BuildOptions

    known = set(names())
    # otherwise they would be built, for hours, into a folder of that name
    if not models.exists() and known.issuperset(str(models).split(",")):
        raise UsageError(
            f"--models {models}: no such folder, but networks are called so",
            fix=f"harness run --model {models} (--models is where artifacts are)",
        ) from missing
    if find_spec("tensorflow") is None or not known.issuperset(missing.names):
        raise missing
    say(f"{missing.message}; building")
    task = chosen(options.task, str(options.data))
    build_networks(
        BuildOptions(
            names=tuple(missing.names),
            data=options.data,
            folds=1,
            models=models_folder(models, task),
            task=task,
        ),
        on=None,
    )
