"""Reading a model file of any kind: the format is decided by the content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.modelfile import onnx_file, tflite_file
from harness.modelfile.record import FileFormat, ModelFile
from harness.modelfile.shapes import SharedShapes
from harness.modelfile.source import Source, look

#: ONNX comes last: its files have no mark that they begin with.
FORMATS: tuple[FileFormat, ...] = (tflite_file.FORMAT, onnx_file.FORMAT)
#: Beyond this, a number isn't exact in a table.
_MAX_COUNT = 1 << 53


def names_a_file(word: str) -> bool:
    """Whether a word of the command line is a file rather than the name of a network under ``models/``."""
    return "/" in word or word.lower().endswith(tuple(f".{form.name}" for form in FORMATS))


def read(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelFile:
    """Read and check a ``.tflite`` or ``.onnx`` file.

    Args:
        shapes: shapes of inputs by their names, for inputs with dynamic dimensions.

    Raises:
        ModelFileError: (a UsageError) the file is missing, damaged, no model, or one that can't be run as it is; or an
            input's shape has to be chosen, or was chosen wrongly.
    """
    source = look(path)
    form = next(form for form in FORMATS if form.begins(source.head))
    data = source.read()
    contents = form.read(source, data, {} if shapes is None else shapes)
    whole = data if contents.merged is None else contents.merged
    sha256 = sha256_bytes(whole)
    embedded = path
    if contents.merged is not None:
        embedded = cache_dir() / "models" / f"{sha256}.{form.name}"
        if not embedded.is_file():
            write_atomic(embedded, whole)
    known = {name: value for name, value in vars(contents).items() if name != "merged"}
    if contents.macs is not None and contents.macs > _MAX_COUNT:
        known |= {"macs": None, "macs_missing": "there are more than can be"}
    known["notes"] = (*_about_name(source, form), *contents.notes)
    return ModelFile(path=path, embedded=embedded, format=form.name, sha256=sha256, bytes=len(whole), **known)


def read_all(
    paths: Sequence[Path], shapes: Mapping[str, tuple[int, ...]] | None = None, sample: tuple[int, ...] | None = None
) -> list[ModelFile]:
    """Read and check several files, each with the shapes of its own inputs.

    Args:
        sample: the shape of one sample that they will be fed with; one input alone takes it where its sizes are open.

    Raises:
        ModelFileError: as :func:`read` does.
        UsageError: a shape is of an input that no file has.
    """
    if len(paths) < 2 and sample is None:
        return [read(path, shapes) for path in paths]
    shared = SharedShapes(shapes or {}, sample)
    files = [read(path, shared) for path in paths]
    for name in (name for name in shared if name not in shared.taken):
        listed = ", ".join(dict.fromkeys(f"'{one.name}'" for file in files for one in file.inputs[:5]))
        raise UsageError(f"--shape {clean(name)}: no file has this input; they have {clean(listed, 500)}")
    return files


def _about_name(source: Source, form: FileFormat) -> tuple[str, ...]:
    ending = source.path.suffix.lower()
    if ending == f".{form.name}":
        return ()
    return (f"its name ends in '{ending}', and its content is {form.title}: the content counts",)
