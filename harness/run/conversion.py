"""The files that boards run where artifacts don't do as they are: compiled for an accelerator, or in a runtime's form.

They are made before anything is measured, since a converter would disturb a local device; later look-ups find them in
the cache.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.boards.coral import check_compiler_log
from harness.core.errors import ConversionError, HarnessError
from harness.core.safetext import clean
from harness.records.tensor import TensorSpec
from harness.run.inventory import Original, Shipped
from harness.run.plan import CellJob
from harness.runtimes import registry
from harness.runtimes.record import Converted, Converter, Source, Tensor

Say = Callable[[str], None]
ConversionKey = tuple[str, str, str]


@dataclass
class Conversions:
    """The conversions of one run; may be used by several threads.

    Attributes:
        stopped: whether the run is about to end, which ends a conversion.
        made: what another process has converted already, by the hash of the artifact, the runtime and the delegate.
    """

    stopped: Callable[[], bool]
    made: Mapping[ConversionKey, Shipped] = field(default_factory=dict)
    _failed: dict[ConversionKey, HarnessError] = field(default_factory=dict)

    def ahead(self, jobs: Iterable[CellJob], say: Say) -> None:
        """Make what these jobs need; what fails is told when its cell's turn comes."""
        for key, job in {conversion_key(job): job for job in jobs}.items():
            if self.stopped():
                return
            for converter in registry.converters(job.runtime, job.delegate):
                say(f"{job.shipped.label} for {converter.target}")
            with contextlib.suppress(HarnessError):
                self.of(job, say=lambda _: None)
            if self.stopped():
                self._failed.pop(key, None)

    def of(self, job: CellJob, say: Say) -> CellJob:
        """The job with the file that its board runs.

        Raises:
            ConversionError: it can't be made, and the board can do nothing with the artifact itself.
            ProvisionError: the converter can't be fetched.
        """
        key = conversion_key(job)
        if key in self._failed:
            raise self._failed[key]
        if (known := self.made.get(key)) is not None:
            return replace(job, shipped=known)
        try:
            shipped = converted(job.shipped, job.runtime, job.delegate, say, stopped=self.stopped)
        except HarnessError as error:
            self._failed[key] = error
            raise
        return job if shipped is job.shipped else replace(job, shipped=shipped)

    def where_possible(self, jobs: Iterable[CellJob]) -> list[CellJob]:
        """The jobs with the files that their boards run; a job whose file can't be made stays as it is."""
        found = []
        for job in jobs:
            try:
                found.append(self.of(job, say=lambda _: None))
            except HarnessError:
                found.append(job)
        return found


def conversion_key(job: CellJob) -> ConversionKey:
    """What a conversion is known by: the hash of the artifact, the runtime and the delegate."""
    return job.shipped.artifact.sha256, job.runtime, job.delegate


def converted(
    shipped: Shipped, runtime: str, delegate: str, say: Say, *, stopped: Callable[[], bool] = lambda: False
) -> Shipped:
    """The file that a board runs for an artifact; the artifact itself if it needs no converting.

    Args:
        say: receives what a person may want to know of a compiled network.
        stopped: whether to give up.

    Raises:
        ConversionError, ProvisionError: as :meth:`Conversions.of`.
    """
    for converter in registry.converters(runtime, delegate):
        made = converter.converted(_source(shipped), stopped)
        if made is None or made.model is None:
            _without(converter, shipped, made, say)
            continue
        if not converter.required:
            _tell(shipped, made, say)
        shipped = _with(shipped, made, converter.program())
    return shipped


def measured(job: CellJob, sha256: str) -> bool:
    """Whether a cell of this job measured that file: the artifact, or what is made of it for the board."""
    if sha256 == job.shipped.artifact.sha256:
        return True
    with contextlib.suppress(HarnessError):
        return converted(job.shipped, job.runtime, job.delegate, lambda _: None).artifact.sha256 == sha256
    return False


def _without(converter: Converter, shipped: Shipped, made: Converted | None, say: Say) -> None:
    """Say why a network is not converted: as an error where the board needs it converted, else to a person.

    Otherwise it runs on the CPU, and its verdict says so.
    """
    label, target = shipped.label, converter.target
    if converter.required:
        why = "it is not installed" if made is None else clean(made.why or "it gave no reason", 1500)
        raise ConversionError(f"{label}: {converter.program()} can't convert it for {target}: {why}")
    if made is None:
        say(f"{converter.program()} is not installed here: {label} is not compiled for {target}")
    else:
        _tell(shipped, made, say)


def _tell(shipped: Shipped, made: Converted, say: Say) -> None:
    for check in check_compiler_log(made.log):
        say(f"{shipped.label}: {check.text}")


def _with(shipped: Shipped, made: Converted, by: str) -> Shipped:
    """The artifact with a file made of its own."""
    assert made.model is not None
    size = made.model.stat().st_size
    artifact = shipped.artifact.model_copy(update={"sha256": made.sha256, "bytes": size})
    before = shipped.original
    original = replace(before, by=f"{before.by}, {by}") if before else Original(shipped.artifact, shipped.path, by)
    return replace(shipped, artifact=artifact, path=made.model, original=original)


def _source(shipped: Shipped) -> Source:
    """An artifact as a converter takes it."""
    artifact = shipped.artifact
    return Source(
        path=shipped.path,
        sha256=artifact.sha256,
        format=artifact.format,
        variant=artifact.variant,
        inputs=_tensors(artifact.inputs),
        outputs=_tensors(artifact.outputs),
    )


def _tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(spec.name, spec.shape, spec.dtype) for spec in specs)
