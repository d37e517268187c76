"""MNN, by its sessions: the input is copied into a session's tensor, and runSession computes alone."""

import os
import shutil
import struct
import tempfile
from types import ModuleType
from typing import Any, Dict, List

from ..clock import now_ns
from ..container import as_described, places, write_parts
from ..files import RunnerError
from ..packages import package_version, wheel_tags
from ..precision import told_by_outputs
from ..shapes import Array, Json
from .base import MODELS, Model, as_input

#: The precision asked for, by the artifact's variant. MNN's own default, "normal", may take 16-bit floats.
PRECISION = {"fp16": "low"}
#: Codes of Interpreter.getSessionInfo.
MEMORY_MB, MFLOPS, BACKEND, RESIZED, THREADS = range(5)
#: Codes of Interpreter.runSession, as in MNN's ErrorCode.
MNN_CODES = {
    1: "out of memory",
    2: "not supported",
    3: "a tensor's size could not be computed",
    4: "no execution",
    5: "invalid value",
}
#: Numbers of backends, as in MNN's MNNForwardType.
CPU, CPU_EXTENSION = 0, 13


class MnnModel(Model):
    FORKABLE = "MNN"

    def __init__(self, np: ModuleType, job: Json) -> None:
        self.np, self.variant, self.threads = np, job["variant"], job["threads"]
        started = now_ns()
        import MNN

        self.import_ns = now_ns() - started
        if job["delegate"] != "cpu":
            raise RunnerError("delegate-unsupported", "MNN has no delegate '%s' here" % job["delegate"])
        self.mnn, self.version = MNN, package_version("MNN")
        self.build = wheel_tags(MNN)
        folder = tempfile.mkdtemp()
        try:
            self.about = write_parts(job["model"], ["mnn"], folder)
            self.load(os.path.join(folder, "mnn"), job)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.output_name = str(self.about["outputs"][0]["name"])
        self.invoke = self._invoke

    def config(self) -> Dict[str, Any]:
        """How the session is to compute."""
        return {"backend": "CPU", "numThread": self.threads, "precision": PRECISION.get(self.variant, "high")}

    def load(self, path: str, job: Json) -> None:
        started = now_ns()
        self.interpreter = self.mnn.Interpreter(path)
        self.session = self.interpreter.createSession(self.config())
        created = now_ns()
        self.inputs = self.tensors(self.interpreter.getSessionInputAll(self.session), self.about["inputs"])
        self.order = places(job, self.about["inputs"])
        for tensor, about in zip(self.inputs, self.about["inputs"]):  # noqa: B905 - Python 3.6 has no strict
            if list(tensor.getShape()) != about["shape"]:
                self.interpreter.resizeTensor(tensor, tuple(about["shape"]))
        self.interpreter.resizeSession(self.session)
        ended = now_ns()
        self.load_ns, self.allocate_ns = ended - started, ended - created
        self.outputs = self.tensors(self.interpreter.getSessionOutputAll(self.session), self.about["outputs"])

    def tensors(self, found: Dict[str, Any], described: List[Json]) -> List[Any]:
        """The session's tensors in the artifact's order."""
        if len(found) == len(described) == 1:
            return list(found.values())  # its name is lost in older manifests
        missing = [about["blob"] for about in described if about["blob"] not in found]
        if missing or len(found) != len(described):
            raise RunnerError("bad-model", "MNN has tensors %s, not %s" % (sorted(found), missing or len(described)))
        return [found[about["blob"]] for about in described]

    def prepare(self, image: Array) -> Array:
        about = self.about["inputs"][0]
        value = as_input(self.np, image, self.np.dtype(about["dtype"]), scale=1.0, zero_point=0)
        if list(value.shape) != about["shape"]:
            raise RunnerError("bad-model", "takes input %s, not %s" % (about["shape"], list(value.shape)))
        return value

    def set(self, value: Array) -> None:
        parts = [value[place] for place in self.order] if isinstance(value, list) else [value]
        for tensor, part in zip(self.inputs, parts):  # noqa: B905 - Python 3.6 has no strict
            tensor.copyFrom(self.host(tensor, part))

    def host(self, like: Any, value: Array) -> Any:
        """A tensor of this process's memory, with the value in it."""
        kind = like.getDataType()
        held = self.np.ascontiguousarray(value, dtype=self.dtype(kind))
        return self.mnn.Tensor(tuple(held.shape), kind, held, self.layout(like))

    def dtype(self, kind: Any) -> str:
        """The element type of numpy for one of MNN's."""
        known = {
            self.mnn.Halide_Type_Float: "float32",
            self.mnn.Halide_Type_Double: "float64",
            self.mnn.Halide_Type_Int: "int32",
            self.mnn.Halide_Type_Int64: "int64",
            self.mnn.Halide_Type_Uint8: "uint8",
        }
        if kind not in known:
            raise RunnerError("bad-model", "MNN has a tensor of its type %s" % (kind,))
        return known[kind]

    def layout(self, tensor: Any) -> Any:
        """The order of axes that the artifact has; NC4HW4 is MNN's own, and stands for that of ONNX."""
        kind = tensor.getDimensionType()
        return self.mnn.Tensor_DimensionType_Caffe if kind == self.mnn.Tensor_DimensionType_Caffe_C4 else kind

    def _invoke(self) -> None:
        self.status = self.interpreter.runSession(self.session)

    def get(self) -> Array:
        return self.output(0)

    def get_all(self) -> List[Array]:
        return [self.output(place) for place in range(len(self.outputs))]

    def output(self, place: int) -> Array:
        if self.status:
            code = MNN_CODES.get(self.status, "unknown")
            raise RunnerError("runtime-error", "MNN's session ended with code %d (%s)" % (self.status, code))
        tensor = self.outputs[place]
        held = self.host(tensor, self.np.zeros(tuple(tensor.getShape()), "float32"))
        tensor.copyToHostTensor(held)
        return as_described(self.np, held.getNumpyData(), self.about["outputs"][place])

    def names(self) -> List[str]:
        return [str(output["name"]) for output in self.about["outputs"]]

    def quantised(self) -> bool:
        return False

    def applied(self) -> Json:
        """The backend and the number of threads that the session says it has, and what its outputs tell of numbers."""
        backend = int(self.interpreter.getSessionInfo(self.session, BACKEND))
        flops = float(self.interpreter.getSessionInfo(self.session, MFLOPS))
        told = told_by_outputs(self.np, self.get_all())
        how = "session: backend %d, %.1f MFLOP, precision '%s' asked for; outputs are %s numbers"
        return {
            "applied": "cpu" if backend in (CPU, CPU_EXTENSION) else "backend %d" % backend,
            "precision_asked": None if self.variant == "fp16" else "float32",
            "precisions": {told: len(self.outputs)} if told else {},
            "threads": as_integer(self.interpreter.getSessionInfo(self.session, THREADS)),
            "how": how % (backend, flops, self.config()["precision"], told or "too few"),
        }


def as_integer(value: float) -> int:
    """The Python interface hands an integer's bits out as those of a float."""
    return int(struct.unpack("<i", struct.pack("<f", value))[0])


MODELS["mnn"] = MnnModel
