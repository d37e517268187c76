"""The check of a network's output: it must have one score for each class."""

from types import ModuleType

from .files import RunnerError
from .runtimes.base import Model
from .shapes import Json


def check_scores(np: ModuleType, model: Model, job: Json) -> None:
    """Refuse an output of images without one score for each class, since the index of its maximum would be no class.

    Raises:
        RunnerError: ``no-scores``.
    """
    if job.get("tensors") is not None:
        return
    result, classes = model.get(), job.get("classes")
    shape, dtype = tuple(getattr(result, "shape", ())), getattr(result, "dtype", None)
    what = "output '%s' is %s %s" % (model.output_name[:200], dtype or type(result).__name__, list(shape))
    if dtype is None or not (np.issubdtype(dtype, np.floating) or (dtype in (np.int8, np.uint8) and model.quantised())):
        raise RunnerError("no-scores", what + ", which are no scores")
    length = int(np.prod(shape)) if shape else 1
    if length < 2 or max(shape) != length:
        raise RunnerError("no-scores", what + ", which is no single row of scores")
    if classes is not None and length != classes:
        raise RunnerError("no-scores", what + ", and there are %d classes" % classes)
