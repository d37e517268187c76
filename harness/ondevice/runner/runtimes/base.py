"""The interface of a runtime for the runner, and the conversion of an image to a model's input."""

from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Type

from ..files import RunnerError
from ..shapes import Array, Json


class Model(object):
    """A model loaded into a runtime. Its constructor imports the runtime and loads the model.

    Attributes:
        import_ns, load_ns: time to import the runtime, and to load the model, in nanoseconds.
        allocate_ns: the part of ``load_ns`` that allocates tensors; None if the runtime does not separate the two.
        version: the runtime's version; None if unknown.
        build: description of the build: wheel tags, compiler, providers.
        output_name: name of the first output.
        invoke: runs one inference; this call alone is timed.
        FORKABLE: the module that a process may import before it forks others that measure, see forks.py; empty if the
            measuring process must import it.
    """

    FORKABLE = ""

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
        """Convert an image, uint8 (48, 48, 1), to the value that :meth:`set` takes."""
        raise NotImplementedError

    def set(self, value: Array) -> None:
        """Put a value into the input tensor, or a list of values into all of them."""
        raise NotImplementedError

    def get(self) -> Array:
        """The first output; of a classifier an array with one score for each class."""
        raise NotImplementedError

    def get_all(self) -> List[Array]:
        """All outputs."""
        return [self.get()]

    def names(self) -> List[str]:
        """The names of all outputs, in the order of :meth:`get_all`."""
        return [self.output_name]

    def reset(self) -> None:
        """Forget what earlier inferences left in the network's own variables."""

    def quantised(self) -> bool:
        """Whether the scale of an integer output is known."""
        raise NotImplementedError

    def applied(self) -> Json:
        """The proof of which delegate ran, as :class:`harness.records.answer.Delegate`.

        It is called after the first inference.
        """
        raise NotImplementedError

    def loaded(self, content: bytes, value: Array, threads: int = 1) -> Callable[[], Any]:  # noqa: ARG002
        """An inference of another file that takes the same input; ``value`` is already in it."""
        raise NotImplementedError("this runtime loads no prefixes")

    def profile(self, inputs: List[Array]) -> Json:  # noqa: ARG002
        """The time of each node, as :class:`harness.records.answer.Profile`."""
        return {"how": "this runtime's Python interface has no profiler", "runs": 0, "nodes": []}


#: The class of each runtime's models, by the runtime's name. Each runtime's file adds its own.
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
    """Convert a uint8 image (48, 48, 1) to the model's input (1, 48, 48, 1): unscaled pixels, or quantised ones."""
    value = image[np.newaxis].astype(np.float32)
    if dtype in (np.int8, np.uint8):
        if not scale:
            raise RunnerError("bad-model", "quantised input without a scale")
        limits = np.iinfo(dtype)
        value = np.clip(np.round(value / scale) + zero_point, limits.min, limits.max)
    return np.ascontiguousarray(value.astype(dtype))
