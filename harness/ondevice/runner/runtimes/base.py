"""What the runner asks of a runtime, and how an image becomes a model's input."""

from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Type

from ..files import RunnerError
from ..shapes import Array, Json


class Model(object):
    """A model loaded into a runtime. Its constructor imports the runtime and loads the model.

    Attributes:
        import_ns, load_ns, allocate_ns: nanoseconds that importing the runtime, loading the model and, as a part of
            that, allocating its tensors took; ``allocate_ns`` is None where the runtime doesn't tell the two apart.
        version: the runtime's, None if unknown; ``build``: which wheel, compiler or provider it is of.
        output_name: for messages.
        invoke: computes; this alone is timed.
    """

    import_ns: int
    load_ns: int
    allocate_ns: Optional[int] = None
    version: Optional[str] = None
    build = ""
    output_name: str
    invoke: Callable[[], object]

    def __init__(self, np: ModuleType, job: Json) -> None:
        raise NotImplementedError

    def prepare(self, image: Array) -> Array:
        """An image, uint8 (48, 48, 1), as the value that :meth:`set` takes."""
        raise NotImplementedError

    def set(self, value: Array) -> None:
        """Put a value into the input tensor."""
        raise NotImplementedError

    def get(self) -> Array:
        """The output, an array with one score for each class."""
        raise NotImplementedError

    def quantised(self) -> bool:
        """Whether it is known which scores an output's whole numbers stand for."""
        raise NotImplementedError

    def applied(self) -> Json:
        """The proof of which delegate ran: see :class:`harness.records.answer.Delegate`. Asked after the first
        inference."""
        raise NotImplementedError

    def loaded(self, content: bytes, value: Array) -> Callable[[], Any]:  # noqa: ARG002
        """An inference, on one thread, of another file that takes the same input; ``value`` is already in it."""
        raise RunnerError("prefix-unsupported", "this runtime loads no prefixes")

    def profile(self, inputs: List[Array]) -> Json:  # noqa: ARG002
        """What took how long inside the runtime: see :class:`harness.records.answer.Profile`."""
        return {"how": "this runtime's Python interface has no profiler", "runs": 0, "nodes": []}


#: The models that runtimes load, by the runtime's name; each runtime's file adds its own.
MODELS: Dict[str, Type[Model]] = {}


def model_class(runtime: str) -> Type[Model]:
    """The class of a runtime's models.

    Raises:
        ImportError: no file has the runtime's name.
    """
    if runtime not in MODELS and __package__:
        __import__(__package__ + "." + runtime)
    if runtime not in MODELS:
        raise ImportError("the runner knows no runtime '%s'" % runtime)
    return MODELS[runtime]


def as_input(np: ModuleType, image: Array, dtype: Any, scale: float, zero_point: int) -> Array:
    """One uint8 image (48, 48, 1) as the model's input (1, 48, 48, 1): pixels as they are, or quantised."""
    value = image[np.newaxis].astype(np.float32)
    if dtype in (np.int8, np.uint8):
        if not scale:
            raise RunnerError("bad-model", "quantised input without a scale")
        limits = np.iinfo(dtype)
        value = np.clip(np.round(value / scale) + zero_point, limits.min, limits.max)
    return np.ascontiguousarray(value.astype(dtype))
