"""Takes a converted network apart: a line of JSON, and behind it the files that its runtime reads.

The controller writes it, see harness/runtimes/container.py. Names of files never come from it.
"""

import json
import os
from typing import Any, List, Tuple

from .files import RunnerError
from .shapes import Array, Json

#: The longest first line, and how much is copied at once, in bytes.
HEAD, COPIED = 4 << 20, 1 << 20


def write_parts(path: str, names: List[str], folder: str) -> Json:
    """Write the parts into files of a folder, which get the names given here. Returns the first line.

    Raises:
        RunnerError: the file is no converted network with parts of these names.
    """
    with open(path, "rb") as source:
        line = source.readline(HEAD)
        header, sizes = first_line(line)
        whole = len(line) + sum(sizes) == os.path.getsize(path) and min(sizes) >= 0
        if [part["name"] for part in header["parts"]] != names or not whole:
            raise RunnerError("bad-model", "the converted network has other parts than %s, or is damaged" % names)
        for name, size in zip(names, sizes):  # noqa: B905 - Python 3.6 has no strict
            with open(os.path.join(folder, name), "wb") as target:
                while size:
                    copied = source.read(min(size, COPIED))
                    target.write(copied)
                    size -= len(copied)
    return header


def first_line(line: bytes) -> Tuple[Json, List[int]]:
    """The first line, and the sizes of the parts."""
    try:
        header = json.loads(line.decode("ascii"))
        sizes = [int(part["bytes"]) for part in header["parts"] if part["name"]]
        if header["harness"] == 1 and sizes and all(isinstance(header[key], list) for key in ("inputs", "outputs")):
            return header, sizes
    except (ValueError, KeyError, TypeError):
        pass
    raise RunnerError("bad-model", "the file is no network that was converted for this runtime")


def without_batch(value: Array, about: Json) -> Array:
    """An artifact's tensor as the runtime has it."""
    return value if about["batch"] is None else value.squeeze(axis=about["batch"])


def as_described(np: Any, value: Array, about: Json) -> Array:
    """A runtime's tensor as the artifact has it: its element type, and its shape unless only a run can tell that.

    A tensor of another size keeps the runtime's shape, so that the difference shows.
    """
    value, shape = np.asarray(value), about["shape"]
    open_sizes = not all(shape)  # 0 is a size that only a run can tell
    if open_sizes and about["batch"] is not None:
        value = np.expand_dims(value, about["batch"])
    if not open_sizes and value.size == int(np.prod(shape)):
        value = value.reshape(shape)
    return np.ascontiguousarray(value.astype(about["dtype"]))


def places(job: Json, inputs: List[Json]) -> List[int]:
    """For each input of the network, the place of its tensor in the job."""
    if job.get("tensors") is None:
        return [0]
    wanted, given = [about["name"] for about in inputs], [tensor["name"] for tensor in job["tensors"]]
    if sorted(given) != sorted(wanted):
        raise RunnerError("bad-model", "takes inputs %s, not %s" % (wanted, given))
    return [given.index(name) for name in wanted]
