"""The forms of data, one line each. A form's module is imported when a task names it.

A module has ``Keys``, a pydantic model of its keys under ``data``, and ``read(keys, folder, faults)``, which lists the
samples. ``folder`` is that of the task's file: paths are relative to it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from pydantic import BaseModel, ConfigDict

from harness.core.named import by_name
from harness.data.findings import FaultLog
from harness.tasks.sample import Sample


class FormKeys(BaseModel):
    """Base of a form's keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Module(Protocol):
    Keys: type[FormKeys]

    def read(self, keys: FormKeys, folder: Path, faults: FaultLog, /) -> list[Sample]: ...


@dataclass(frozen=True)
class Form:
    """A form of data.

    Attributes:
        name: the value of ``form``.
        title: for people.
        module: under :mod:`harness.tasks.forms`; None for a data set of :mod:`harness.data.registry`, which divides
            itself.
    """

    name: str
    title: str
    module: str | None

    @property
    def keys(self) -> type[FormKeys]:
        """The keys that a task's file may have for it."""
        return self._module().Keys

    def read(self, keys: FormKeys, folder: Path, faults: FaultLog) -> list[Sample]:
        """All samples, in an order that doesn't depend on the file system.

        Args:
            folder: that of the task's file, from which paths are relative.

        Raises:
            DataError: the data are not there or not of this form.
        """
        return self._module().read(keys, folder, faults)

    def _module(self) -> _Module:
        return cast("_Module", importlib.import_module(f"harness.tasks.forms.{self.module or 'dataset'}"))


FORMS: dict[str, Form] = by_name(
    (form.name, form)
    for form in (
        Form("folders", "a folder for each class", "folders"),
        Form("csv", "a table of image files, or of pixels", "table"),
        Form("npz", "arrays of a .npz file", "arrays"),
        Form("ckplus", "CK+ in one of its three forms", None),
        Form("faces", "drawn faces", None),
    )
)
