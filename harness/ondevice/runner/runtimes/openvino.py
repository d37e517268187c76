"""OpenVINO. Its description of the compiled network proves on which device and in which precision each layer ran."""

import functools
import os
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ..clock import now_ns
from ..files import RunnerError
from ..packages import package_version, wheel_tags
from ..shapes import Array, Json
from .base import MODELS, Model, as_input

#: OpenVINO's names of the types that its kernels compute in, in numpy's words. Its u8 kernels have int8 weights.
OPENVINO_TYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "int8"}
#: Types of executed layers that have weights or multiply matrices: these decide in which precision a network computes.
OPENVINO_WEIGHTED = (
    "Convolution", "Deconvolution", "DeformableConvolution", "FullyConnected", "MatMul", "RNNCell", "RNNSeq",
)  # fmt: skip
#: What stands in the compiled network and computes nothing.
OPENVINO_ENDS = ("Input", "Output", "Parameter", "Result", "Const", "Constant")


class OpenvinoModel(Model):
    FORKABLE = "openvino"

    def __init__(self, np: ModuleType, job: Json) -> None:
        self.np = np
        if job["delegate"] != "cpu":
            raise RunnerError("delegate-unsupported", "OpenVINO has no device '%s' here" % job["delegate"])
        started = now_ns()
        import openvino

        self.import_ns = now_ns() - started
        self.version = package_version("openvino")
        self.build = "%s %s" % (wheel_tags(openvino), openvino.get_version())
        self.job, self.quantised_output = job, bool(job.get("quantised_output"))
        started = now_ns()
        self.core = openvino.Core()
        self.asked = self.precision(job.get("variant"))
        network = self.network()
        self.compiled = self.compile(network)
        self.request = self.compiled.create_infer_request()
        self.load_ns = now_ns() - started
        self.places = input_places(network.inputs, job.get("tensors"))
        del network
        tensors = [self.request.get_input_tensor(place) for place in self.places]
        #: the runtime's own input tensors
        self.inputs = [tensor.data for tensor in tensors]
        self.outputs = range(len(self.compiled.outputs))
        self.output_names = [port_name(port, place) for place, port in enumerate(self.compiled.outputs)]
        self.output_name = self.output_names[0]
        self.invoke = bare_infer(openvino, self.request)

    def precision(self, variant: Optional[str]) -> str:
        """The type that float layers shall have. Left to itself OpenVINO takes bfloat16 or float16, whatever the file
        holds, wherever the processor has it.
        """
        half = variant == "fp16" and "FP16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "f16" if half else "f32"

    def options(self) -> Dict[str, str]:
        """What OpenVINO is told. Like all other runtimes it neither pins threads nor leaves out logical processors, and
        it writes no compiled network to the disk, or later cells would load that.
        """
        return {
            "INFERENCE_PRECISION_HINT": self.asked,
            "INFERENCE_NUM_THREADS": str(self.job["threads"]),
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": "NO",
            "ENABLE_HYPER_THREADING": "YES",
            "SCHEDULING_CORE_TYPE": "ANY_CORE",
            "CACHE_DIR": "",
        }

    def compile(self, network: Any) -> Any:
        """The executable form that OpenVINO makes of a network for this processor."""
        try:
            return self.core.compile_model(network, "CPU", self.options())
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if line and not line.startswith("Exception from ")]
            said = " ".join(lines) or "it gave no reason"
            raise RunnerError("runtime-error", "OpenVINO can't compile the network for this processor: %s" % said)

    def network(self) -> Any:
        """The network with the shapes of the job's tensors."""
        tensors = self.job.get("tensors")
        with linked(self.job["model"]) as link:
            try:
                network = self.core.read_model(link)
            except Exception:
                if tensors is None:
                    raise
                network = converted(link, tensors)  # it may have needed the sizes
        if tensors is not None:
            places = input_places(network.inputs, tensors)
            shapes = {place: tensor["shape"] for place, tensor in zip(places, tensors)}  # noqa: B905 - Python 3.6
            if any(static_shape(network.inputs[place]) != shape for place, shape in shapes.items()):
                network.reshape(shapes)
        for place, port in enumerate(network.inputs):
            if static_shape(port) is None:
                raise RunnerError("bad-model", "the size of input '%s' is open" % port_name(port, place))
        return network

    def prepare(self, image: Array) -> Array:
        scale, zero_point = self.job.get("quantised_input") or (0.0, 0)
        value = as_input(self.np, image, self.inputs[0].dtype, scale=scale, zero_point=zero_point)
        if value.shape != self.inputs[0].shape:
            raise RunnerError("bad-model", "takes input %s, not %s" % (self.inputs[0].shape, value.shape))
        return value

    def set(self, value: Array) -> None:
        if isinstance(value, list):
            for own, part in zip(self.inputs, value):  # noqa: B905 - Python 3.6 has no strict
                self.np.copyto(own, part)
            return
        self.np.copyto(self.inputs[0], value)

    def get(self) -> Array:
        return self.request.get_output_tensor(0).data

    def get_all(self) -> List[Array]:
        return [self.request.get_output_tensor(place).data for place in self.outputs]

    def names(self) -> List[str]:
        return self.output_names

    def reset(self) -> None:
        self.request.reset_state()

    def quantised(self) -> bool:
        """Whether the output is quantised. OpenVINO keeps scales inside the graph, so the controller looks there."""
        return self.quantised_output

    def applied(self) -> Json:
        """Device, precision and kernel of each layer, from OpenVINO's description of what it executes."""
        devices = [str(device) for device in self.compiled.get_property("EXECUTION_DEVICES")]
        layers = executed_layers(self.compiled.get_runtime_model())
        weighted = Counter(
            OPENVINO_TYPES.get(precision, precision)
            for layer, _kernel, precision in layers
            if layer in OPENVINO_WEIGHTED
        )
        kernels = Counter(layers).most_common(256)
        threads = int(self.compiled.get_property("INFERENCE_NUM_THREADS"))
        main = ["%d %s by %s in %s" % (count, layer, kernel, name) for (layer, kernel, name), count in kernels[:12]]
        return {
            "applied": "+".join(sorted(set(device.lower() for device in devices))) or None,
            "nodes_total": len(layers),
            "nodes_delegated": len(layers),
            "how": "OpenVINO's runtime model on %s: %s" % (devices, ", ".join(main)),
            "precision_asked": "int8" if self.job.get("variant") == "int8" else OPENVINO_TYPES[self.asked],
            "precisions": dict(weighted),
            "threads": threads,
            "kernels": [
                {"layer": layer, "kernel": kernel, "precision": precision, "count": count}
                for (layer, kernel, precision), count in kernels
            ],
        }

    def profile(self, inputs: List[Array]) -> Json:
        """Each layer's time over several inferences, by OpenVINO's counters, in a network compiled for that."""
        compiled = self.core.compile_model(self.network(), "CPU", dict(self.options(), PERF_COUNT="YES"))
        request, runs = compiled.create_infer_request(), min(len(inputs), 20)
        own = [request.get_input_tensor(place).data for place in self.places]
        times: Dict[Tuple[str, str, str], List[int]] = {}
        for number, value in enumerate([inputs[0]] + inputs[:runs]):  # the first one is cold and is not counted
            for tensor, part in zip(own, value if isinstance(value, list) else [value]):  # noqa: B905 - Python 3.6
                self.np.copyto(tensor, part)
            request.infer()
            for layer in request.profiling_info if number else []:
                if str(layer.status).endswith(".EXECUTED"):
                    key = (layer.node_name[:200], layer.node_type[:200], layer.exec_type[:200])
                    times.setdefault(key, []).append(int(round(layer.real_time.total_seconds() * 1e6)) * 1000)
        slowest = sorted(times.items(), key=lambda each: -sum(each[1]))[:512]
        nodes = [
            {"name": name, "op": layer, "provider": kernel, "calls": len(spent), "total_ns": sum(spent)}
            for (name, layer, kernel), spent in slowest
        ]
        return {"how": "OpenVINO's performance counters", "runs": runs, "nodes": nodes}


@contextmanager
def linked(model: str) -> Iterator[str]:
    """The file under a name with the ending by which OpenVINO knows TFLite. A board's store has names without."""
    with open(model, "rb") as handle:
        ending = "tflite" if handle.read(8)[4:] == b"TFL3" else "onnx"
    folder = tempfile.mkdtemp()
    try:
        link = os.path.join(folder, "model." + ending)
        os.symlink(os.path.abspath(model), link)
        yield link
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def converted(link: str, tensors: List[Json]) -> Any:
    """The network in a file, converted for these sizes: some operators can't be converted while a size is open."""
    from openvino import PartialShape
    from openvino.frontend import FrontEndManager

    front = FrontEndManager().load_by_framework("tflite" if link.endswith(".tflite") else "onnx")
    model = front.load(link)
    for tensor in tensors:
        place = model.get_place_by_tensor_name(tensor["name"])
        if place is not None:
            model.set_partial_shape(place, PartialShape(tensor["shape"]))
    return front.convert(model)


def bare_infer(package: ModuleType, request: Any) -> Callable[[], object]:
    """One inference, without what the package's own method adds in Python, and with outputs that are not copied."""
    infer = super(package.InferRequest, request).infer
    told = {"share_outputs": True, "decode_strings": False}  # older releases know only the first, or neither
    known = {name: value for name, value in told.items() if name in (infer.__doc__ or "")}
    return functools.partial(infer, {}, **known)


def port_name(port: Any, place: int) -> str:
    """A name of an input or output; its place where the file gives none."""
    names = sorted(str(name) for name in port.get_names())
    return names[0] if names else "tensor %d" % place


def static_shape(port: Any) -> Optional[List[int]]:
    """The shape of an input; None if a size is open."""
    return [int(size) for size in port.shape] if port.partial_shape.is_static else None


def input_places(ports: List[Any], tensors: Optional[List[Json]]) -> List[int]:
    """The place of each of the job's tensors among the network's inputs: by name, or, if names are lost, by order."""
    if tensors is None:
        return list(range(len(ports)))
    if len(ports) != len(tensors):
        raise RunnerError("bad-model", "takes %d inputs, not %d" % (len(ports), len(tensors)))
    names = [set(str(name) for name in port.get_names()) for port in ports]
    places = [[place for place, known in enumerate(names) if tensor["name"] in known] for tensor in tensors]
    if all(len(found) == 1 for found in places) and len(set(found[0] for found in places)) == len(ports):
        return [found[0] for found in places]
    return list(range(len(ports)))


def executed_layers(network: Any) -> List[Tuple[str, str, str]]:
    """(type, kernel, precision) of each layer that a compiled network executes.

    A kernel's name ends in the type that it computes in. ``runtimePrecision`` is that of its inputs: float16 also of
    weights that a float32 kernel reads.
    """
    layers = []
    for node in network.get_ordered_ops():
        about = node.get_rt_info()
        layer, kernel, inputs = (
            str(getattr(about[key], "value", about[key]))[:200] if key in about else ""
            for key in ("layerType", "primitiveType", "runtimePrecision")
        )
        if layer not in OPENVINO_ENDS:
            ending = kernel.rpartition("_")[2].lower()
            layers.append((layer, kernel, ending if ending in OPENVINO_TYPES else inputs.lower()))
    return layers


MODELS["openvino"] = OpenvinoModel
