"""tflite-runtime, and the code that it shares with its successor LiteRT, which has the same Interpreter."""

from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Set

from ..clock import now_ns
from ..files import RunnerError
from ..packages import package_version, wheel_tags
from ..shapes import Array, Json
from .base import MODELS, Model, as_input


class TfliteModel(Model):
    #: the package of the interpreter
    PACKAGE = "tflite_runtime"
    FORKABLE = "tflite_runtime.interpreter"

    def __init__(self, np: ModuleType, job: Json) -> None:
        self.np = np
        started = now_ns()
        package = __import__(self.PACKAGE + ".interpreter", fromlist=["Interpreter"])
        self.import_ns = now_ns() - started
        self.version = package_version(self.PACKAGE)
        self.interpreter_class = package.Interpreter
        delegates = self.delegates(package, job["delegate"])
        started = now_ns()
        self.interpreter = package.Interpreter(
            model_path=job["model"], num_threads=job["threads"], experimental_delegates=delegates or None
        )
        created = now_ns()
        self.resize(job.get("tensors"))
        self.interpreter.allocate_tensors()
        ended = now_ns()
        self.load_ns, self.allocate_ns = ended - started, ended - created
        self.build = wheel_tags(package)
        self.inputs, self.outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        self.input, self.output = self.inputs[0], self.outputs[0]
        self.output_name = str(self.output["name"])
        self.invoke = self.interpreter.invoke

    def resize(self, tensors: Optional[List[Json]]) -> None:
        """Give each input the shape that its tensor has in the job."""
        if tensors is None:
            return
        details = self.interpreter.get_input_details()
        if len(details) != len(tensors):
            raise RunnerError("bad-model", "takes %d inputs, not %d" % (len(details), len(tensors)))
        for detail, tensor in zip(details, tensors):  # noqa: B905 - Python 3.6 has no strict
            if [int(length) for length in detail["shape"]] != tensor["shape"]:
                self.interpreter.resize_tensor_input(detail["index"], tensor["shape"])

    def delegates(self, package: ModuleType, name: str) -> List[Any]:
        """Load the requested delegate. The CPU needs none, because the interpreter applies XNNPACK by itself."""
        if name == "cpu":
            return []
        if name != "edgetpu":
            raise RunnerError("delegate-unsupported", "TFLite has no delegate '%s' here" % name)
        try:
            return [package.load_delegate("libedgetpu.so.1")]
        except (OSError, ValueError) as error:
            raise RunnerError("delegate-missing", "libedgetpu.so.1 can't be loaded: %s" % error)

    def prepare(self, image: Array) -> Array:
        scale, zero_point = self.input.get("quantization", (0.0, 0))
        value = as_input(self.np, image, self.input["dtype"], scale=scale, zero_point=zero_point)
        if tuple(value.shape) != tuple(self.input["shape"]):
            raise RunnerError("bad-model", "takes input %s, not %s" % (tuple(self.input["shape"]), value.shape))
        return value

    def set(self, value: Array) -> None:
        if isinstance(value, list):
            for detail, part in zip(self.inputs, value):  # noqa: B905 - Python 3.6 has no strict
                self.interpreter.set_tensor(detail["index"], part)
            return
        self.interpreter.set_tensor(self.input["index"], value)

    def get(self) -> Array:
        return self.interpreter.get_tensor(self.output["index"])

    def get_all(self) -> List[Array]:
        return [self.interpreter.get_tensor(output["index"]) for output in self.outputs]

    def names(self) -> List[str]:
        return [str(output["name"]) for output in self.outputs]

    def reset(self) -> None:
        self.interpreter.reset_all_variables()

    def loaded(self, content: bytes, value: Array, threads: int = 1) -> Callable[[], Any]:
        interpreter = self.interpreter_class(model_content=content, num_threads=threads)
        given = value if isinstance(value, list) else [value]
        for detail, part in zip(interpreter.get_input_details(), given):  # noqa: B905 - Python 3.6 has no strict
            if list(detail["shape"]) != list(part.shape):
                interpreter.resize_tensor_input(detail["index"], part.shape)
        interpreter.allocate_tensors()
        for detail, part in zip(interpreter.get_input_details(), given):  # noqa: B905 - Python 3.6 has no strict
            interpreter.set_tensor(detail["index"], part)
        invoke: Callable[[], Any] = interpreter.invoke
        return invoke

    def quantised(self) -> bool:
        """Whether the model file has a scale for its output."""
        return bool(self.output.get("quantization", (0.0, 0))[0])

    def applied(self) -> Json:
        """The delegate, and the number of nodes that it ran, from the interpreter's own node list."""
        try:
            nodes = self.interpreter._get_ops_details()
        except Exception as error:  # the method is private, so another version may lack it
            return {"applied": None, "how": "no node list: %s" % error}
        kinds = sorted(set(node["op_name"] for node in nodes if is_delegate(node)))
        outputs = [int(detail["index"]) for detail in self.interpreter.get_output_details()]
        executed = executed_nodes(nodes, outputs)
        plain = [node for node in nodes if not is_delegate(node)]
        left = [node["op_name"] for node in plain if node["index"] in executed]
        name = "cpu" if not kinds else ("edgetpu" if any("edgetpu" in kind.lower() for kind in kinds) else "xnnpack")
        return {
            "applied": name if len(left) < len(plain) or not kinds else "cpu",
            "nodes_total": len(plain),
            "nodes_delegated": len(plain) - len(left),
            "nodes_left": sorted(left)[:64],
            "how": "interpreter node list %s" % kinds,
        }


def is_delegate(node: Json) -> bool:
    return "delegate" in node["op_name"].lower()


def executed_nodes(nodes: List[Json], outputs: List[int]) -> Set[int]:
    """The indices of the nodes that are executed.

    Nodes that a delegate replaces stay in the list; the delegate's node follows them. A walk back from the outputs,
    which prefers the delegate's node for a tensor, reaches exactly the executed nodes.
    """
    makers: Dict[int, Json] = {}
    for node in nodes:
        for tensor in node["outputs"]:
            if int(tensor) not in makers or is_delegate(node):
                makers[int(tensor)] = node
    executed, seen = set(), set()
    todo = list(outputs)
    while todo:
        tensor = todo.pop()
        maker = makers.get(tensor)
        if tensor in seen or maker is None:
            continue
        seen.add(tensor)
        executed.add(maker["index"])
        todo.extend(int(t) for t in maker["inputs"] if int(t) >= 0)
    return executed


MODELS["tflite"] = TfliteModel
