"""How far a board's outputs lie from golden ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.config.thresholds import Thresholds
from harness.core.safetext import clean
from harness.records.answer import OutputsAnswer
from harness.records.golden import OutputsCheck, TensorDifference
from harness.records.manifest import Artifact
from harness.records.tensor import TensorSpec
from harness.run.golden.file import GoldenOutputs
from harness.run.golden.outputs import Array, Outputs, sample_shapes

#: Figures beyond this are cut: a number that is none has no place in a file.
_MOST = 1e300


def misfit(golden: OutputsAnswer, given: OutputsAnswer) -> str | None:
    """Why outputs can't be those of the same network, by their number, element types and shapes; None where they can.

    Only the samples that both have are looked at.
    """
    if len(golden.tensors) != len(given.tensors):
        return f"{len(given.tensors)} outputs instead of {len(golden.tensors)}"
    for expected, tensor in zip(golden.tensors, given.tensors, strict=True):
        if expected.dtype != tensor.dtype:
            return f"output '{clean(expected.name, 100)}' is {clean(tensor.dtype, 20)} instead of {expected.dtype}"
    for number, (expected_shapes, shapes) in enumerate(zip(sample_shapes(golden), sample_shapes(given), strict=False)):
        for expected, one, other in zip(golden.tensors, expected_shapes, shapes, strict=True):
            if one != other:
                where = f"output '{clean(expected.name, 100)}' of sample {number}"
                return f"{where} has shape {list(other)[:32]} instead of {list(one)}"
    return None


def compared(
    golden: GoldenOutputs, given: Outputs, artifact: Artifact, limits: Thresholds, *, classifier: bool
) -> OutputsCheck:
    """The differences of outputs that :func:`misfit` has nothing against.

    Args:
        artifact: the file, whose numbers decide the tolerances.
        classifier: whether the first output is one row of scores.
    """
    tensors = golden.outputs.about.tensors
    specs = artifact.outputs if len(artifact.outputs) == len(tensors) else ()
    sums = [_Sums(_scale(specs, place), tensor.dtype) for place, tensor in enumerate(tensors)]
    samples = same = 0
    for ours, theirs in zip(golden.outputs.each(), given.each(), strict=False):
        for total, one, other in zip(sums, ours, theirs, strict=True):
            total.add(one, other)
        same += classifier and ours[0].size > 0 and int(ours[0].argmax()) == int(theirs[0].argmax())
        samples += 1
    return OutputsCheck(
        reference=golden.reference,
        samples=samples,
        tensors=tuple(
            total.difference(clean(tensor.name, 200), *limits.outputs(tensor.dtype, artifact.variant, total.meaning))
            for tensor, total in zip(tensors, sums, strict=True)
        ),
        same_top1=int(same) if classifier else None,
    )


def _scale(specs: Sequence[TensorSpec], place: int) -> TensorSpec | None:
    return specs[place] if place < len(specs) and specs[place].quantised else None


@dataclass
class _Sums:
    """Running figures of one tensor. ``quantised``: its scale, where integers stand for real numbers."""

    quantised: TensorSpec | None
    dtype: str
    largest: float = 0.0
    magnitude: float = 0.0
    squares: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    differing: int = 0
    elements: int = 0

    @property
    def meaning(self) -> str:
        """``real`` where elements are amounts; ``index`` where they are numbers of things, or yes and no."""
        amounts = self.quantised or self.dtype.startswith("float") or self.dtype in ("int8", "uint8")
        return "real" if amounts else "index"

    def add(self, ours: Array, theirs: Array) -> None:
        """Add a sample's tensor. Two equal infinities don't differ, and NaN differs from everything but NaN."""
        if not ours.size:
            return
        zero = float(self.quantised.zero_point or 0) if self.quantised else 0.0
        one, other = ours.astype(np.float64) - zero, theirs.astype(np.float64) - zero
        equal = (one == other) | (np.isnan(one) & np.isnan(other))
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.where(equal, 0.0, np.abs(one - other))
        apart = np.nan_to_num(apart, nan=_MOST, posinf=_MOST)
        one, other = (np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) for values in (one, other))
        self.largest = max(self.largest, float(apart.max()))
        self.magnitude = max(self.magnitude, float(np.abs(one).max()))
        with np.errstate(over="ignore"):
            parts = (apart**2, one**2, other**2, one * other)
            self.squares = [total + float(part.sum()) for total, part in zip(self.squares, parts, strict=True)]
        self.differing += int(np.count_nonzero(~equal))
        self.elements += ours.size

    def difference(self, name: str, tolerance: float | None, rms_tolerance: float | None) -> TensorDifference:
        """The figures, limited to finite numbers."""
        apart, ours, theirs, product = self.squares
        relative, rms = _share(self.largest, self.magnitude), _share(float(np.sqrt(apart)), float(np.sqrt(ours)))
        if self.meaning == "index":
            relative = rms = _share(self.differing, self.elements)
        return TensorDifference(
            name=name,
            dtype=self.dtype,
            max_abs=min(self.largest, _MOST),
            max_rel=relative,
            rms_rel=rms,
            cosine=_cosine(product, ours, theirs),
            tolerance=tolerance,
            rms_tolerance=rms_tolerance,
        )


def _share(part: float, whole: float) -> float:
    if not part:
        return 0.0
    return min(part / whole, _MOST) if whole else _MOST


def _cosine(product: float, ours: float, theirs: float) -> float | None:
    length = float(np.sqrt(ours) * np.sqrt(theirs))
    return max(-1.0, min(1.0, product / length)) if length and np.isfinite(length) and np.isfinite(product) else None


def exceeding(check: OutputsCheck) -> Iterable[str]:
    """For a person: each tensor that is beyond a limit, with the figures."""
    for tensor in check.tensors:
        if tensor.excess <= 1:
            continue
        figures = []
        if tensor.tolerance is not None and tensor.max_rel > tensor.tolerance:
            figures.append(f"an element by {tensor.max_rel:.3g} of the largest (limit {tensor.tolerance:g})")
        if tensor.rms_tolerance is not None and tensor.rms_rel > tensor.rms_tolerance:
            figures.append(f"all by {tensor.rms_rel:.3g} in root mean square (limit {tensor.rms_tolerance:g})")
        yield f"output '{tensor.name}' ({tensor.dtype}) differs: {', '.join(figures)}"
