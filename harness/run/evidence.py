"""The evidence stored with a cell, so that its number and its verdict can be checked later."""

from __future__ import annotations

from harness.config.thresholds import Thresholds
from harness.core.safetext import plain
from harness.records.answer import Delegate, Evidence, Profile, RunnerResult
from harness.run.context import Context
from harness.run.verdict import judge
from harness.run.verdict.energy import Energy


class CellEvidence(Evidence):
    """The board's states and the other facts that a finished cell rests on. The order of the fields is the order in the
    file.

    Attributes:
        clock: name and resolution of the board's clock that was read.
        thresholds: the limits that the cell was judged by.
        energy: of the timed inferences; None without a sensor, and where the clock counts instructions.
        found: the figures behind the verdict; shares 0 to 1, seconds, MHz. Of several rounds: see
            :func:`harness.run.verdict.judge.found_in_all`.
        import_ns: how long each import took, in the board's nanoseconds.
        not_finite: timed inferences whose output held NaN or infinity.
        stderr: the end of the runner's stderr.
    """

    cpuinfo: tuple[str, ...]
    uname_machine: str
    clock: dict[str, int | str]
    delegate: Delegate
    numpy: str
    runtime_build: str | None
    warmup_ended: str
    thresholds: Thresholds
    energy: Energy | None
    found: dict[str, int | float | None]
    state_root: str
    profile: Profile | None
    import_ns: dict[str, int]
    outputs_sha256: str
    not_finite: int
    stderr: str

    @classmethod
    def of(
        cls, answer: RunnerResult, context: Context, *, threads: int, energy: Energy | None, stderr: str
    ) -> CellEvidence:
        """The evidence of a cell with this answer."""
        states = answer.evidence
        return cls(
            before=states.before,
            start=states.start,
            during=states.during,
            end=states.end,
            after=states.after,
            busiest=states.busiest,
            cpuinfo=answer.cpuinfo,
            uname_machine=answer.machine,
            clock=answer.clock,
            delegate=answer.delegate,
            numpy=answer.numpy_version,
            runtime_build=plain(answer.runtime_build or "") or None,
            warmup_ended=answer.warmup_ended,
            thresholds=context.device.thresholds,
            energy=energy,
            found=judge.found(answer, threads),
            state_root=answer.state_root,
            profile=answer.profile,
            import_ns=answer.import_ns,
            outputs_sha256=answer.outputs_sha256,
            not_finite=answer.not_finite,
            stderr=stderr,
        )
