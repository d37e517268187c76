"""Opens a data set by what the user wrote: ``synthetic`` or the path of a CK+ copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from harness.core.errors import DataError, UsageError
from harness.core.paths import expanded
from harness.data import synthetic
from harness.data.dataset import Dataset

if TYPE_CHECKING:
    from harness.data.ckplus import Findings, Mode
    from harness.data.facecrop import CropChoice

#: stands between a path and how to read it, in the one string that a run stores of its data
_MARK = "#"


def spec(data: str, frames: str = "last3", crop: str = "auto") -> str:
    """One string for a data set and how to read it; ``data`` itself where that is the ordinary way.

    Args:
        data: ``synthetic``, or a path.
        frames: of CK+'s official tree, ``last3`` or ``peak``.
        crop: of CK+'s official tree, ``auto``, ``opencv`` or ``centre``.

    Raises:
        UsageError: an unknown choice, or one for faces that are drawn.
    """
    choices(frames, crop)
    if (frames, crop) == ("last3", "auto"):
        return data
    if data == "synthetic":
        raise UsageError("--frames and --crop are for a CK+ copy", fix="name one with --data")
    return f"{data}{_MARK}{frames},{crop}"


def choices(frames: str, crop: str) -> tuple[Mode, CropChoice]:
    """The two choices checked.

    Raises:
        UsageError: an unknown one.
    """
    from harness.data.ckplus_tree import Mode
    from harness.data.facecrop import CropChoice

    for option, given, known in (("--frames", frames, get_args(Mode)), ("--crop", crop, get_args(CropChoice))):
        if given not in known:
            raise UsageError(f"{option} '{given}' is unknown", fix=f"one of: {', '.join(known)}")
    return cast("Mode", frames), cast("CropChoice", crop)


def load(text: str, *, seed: int = 0) -> Dataset:
    """Open ``synthetic`` (drawn afresh, the same each time for a seed) or the CK+ copy at a path, any of its forms.

    ``text`` is what :func:`spec` makes.

    Raises:
        DataError: nothing is there, or it isn't CK+.
    """
    return load_with_findings(text, seed=seed)[0]


def load_with_findings(text: str, *, seed: int = 0) -> tuple[Dataset, Findings | None]:
    """As :func:`load`; of a CK+ copy also what was found and left out, by path and line.

    Raises:
        DataError: nothing is there, or it isn't CK+.
    """
    if text == "synthetic":
        return synthetic.generate(seed), None
    path, mode, crop = _parts(text)
    if not path.exists():
        raise DataError(f"data '{text}': no such file or folder", fix="'synthetic', or the path of a CK+ copy")
    from harness.data.ckplus import load_with_findings as read  # needs Pillow, which drawn faces don't

    return read(path, mode=mode, crop=crop)


def summary(dataset: Dataset, findings: Findings | None) -> list[str]:
    """What was loaded, for a person: one line on what there is, and one on what a CK+ copy holds besides."""
    counts = ", ".join(f"{name} {int((dataset.labels == k).sum())}" for k, name in enumerate(dataset.classes))
    people = f", {len(set(dataset.subjects))} people" if dataset.subjects else ""
    lines = [f"data {dataset.name}: {len(dataset.labels)} images{people}: {counts}"]
    if findings is not None and findings.faults:
        left = ", ".join(f"{number} {why}" for why, number in findings.left_out.items()) or "nothing"
        lines.append(f"left out: {left}; {len(findings.faults)} remarks: harness data check {findings.path}")
    return lines


def _parts(text: str) -> tuple[Path, Mode, CropChoice]:
    from harness.data.ckplus_tree import Mode
    from harness.data.facecrop import CropChoice

    path, mark, choices = text.rpartition(_MARK)
    frames, _, crop = choices.partition(",")
    if mark and frames in get_args(Mode) and crop in get_args(CropChoice):
        return expanded(Path(path), "data"), cast("Mode", frames), cast("CropChoice", crop)
    return expanded(Path(text), "data"), "last3", "auto"  # a path may hold the mark itself
