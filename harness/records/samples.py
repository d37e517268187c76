"""What a cell ran: the artifact, and the samples with their right answers and how good the answers were."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from harness.records.base import SCHEME, Count, Lean, Record, Text

#: The most raw samples (64-bit ns each) in a cell. This bounds the controller's memory.
MAX_SAMPLES = 1_000_000
#: A right answer, or a metric's value.
Finite = Annotated[float, Field(ge=-1e300, le=1e300)]
#: The scheme of a split of strangers: drawn people that the network was not trained on.
UNSEEN = "unseen"
#: An index into the list of classes.
ClassIndex = Annotated[int, Field(ge=0, le=10_000)]


class ConvertedFrom(Record):
    """The artifact that a file was made from for a runtime or an accelerator, and the programs that did it."""

    sha256: Text
    bytes: Count
    by: Text


class ModelInfo(Lean):
    """The artifact that ran.

    ``parameters`` and ``macs`` come from its manifest, and are null where nobody could count them; the other values
    come from the file. ``source`` is the file's name where its user gave it. ``converted_from`` is the artifact where a
    file made of it ran; ``sha256`` and ``bytes`` are then those of the file that ran.
    """

    _later = frozenset({"source", "converted_from"})

    name: Text
    variant: Text
    format: Literal["tflite", "onnx"]
    sha256: Text
    parameters: Count | None
    macs: Count | None
    bytes: Count
    reference_accuracy: float | None = None
    source: Text | None = None
    converted_from: ConvertedFrom | None = None

    @property
    def converted_by(self) -> str | None:
        """What made the file, and of which artifact; None where the artifact itself ran."""
        made = self.converted_from
        return f"{made.by}, of {made.sha256[:16]}" if made else None


class SplitInfo(Lean):
    """The samples that the cell ran, in the order of ``predictions``.

    Attributes:
        dataset: its name; of inputs without a data set, ``random values`` or the user's file name.
        scheme: how they were chosen, in a short word: ``random``, ``subject``, ``folders``, ``column``, ``stratified``,
            ``group``; ``seeded`` or ``given`` for inputs without a data set; ``unseen`` for strangers.
        classes: empty where the network is no classifier.
        labels: the right answers: ``n`` class indices, or ``n`` numbers; empty where nobody judges.
        task: the task's name; None is the task that this project began with, or inputs without a task.
        seeds: of strangers, the seeds of their generator; ``seed`` is the first.
        persons: of strangers, a number for the person on each image: images of one person are one draw.
    """

    _later = frozenset({"task", "seeds", "persons"})

    dataset: Text
    synthetic: bool
    scheme: Annotated[str, StringConstraints(pattern=SCHEME)]
    seed: Annotated[int, Field(ge=-(1 << 53), le=1 << 53)]
    fold: Count = 0
    folds: Count = 1
    n: Annotated[Count, Field(ge=1)]
    sha256: Text
    subject_overlap: Count | None = None
    classes: tuple[Text, ...]
    labels: Annotated[tuple[ClassIndex, ...] | tuple[Finite, ...], Field(max_length=MAX_SAMPLES)]
    task: Text | None = None
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=1 << 53)], ...], Field(max_length=1000)] = ()
    persons: Annotated[tuple[Count, ...], Field(max_length=MAX_SAMPLES)] = ()

    @model_validator(mode="after")
    def _persons(self) -> SplitInfo:
        if len(self.persons) not in (0, self.n):
            raise ValueError("another number of persons than the split has images")
        return self

    @property
    def right_classes(self) -> tuple[int, ...]:
        """The right class of each sample; empty where the labels are no classes."""
        return tuple(int(label) for label in self.labels) if self.classes else ()


class Metric(Record):
    """How good the answers are, by the task's metric.

    ``per_sample`` has one number for each sample, whose mean need not be ``value`` (of RMSE it is not).
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    value: Finite
    higher_is_better: bool
    per_sample: Annotated[tuple[Finite, ...], Field(max_length=MAX_SAMPLES)] = ()
