"""ncnn, by its own Python interface. It says of itself which numbers it computes with, and on how many threads."""

import os
import shutil
import tempfile
from types import ModuleType
from typing import Any, Dict, List, Tuple

from ..clock import now_ns
from ..container import as_described, places, without_batch, write_parts
from ..files import RunnerError
from ..packages import package_version, wheel_tags
from ..precision import told_by_outputs
from ..shapes import Array, Json
from .base import MODELS, Model, as_input

#: The options by which ncnn computes with narrower numbers than float32; most of them are on unless they are put off.
NARROW = (
    "use_fp16_packed",
    "use_fp16_storage",
    "use_fp16_arithmetic",
    "use_bf16_storage",
    "use_bf16_packed",
    "use_int8_packed",
    "use_int8_storage",
    "use_int8_arithmetic",
    "use_int8_inference",
)
#: Types of layers that have weights: they decide in which numbers a network computes.
WEIGHTED = (
    "Convolution", "ConvolutionDepthWise", "Convolution1D", "Convolution3D", "Deconvolution", "DeconvolutionDepthWise",
    "InnerProduct", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "MultiHeadAttention",
)  # fmt: skip
#: Those that an artifact's variant asks for.
WANTED: Dict[str, Tuple[str, ...]] = {"fp16": ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")}


class NcnnModel(Model):
    FORKABLE = "ncnn"

    def __init__(self, np: ModuleType, job: Json) -> None:
        self.np, self.variant, self.threads = np, job["variant"], job["threads"]
        started = now_ns()
        import ncnn

        self.import_ns = now_ns() - started
        if job["delegate"] != "cpu":
            raise RunnerError("delegate-unsupported", "ncnn has no delegate '%s' here" % job["delegate"])
        self.ncnn, self.version = ncnn, package_version("ncnn")
        self.build = wheel_tags(ncnn)
        folder = tempfile.mkdtemp()
        try:
            self.about = write_parts(job["model"], ["param", "bin"], folder)
            self.load(os.path.join(folder, "param"), os.path.join(folder, "bin"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.inputs, self.outputs = self.about["inputs"], self.about["outputs"]
        self.order = places(job, self.inputs)
        self.blobs = [str(output["blob"]) for output in self.outputs]
        self.output_name = str(self.outputs[0]["name"])
        self.invoke = self._invoke

    def options(self, wanted: Any) -> None:
        """Choose how to compute, before anything is loaded."""
        wanted.num_threads = self.threads
        wanted.use_vulkan_compute = False
        for name in NARROW:
            if hasattr(wanted, name):
                setattr(wanted, name, name in WANTED.get(self.variant, ()))

    def load(self, param: str, weights: str) -> None:
        started = now_ns()
        self.net = self.ncnn.Net()
        self.options(self.net.opt)
        if self.net.load_param(param):
            raise RunnerError("bad-model", "ncnn can't read the network: %s" % unknown_layers(self.ncnn, param))
        if self.net.load_model(weights):
            raise RunnerError("bad-model", "ncnn can't read the network's weights")
        self.load_ns = now_ns() - started

    def prepare(self, image: Array) -> Array:
        value = as_input(self.np, image, self.np.float32, scale=1.0, zero_point=0)
        if list(value.shape) != list(self.inputs[0]["shape"]):
            raise RunnerError("bad-model", "takes input %s, not %s" % (self.inputs[0]["shape"], list(value.shape)))
        return value

    def set(self, value: Array) -> None:
        """Give the input to an extractor, which computes nothing before an output is asked of it."""
        parts = [value[place] for place in self.order] if isinstance(value, list) else [value]
        self.mats = [self.mat(part, about) for part, about in zip(parts, self.inputs)]  # noqa: B905 - Python 3.6
        self.ready = self.used = self.extractor()

    def mat(self, part: Array, about: Json) -> Any:
        held = "int32" if about["dtype"].startswith(("int", "uint")) else "float32"
        wanted = self.np.ascontiguousarray(without_batch(part, about), dtype=held)
        return self.ncnn.Mat(wanted).clone()  # a copy, which is laid out as ncnn likes it

    def extractor(self) -> Any:
        extractor = self.net.create_extractor()
        for about, mat in zip(self.inputs, self.mats):  # noqa: B905 - Python 3.6 has no strict
            if extractor.input(str(about["blob"]), mat):
                raise RunnerError("bad-model", "ncnn knows no input '%s'" % about["blob"])
        return extractor

    def _invoke(self) -> None:
        extractor = self.ready or self.extractor()  # an extractor keeps what it has computed, so each is used once
        self.ready = None
        self.found = [extractor.extract(blob) for blob in self.blobs]
        self.used = extractor  # it is freed outside of the clock

    def get(self) -> Array:
        return self.output(0)

    def get_all(self) -> List[Array]:
        return [self.output(place) for place in range(len(self.blobs))]

    def output(self, place: int) -> Array:
        status, mat = self.found[place]
        if status:
            raise RunnerError("runtime-error", "ncnn gave %d instead of output '%s'" % (status, self.blobs[place]))
        return as_described(self.np, mat, self.outputs[place])

    def names(self) -> List[str]:
        return [str(output["name"]) for output in self.outputs]

    def quantised(self) -> bool:
        return False

    def applied(self) -> Json:
        """The processor, which is the only thing that this build has, and ncnn's own options and layers.

        An option that ncnn doesn't show in Python would still show in the outputs.
        """
        options = self.net.opt
        narrow = [name for name in NARROW if getattr(options, name, False)]
        layers = [str(layer.type) for layer in self.net.layers()]
        weighted = sum(kind in WEIGHTED for kind in layers) or 1
        told = told_by_outputs(self.np, self.get_all())
        kind = "float32" if told is None else told
        for mark, name in (("fp16", "float16"), ("bf16", "bfloat16"), ("int8", "int8")):
            if kind == "float32" and any(mark in option for option in narrow):
                kind = name
        gpu = bool(getattr(options, "use_vulkan_compute", False))
        return {
            "applied": "vulkan" if gpu else "cpu",
            "nodes_total": len(layers),
            "nodes_delegated": 0,
            "precision_asked": None if self.variant == "fp16" else "float32",
            "precisions": {kind: weighted},
            "threads": int(options.num_threads),
            "how": "net.opt, narrow numbers: %s; layers: %s" % (", ".join(narrow) or "none", counted(layers)),
        }


def counted(kinds: List[str]) -> str:
    """The kinds of layers, each with its number."""
    return ", ".join("%d %s" % (kinds.count(kind), kind) for kind in sorted(set(kinds)))[:800]


def unknown_layers(ncnn: Any, param: str) -> str:
    """The layers of a network's text that this release does not have."""
    kinds = set()
    with open(param, encoding="utf-8", errors="replace") as text:
        for line in list(text)[2:]:
            kinds.update(line.split()[:1])
    known = getattr(ncnn, "layer_to_index", None)
    missing = sorted(kind for kind in kinds if known is not None and known(kind) < 0)
    return "it has no layer %s" % ", ".join(missing)[:500] if missing else "see its own words on stderr"


MODELS["ncnn"] = NcnnModel
