"""The comparison of one job's outputs with golden ones, once for each different set of outputs."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.config.thresholds import Thresholds
from harness.records.answer import OutputsAnswer, RunnerResult
from harness.records.cell import Reason
from harness.records.golden import OutputsCheck
from harness.records.manifest import Artifact
from harness.records.order import KeptOutputs
from harness.remote.base import Connection
from harness.run.golden.compare import compared, exceeding, misfit
from harness.run.golden.fetch import fetched, removed
from harness.run.golden.file import GoldenOutputs
from harness.run.golden.outputs import Outputs, check
from harness.run.judging import Judge, Judged

UNSTABLE = "the network answers differently each time, even on one machine: does it draw random numbers?"


@dataclass(frozen=True)
class Compared:
    """What a comparison found: the figures, or what is wrong, or why there was nothing to compare with."""

    check: OutputsCheck | None = None
    wrong: str | None = None
    missing: str | None = None
    judged: Judged | None = None

    @property
    def reasons(self) -> list[Reason]:
        """The reasons against a cell."""
        texts = [self.wrong] if self.wrong else list(exceeding(self.check)) if self.check else []
        return [Reason(code="outputs-differ", text=f"{'; '.join(texts)[:3500]}{self._against}")] if texts else []

    @property
    def _against(self) -> str:
        if self.check is None:
            return ""
        made = self.check.reference
        return f"; golden outputs by {made.runtime} {made.version or ''} on {made.machine}"


@dataclass
class Comparer:
    """Compares the outputs of a job's rounds with golden ones.

    Attributes:
        golden: the golden outputs, or why there are none.
        artifact: the file that answers.
        classifier: whether the first output is one row of scores.
        judge: judges the same outputs by a task's labels; None where nobody does.
    """

    golden: GoldenOutputs | str
    artifact: Artifact
    limits: Thresholds
    classifier: bool
    judge: Judge | None = None
    _found: dict[str, Compared] = field(default_factory=dict)

    def order(self, file: str) -> KeptOutputs | None:
        """What the runner is asked to keep, in this file; None where nothing will be compared."""
        if self._against is None and self.judge is None:
            return None
        return KeptOutputs(file, known=tuple(self._found))

    @property
    def _against(self) -> GoldenOutputs | None:
        if isinstance(self.golden, str) or not self.golden.head.stable:
            return None
        return self.golden

    def compare(self, connection: Connection, file: str, answer: RunnerResult, *, runtime: str) -> Compared:
        """Compare the outputs of an answer; they are taken from the board unless equal ones were compared before.

        Args:
            runtime: the one that ran there.

        Raises:
            RunnerError: the file of outputs is not what the answer says. TransportError: it did not arrive.
        """
        if self._against is None and self.judge is None:
            return Compared(missing=self._why_not)
        if answer.outputs is None and answer.outputs_sha256 not in self._found:
            return self._wrong("the board gave no outputs to compare")
        if answer.outputs is not None and answer.outputs_sha256 not in self._found:
            ran = (runtime, answer.runtime_version)
            given = self._taken(connection, file, answer.outputs)
            self._found[answer.outputs_sha256] = self._compared(given, ran) if isinstance(given, Outputs) else given
        return self._found[answer.outputs_sha256]

    @property
    def _why_not(self) -> str:
        """Why there is nothing to compare with."""
        return self.golden if isinstance(self.golden, str) else UNSTABLE

    def _wrong(self, why: str) -> Compared:
        """What can't be compared is wrong, unless no answer is judged."""
        return Compared(missing=why) if self.limits.predictions is None else Compared(wrong=why)

    def _compared(self, given: Outputs, ran: tuple[str, str | None]) -> Compared:
        """Outputs beside golden ones, and judged by a task's labels.

        Args:
            ran: name and release of the runtime that gave them.
        """
        golden = self._against
        judged = self.judge.judged(given, self.artifact.outputs) if self.judge else None
        if golden is None:
            return Compared(missing=self._why_not, judged=judged)
        same = (golden.head.runtime, golden.head.version) == ran
        found = compared(golden, given, self.artifact, self.limits, classifier=self.classifier, same_release=same)
        return Compared(check=found, judged=judged)

    def _taken(self, connection: Connection, file: str, about: OutputsAnswer) -> Outputs | Compared:
        """The outputs on a board; where they can't be compared, why not, and they stay there no longer."""
        golden = self._against
        check(about)
        if not about.samples:
            removed(connection, file)
            return Compared(missing="the outputs of one sample are too large to come back")
        if golden is not None and (wrong := misfit(golden.outputs.about, about)):
            removed(connection, file)
            return self._wrong(wrong)
        return Outputs(about, fetched(connection, file, about))
