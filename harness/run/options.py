"""The requests of ``harness run``, which a run keeps so that it can be resumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from harness.core.errors import StoreError
from harness.data.spec import SYNTHETIC, DataSpec, from_stored
from harness.records.cell import RunInfo
from harness.runtimes.requested import all_requested

#: What a run's cells are measured on: the artifacts' own test images, or strangers.
SplitName = Literal["test", "unseen"]


@dataclass(frozen=True)
class Options:
    """The requests of the command line. Empty tuples mean everything. ``models`` are names, and paths of files."""

    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    #: instead of the devices' own: ``NAME`` or ``NAME==VERSION``
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    quick: bool = False
    #: the user's own inputs, a .npz file
    inputs: str | None = None
    #: the task, as a path or a built-in name
    task: str | None = None
    #: sizes of inputs of model files whose sizes are open
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    data: Annotated[DataSpec, BeforeValidator(from_stored)] = SYNTHETIC
    seed: int = 0
    mlperf: bool = False
    profile_ops: bool = False
    #: None where the command line says nothing of it
    estimate: bool | None = None
    rounds: int | None = None
    precision: float | None = None
    budget_s: float = 600.0
    split: SplitName = "test"


def stored_options(info: RunInfo) -> Options:
    """The options that a run was started with. Resuming finishes that run, whatever the command line now says.

    Raises:
        StoreError: run.json was changed by hand.
    """
    try:
        options = TypeAdapter(Options).validate_python({"rounds": 1} | info.options)  # older runs had only one
        all_requested(options.runtimes)
    except ValidationError as error:
        raise StoreError(f"run {info.run}: its options are not a run's: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise StoreError(f"run {info.run}: its options are not a run's: {error}") from error
    return options


def plain_options(options: Options) -> dict[str, object]:
    """The options in JSON form."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(options).items()}
