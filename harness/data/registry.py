"""The registered data sets, one line each, and functions that open the one that a user names.

A data set is a module with ``open(spec)``, which returns the :class:`~harness.data.dataset.Dataset` and the findings
about it. A module is imported only when its data set is opened, because CK+ needs Pillow and drawn faces don't.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, get_args

from harness.core.errors import DataError, UsageError
from harness.core.named import by_name
from harness.core.paths import expanded
from harness.data.spec import Crop, DataSpec, Frames

if TYPE_CHECKING:
    from harness.data.dataset import Dataset
    from harness.data.findings import DataFindings


@dataclass(frozen=True)
class DataSource:
    """One data set.

    Attributes:
        name: the value of ``--data``; ``:PATH`` follows it if ``needs_path``.
        title: the name for people.
        module: its module under :mod:`harness.data`, with ``open``.
        needs_path: False if the harness itself makes the data.
        choices: those of ``frames`` and ``crop`` that it offers.
    """

    name: str
    title: str
    module: str
    needs_path: bool = True
    choices: tuple[str, ...] = ()

    def open(self, spec: DataSpec) -> tuple[Dataset | None, DataFindings]:
        """Read the data set; None if the findings hold a fatal fault.

        Raises:
            DataError: the path holds no data set of this kind.
            MissingExtraError: the chosen options need a package that is not installed.
        """
        module = cast("_Module", importlib.import_module(f"harness.data.{self.module}"))
        return module.open(spec)


class _Module(Protocol):
    def open(self, spec: DataSpec, /) -> tuple[Dataset | None, DataFindings]: ...


#: The data set of a path without a name.
BY_PATH = "ckplus"

SOURCES: dict[str, DataSource] = by_name(
    (source.name, source)
    for source in (
        DataSource("synthetic", "drawn faces", "synthetic.generator", needs_path=False),
        DataSource("ckplus", "CK+", "ckplus.copy", choices=("frames", "crop")),
    )
)


def choose(data: str, frames: str = "last3", crop: str = "auto") -> DataSpec:
    """The data set that a user names.

    Args:
        data: a registered name, ``NAME:PATH``, or the path of a CK+ copy.
        frames: of CK+'s official tree, ``last3`` or ``peak``.
        crop: of CK+'s official tree, ``auto``, ``opencv`` or ``centre``.

    Raises:
        UsageError: a choice is unknown, or the data set does not offer it.
    """
    for option, given, known in (("--frames", frames, get_args(Frames)), ("--crop", crop, get_args(Crop))):
        if given not in known:
            raise UsageError(f"{option} '{given}' is unknown", fix=f"one of: {', '.join(known)}")
    name, path = _named(data)
    spec = DataSpec(source=name, path=path, frames=cast("Frames", frames), crop=cast("Crop", crop))
    offered = SOURCES[name].choices
    if any(getattr(spec, choice) != getattr(DataSpec, choice) for choice in {"frames", "crop"}.difference(offered)):
        raise UsageError("--frames and --crop are for a CK+ copy", fix="name one with --data")
    return spec


def _named(data: str) -> tuple[str, str | None]:
    """Name and path. A text without a registered name is the path of a CK+ copy."""
    name, colon, path = data.partition(":")
    source = SOURCES.get(name)
    if source is None or source.needs_path != bool(colon):
        return BY_PATH, data
    if colon and not path:
        raise UsageError(f"--data {data}: a path is missing", fix=f"--data {name}:PATH")
    return name, path if colon else None


def load(spec: DataSpec) -> Dataset:
    """The data set; the same for each call.

    Raises:
        DataError: the path is missing or holds no such data set, or its labels can't be trusted.
        MissingExtraError: the chosen options need a package that is not installed.
    """
    return load_with_findings(spec)[0]


def load_with_findings(spec: DataSpec) -> tuple[Dataset, DataFindings]:
    """As :func:`load`, with the findings."""
    source = _source(spec)
    if source.needs_path and (spec.path is None or not expanded(Path(spec.path), "data").exists()):
        raise DataError(f"data '{spec}': no such file or folder", fix=_known())
    dataset, findings = source.open(spec)
    if dataset is None:
        raise findings.refusal()
    return dataset, findings


def check(spec: DataSpec) -> DataFindings:
    """The findings of :func:`load_with_findings`, also for a copy that it refuses.

    Raises:
        MissingExtraError: the chosen options need a package that is not installed.
    """
    from harness.data.findings import not_recognised

    try:
        return _source(spec).open(spec)[1]
    except DataError as error:
        return not_recognised(str(spec.path if spec.path is not None else spec), error)


def summary(dataset: Dataset, findings: DataFindings) -> list[str]:
    """Lines for people about a loaded data set: one with its counts, and one about faults and left-out images."""
    counts = ", ".join(f"{name} {int((dataset.labels == k).sum())}" for k, name in enumerate(dataset.classes))
    people = f", {len(set(dataset.subjects))} people" if dataset.subjects else ""
    lines = [f"data {dataset.name}: {len(dataset.labels)} images{people}: {counts}"]
    if findings.faults:
        left = ", ".join(f"{number} {why}" for why, number in findings.left_out.items()) or "nothing"
        lines.append(f"left out: {left}; {len(findings.faults)} remarks: harness data check {findings.path}")
    return lines


def _source(spec: DataSpec) -> DataSource:
    if spec.source not in SOURCES:
        raise DataError(f"data set '{spec.source}' is unknown", fix=_known())
    return SOURCES[spec.source]


def _known() -> str:
    names = [f"'{s.name}:PATH'" if s.needs_path else f"'{s.name}'" for s in SOURCES.values() if s.name != BY_PATH]
    return f"{', '.join(names)}, or the path of a CK+ copy"
