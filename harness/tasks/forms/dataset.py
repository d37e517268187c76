"""``form: ckplus`` and ``form: faces``: data sets that the harness knows, read and divided as ``--data`` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from harness.core.errors import UsageError
from harness.core.scalars import text
from harness.core.yamlkeys import optional
from harness.data.spec import Crop, DataSpec, Frames
from harness.tasks.forms.registry import FormKeys
from harness.tasks.keys import one_word


class Keys(FormKeys):
    """``path`` of a copy, relative to the task's file, and CK+'s ``frames`` and ``crop``."""

    path: Annotated[str | None, optional(text)] = None
    frames: Annotated[Frames | None, optional(one_word("last3", "peak"))] = None
    crop: Annotated[Crop | None, optional(one_word("auto", "opencv", "centre"))] = None


def spec(keys: Keys, form: str, folder: Path) -> DataSpec:
    """The data set that a task names.

    Raises:
        UsageError: CK+ without a path, or drawn faces with one.
    """
    if form == "faces":
        if keys != Keys():
            raise UsageError("drawn faces have no 'path', 'frames' or 'crop'")
        return DataSpec()
    if keys.path is None:
        raise UsageError("'form: ckplus' needs the 'path' of a copy")
    return DataSpec(
        source="ckplus",
        path=str(folder / Path(keys.path).expanduser()),
        frames=keys.frames or DataSpec.frames,
        crop=keys.crop or DataSpec.crop,
    )
