"""What a runtime did instead of what it was asked for: another delegate, precision or number of threads."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.safetext import plain
from harness.records.answer import Delegate, RunnerResult
from harness.records.cell import RuntimeInfo
from harness.run.plan import CellJob

#: Types that layers with weights may have beside the one asked for. No runtime has all layers in integers.
_BESIDE: Mapping[str, frozenset[str]] = {"int8": frozenset({"float32"})}
_LONGEST = 1000


def fallbacks(job: CellJob, answer: RunnerResult, runtime: RuntimeInfo) -> list[str]:
    """One line for each thing that ran otherwise than asked for; each names both. Empty if the runtime obeyed.

    A runtime that says nothing of precision or threads is not accused of anything.
    """
    proof, found = answer.delegate, []
    if not runtime.delegate_verified:
        found.append(f"asked for '{job.delegate}', the board ran '{runtime.delegate_applied}' ({proof.how})")
    if other := _other_precision(proof):
        found.append(f"asked for {proof.precision_asked}, the board computed in {other} ({proof.how})")
    if proof.threads is not None and proof.threads != job.threads:
        threads = "thread" if job.threads == 1 else "threads"
        found.append(f"asked for {job.threads} {threads}, the board computed with {proof.threads} ({proof.how})")
    return [plain(text)[:_LONGEST] for text in found]


def _other_precision(proof: Delegate) -> str | None:
    """The types in which layers with weights computed, with their numbers; None if they are as asked for."""
    asked = proof.precision_asked
    if asked is None or not proof.precisions:
        return None
    if asked in proof.precisions and proof.precisions.keys() <= {asked} | _BESIDE.get(asked, frozenset()):
        return None
    return " and ".join(
        f"{name} ({count} {'layer' if count == 1 else 'layers'})" for name, count in sorted(proof.precisions.items())
    )
