"""Reads a network's outputs after each inference, outside of the timed part, and keeps those of the first pass."""

import hashlib
import os
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

from .clock import now_ns
from .files import sha256_of
from .runtimes.base import Model
from .shapes import Array, Json

#: Shapes that differ from sample to sample are told for so many samples: the controller limits what it reads.
VARYING = 500
#: How often outputs of later passes are read.
LOOK_NS = 100_000_000


class OutputsFile(object):
    """A file of the outputs of whole samples, in order: of each sample all tensors, without anything between them.

    Args:
        path: the file; ``""`` keeps nothing.
        limit: the most bytes. A sample that exceeds it, and all after it, are left out.
        known: hashes of outputs that are not kept.
    """

    def __init__(self, path: str, limit: int, known: List[str]) -> None:
        self.path, self.limit, self.known = path, limit, known
        self.handle: Any = open(path, "wb") if path else None
        self.size, self.samples, self.full = 0, 0, False
        self.about: List[Tuple[str, str]] = []
        self.shapes: List[List[List[int]]] = []

    def add(self, names: List[str], arrays: List[Array], contents: List[bytes]) -> None:
        size = sum(len(content) for content in contents)
        shapes = [[int(length) for length in array.shape] for array in arrays]
        many = self.samples >= VARYING and shapes != self.shapes[0]
        if self.handle is None or self.full or self.size + size > self.limit or many:
            self.full = True
            return
        for content in contents:
            self.handle.write(content)
        self.about = [(name, str(array.dtype)) for name, array in zip(names, arrays)]  # noqa: B905 - Python 3.6
        self.shapes.append(shapes)
        self.size += size
        self.samples += 1

    def close(self, digest: str) -> Optional[Json]:
        """What is in the file, as :class:`harness.records.answer.OutputsAnswer`; None where nothing was to be kept.

        ``digest`` is the hash of the outputs of all samples.
        """
        if self.handle is None:
            return None
        self.handle.close()
        if digest in self.known:
            os.remove(self.path)
            return None
        tensors = []
        for place, (name, dtype) in enumerate(self.about):
            shapes = [of_sample[place] for of_sample in self.shapes]
            same = all(shape == shapes[0] for shape in shapes)
            tensors.append({"name": name[:1024], "dtype": dtype, "shapes": shapes[:1] if same else shapes})
        return {"samples": self.samples, "bytes": self.size, "sha256": sha256_of(self.path), "tensors": tensors}


class Reader(object):
    """Reads the outputs of one inference after the other, in passes.

    Attributes:
        not_finite: inferences that were read and whose output held NaN or infinity.
        stable: whether all passes gave the same answers.
        digest: of all outputs of the first pass.
    """

    def __init__(self, np: ModuleType, model: Model, file: OutputsFile) -> None:
        self.np, self.model, self.file = np, model, file
        self.first, self.stable, self.not_finite = True, True, 0
        self.digest = hashlib.sha256()

    def begin(self) -> None:
        """Begin a pass."""

    def read(self) -> None:
        """Read the outputs of the inference that has just ended."""
        raise NotImplementedError

    def end(self) -> None:
        """End a pass."""
        self.first = False

    def answer(self) -> Json:
        """This part of the answer, see :class:`harness.records.answer.RunnerResult`."""
        return {
            "predictions_stable": self.stable,
            "not_finite": int(self.not_finite),
            "outputs_sha256": self.digest.hexdigest(),
            "outputs": self.file.close(self.digest.hexdigest()),
        }

    def keep(self, arrays: List[Array]) -> None:
        """Keep the outputs of an inference of the first pass."""
        contents = [array.tobytes() for array in arrays]
        for content in contents:
            self.digest.update(content)
        self.file.add(self.model.names(), arrays, contents)


class ScoresReader(Reader):
    """Reads one row of scores; the index of the highest is the prediction."""

    def __init__(self, np: ModuleType, model: Model, file: OutputsFile) -> None:
        Reader.__init__(self, np, model, file)
        self.predictions: List[int] = []
        self.of_first: List[int] = []

    def begin(self) -> None:
        self.predictions = []

    def read(self) -> None:
        result = self.model.get()
        if self.first:
            self.keep([result])
        self.not_finite += not self.np.isfinite(result).all()
        self.predictions.append(int(result.reshape(-1).argmax()))

    def end(self) -> None:
        if self.first:
            self.of_first = self.predictions
        self.stable = self.stable and self.predictions == self.of_first
        Reader.end(self)

    def answer(self) -> Json:
        return dict(Reader.answer(self), predictions=self.of_first)


class TensorsReader(Reader):
    """Reads all output tensors, whatever they mean. The second pass must give the same bytes as the first.

    Of later passes those are read that begin :data:`LOOK_NS` after the last one was: to read outputs after every
    inference slows the next one down, by 4 % where it takes a tenth of a millisecond.
    """

    def __init__(self, np: ModuleType, model: Model, file: OutputsFile) -> None:
        Reader.__init__(self, np, model, file)
        self.of_second = hashlib.sha256()
        self.number, self.looked, self.looking = 0, 0, True

    def begin(self) -> None:
        self.number += 1
        self.model.reset()
        self.looking = self.number <= 2 or now_ns() - self.looked >= LOOK_NS
        if self.looking:
            self.looked = now_ns()

    def read(self) -> None:
        if not self.looking:
            return
        arrays = [self.np.asarray(array) for array in self.model.get_all()]
        if self.first:
            self.keep(arrays)
        elif self.number == 2:
            for array in arrays:
                self.of_second.update(array.tobytes())
        self.not_finite += any(array.dtype.kind == "f" and not self.finite(array) for array in arrays)

    def finite(self, array: Array) -> bool:
        """Whether an array holds numbers alone. Its sum tells it mostly, and leaves the processor's caches as they are;
        sums of large numbers may overflow."""
        with self.np.errstate(all="ignore"):
            total = array.sum(dtype=self.np.float64)
        return bool(self.np.isfinite(total) or self.np.isfinite(array).all())

    def end(self) -> None:
        if self.number == 2:
            self.stable = self.of_second.digest() == self.digest.digest()
        Reader.end(self)

    def answer(self) -> Json:
        return dict(Reader.answer(self), predictions=[])


def reader_of(np: ModuleType, model: Model, job: Json) -> Reader:
    """What reads the outputs of a job's network."""
    kept: Dict[str, Any] = job.get("outputs") or {}
    file = OutputsFile(kept.get("file", ""), kept.get("limit", 0), kept.get("known", []))
    return (ScoresReader if job.get("tensors") is None else TensorsReader)(np, model, file)
