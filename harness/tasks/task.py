"""Tasks by name or file, and their data once read: samples, right answers, split and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import DataError, UsageError
from harness.core.named import nearest
from harness.data.dataset import Dataset, Split
from harness.data.findings import DataFindings
from harness.tasks.metrics import own
from harness.tasks.metrics.registry import METRICS, MetricKind
from harness.tasks.preprocess import Values, values
from harness.tasks.schema import Document, read

if TYPE_CHECKING:
    from harness.records.samples import Metric

#: Where a task is looked for by its name.
FOLDER = Path("tasks")
#: Tasks that need no file: the drawn faces, and CK+ at ``--data``. Their networks lie in ``models/`` itself.
BUILT_IN = ("ckplus", "faces")
ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Task:
    """A task as its file says, not yet opened.

    Attributes:
        document: the checked keys.
        path: of its file.
    """

    document: Document
    path: Path

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def folder(self) -> Path:
        """The folder from which the task's paths are relative."""
        return self.path.parent

    @cached_property
    def metric(self) -> MetricKind:
        """The metric.

        Raises:
            UsageError: a function of the user's own can't be loaded.
        """
        choice = self.document.metric
        return own.load(choice, self.folder.absolute()) if ":" in choice.name else METRICS[choice.name]

    def __getstate__(self) -> dict[str, object]:
        """Without the metric: a process that gets a copy loads a function of the user's own by itself."""
        return {"document": self.document, "path": self.path}

    def open(self) -> TaskData:
        """Read, decode, check and divide the data; the same with each call.

        Raises:
            DataError: they can't be used.
            UsageError: what the task names can't be.
        """
        data, findings = self.open_with_findings()
        if data is None:
            raise findings.refusal()
        return data

    def open_with_findings(self) -> tuple[TaskData | None, DataFindings]:
        """As :meth:`open`, with the findings; None where they hold a fatal fault."""
        from harness.tasks import opening

        return opening.open_task(self)


@dataclass(frozen=True)
class TaskData:
    """A task's data. Labels never leave the controller.

    Attributes:
        task: where they come from.
        samples: uint8 (n, h, w) or (n, h, w, 3) where ``pixels``, else float32 (n, ...).
        pixels: whether samples are images, which ``preprocess`` has brought to their size and colour.
        labels: int64 (n,) indices into ``classes``, or float64 (n,) numbers.
        ids: where each sample came from.
        groups: what alike samples share; None where the data don't tell.
        classes: in index order; empty where labels are numbers.
        split: train, validation and test indices.
        sha256: of all of the above but the split, which has a hash of its own.
        dataset_name, synthetic: as in :class:`Dataset`.
        known: the data set of the harness that the task names; None for data of the user's own.
    """

    task: Task
    samples: npt.NDArray[Any]
    pixels: bool
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None
    classes: tuple[str, ...]
    split: Split
    sha256: str
    dataset_name: str
    synthetic: bool = False
    known: Dataset | None = None

    def values(self, index: npt.NDArray[np.int64]) -> Values:
        """These samples as the task's preprocessing gives them to a network: float32 (len(index), ...)."""
        return values(self.samples[index], self.task.document.preprocess, pixels=self.pixels)

    def score(self, outputs: Sequence[npt.NDArray[Any]], index: npt.NDArray[np.int64]) -> Metric:
        """How good outputs are for these samples.

        Args:
            outputs: one array (len(index), ...) for each output, as real numbers.

        Raises:
            DataError: the outputs don't fit the task.
            MetricError: a user's function failed.
        """
        from harness.tasks.metrics.score import score

        kind = self.task.metric
        if kind.name in METRICS and self.classes and len(outputs) == 1:
            found = outputs[0].size // max(1, len(index))
            if found != len(self.classes):
                raise DataError(
                    f"the network gives {found} scores, and task '{self.task.name}' has {len(self.classes)} classes",
                    fix="list all classes in the order of the scores: classes: [...]",
                )
        return score(kind, outputs, self.labels[index])

    def dataset(self) -> Dataset:
        """The data as images with classes, which networks are trained on.

        Raises:
            UsageError: they are no images, or labels are no classes.
        """
        if self.known is not None:
            return self.known
        if not self.pixels or not self.classes:
            what = "its samples are no images" if not self.pixels else "its labels are numbers"
            raise UsageError(
                f"task '{self.task.name}': {what}, and the networks here classify images",
                fix="harness add FILE --task ... takes a network of your own",
            )
        return Dataset(
            name=self.dataset_name,
            synthetic=self.synthetic,
            images=self.samples,
            labels=np.asarray(self.labels, dtype=np.int64),
            subjects=self.groups,
            sequences=None,
            classes=self.classes,
            mirrors=self.task.document.augment.mirror,
        )


def load(name_or_path: str) -> Task:
    """The task of a file, or ``tasks/<name>.yaml``.

    Raises:
        UsageError: there is none; the message lists those that are there.
        ConfigError: the file is wrong; names the line.
    """
    given = Path(name_or_path)
    if given.suffix.lower() in ENDINGS or given.name != name_or_path:
        path = given.expanduser() if name_or_path.startswith("~") else given
        if not path.is_file():
            raise UsageError(f"task '{name_or_path}': no such file")
    else:
        path = next((FOLDER / f"{name_or_path}{ending}" for ending in ENDINGS if
                     (FOLDER / f"{name_or_path}{ending}").is_file()), FOLDER)  # fmt: skip
        if path == FOLDER:
            names = known()
            raise UsageError(f"task '{name_or_path}' is unknown{nearest(name_or_path, names)}",
                             fix=f"{FOLDER}/{name_or_path}.yaml, or the path of a file")  # fmt: skip
    task = Task(read(path), path)
    if task.name in BUILT_IN and task.document.form != task.name:
        raise UsageError(f"{path}: the name '{task.name}' is built in", fix="name: another one")
    return task


def chosen(name: str | None, data: str) -> Task | None:
    """The task of ``--task``; None for a built-in one, whose data ``--data`` names.

    Args:
        data: the value of ``--data``; ``synthetic`` by default.

    Raises:
        UsageError: the task is unknown, or ``--data`` contradicts it.
        ConfigError: the task's file is wrong.
    """
    if name is None:
        return None
    if name == "faces" and data != "synthetic":
        raise UsageError(f"--task faces: drawn faces, and --data {data} are others", fix="leave one of them out")
    if name == "ckplus" and data == "synthetic":
        raise UsageError("--task ckplus: CK+ is licensed, so the place of a copy is needed", fix="--data PATH")
    if name in BUILT_IN:
        return None
    if data != "synthetic":
        raise UsageError(f"--task {name} names its own data", fix="leave --data out")
    return load(name)


def known() -> list[str]:
    """Names of the built-in tasks and of those in ``tasks/``."""
    return sorted({*BUILT_IN, *(path.stem for ending in ENDINGS for path in FOLDER.glob(f"*{ending}"))})


def models_folder(models: Path, task: Task | None) -> Path:
    """The folder of a task's networks: ``models/<task>``, so that those of another task keep their names and files.

    Args:
        models: where artifacts are; the folder of built-in tasks, for which ``task`` is None.
    """
    return models if task is None else models / task.name
