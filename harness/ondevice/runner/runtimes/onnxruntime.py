"""ONNX Runtime. Its profiler proves on which provider each node ran."""

import json
import os
import shutil
import tempfile
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

from ..clock import now_ns
from ..files import RunnerError
from ..packages import wheel_tags
from ..shapes import Array, Json
from .base import MODELS, Model, as_input

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}


class OnnxModel(Model):
    def __init__(self, np: ModuleType, job: Json) -> None:
        self.np = np
        started = now_ns()
        import onnxruntime as ort

        self.import_ns = now_ns() - started
        self.version = ort.__version__
        self.ort = ort
        self.provider = self.chosen(job["delegate"])
        self.path, self.threads = job["model"], job["threads"]
        options = self.options()
        self.trace: Optional[str] = None
        if job["delegate"] != "cpu":
            # a session lists its GPU even if every node runs on the CPU; only the profiler's trace of the first
            # inference shows the provider of each node
            self.trace = tempfile.mkdtemp()
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(self.trace, "first")
        if job["delegate"] == "tensorrt" and job.get("variant") == "fp16":
            os.environ["ORT_TENSORRT_FP16_ENABLE"] = "1"  # without it, TensorRT computes in float32
        started = now_ns()
        self.session = ort.InferenceSession(self.path, options, providers=[self.provider])
        self.load_ns = now_ns() - started  # the creation of a session includes the allocation of tensors
        self.build = wheel_tags(ort) + " " + str(getattr(ort, "get_build_info", str)())
        self.input = self.session.get_inputs()[0]
        self.output_names = [str(output.name) for output in self.session.get_outputs()]
        self.output_name = self.output_names[0]
        self.input_names = named_inputs(job, [str(given.name) for given in self.session.get_inputs()])
        self.quantised_output = bool(job.get("quantised_output"))
        self.binding = self.session.io_binding()
        self.dtype = np.dtype(DTYPES.get(self.input.type, "float32"))
        self.bind_outputs()
        # a shape of no dimensions is a single value, or one that nobody knows
        shapes = [output.shape for output in self.session.get_outputs()]
        self.varying = any(not shape or any(not isinstance(size, int) for size in shape) for shape in shapes)
        self.invoke = self._invoke

    def chosen(self, delegate: str) -> str:
        """The execution provider of a delegate, if this build has it."""
        provider, available = PROVIDERS.get(delegate), self.ort.get_available_providers()
        if provider is None:
            raise RunnerError("delegate-unsupported", "ONNX Runtime has no provider for '%s'" % delegate)
        if provider not in available:
            raise RunnerError("delegate-missing", "%s is not in this ONNX Runtime; it has %s" % (provider, available))
        return provider

    def options(self) -> Any:
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        return options

    def profile(self, inputs: List[Array]) -> Json:
        """Each node's time over one pass, by ONNX Runtime's own profiler, in a separate session."""
        folder = tempfile.mkdtemp()
        try:
            options = self.options()
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")
            session = self.ort.InferenceSession(self.path, options, providers=[self.provider])
            session.run(None, self.feeds(inputs[0]))  # the first run is cold and is not counted below
            for value in inputs[:20]:
                session.run(None, self.feeds(value))
            with open(session.end_profiling(), encoding="utf-8") as handle:
                events = json.loads(handle.read(64 << 20))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        runs = min(len(inputs), 20)
        return {"how": "ONNX Runtime's profiler", "runs": runs, "nodes": node_times(events, runs)}

    def bind_outputs(self) -> None:
        for name in self.output_names:
            self.binding.bind_output(name, "cpu")

    def feeds(self, value: Array) -> Dict[str, Array]:
        """An input, or all of them, by their names."""
        if isinstance(value, list):
            return dict(zip(self.input_names, value))  # noqa: B905 - Python 3.6 has no strict
        return {self.input.name: value}

    def _invoke(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def prepare(self, image: Array) -> Array:
        return as_input(self.np, image, self.dtype, scale=1.0, zero_point=-128 if self.dtype == self.np.int8 else 0)

    def set(self, value: Array) -> None:
        self.held = value  # the binding keeps no reference
        if isinstance(value, list):
            for name, part in zip(self.input_names, value):  # noqa: B905 - Python 3.6 has no strict
                self.binding.bind_cpu_input(name, part)
            if self.varying:  # an output that was made once keeps its shape
                self.binding.clear_binding_outputs()
                self.bind_outputs()
            return
        self.binding.bind_cpu_input(self.input.name, value)

    def get(self) -> Array:
        return self.binding.copy_outputs_to_cpu()[0]

    def get_all(self) -> List[Array]:
        return list(self.binding.copy_outputs_to_cpu())

    def names(self) -> List[str]:
        return self.output_names

    def quantised(self) -> bool:
        """Whether the output is quantised. ONNX keeps scales inside the graph, so the controller looks there."""
        return self.quantised_output

    def applied(self) -> Json:
        """The execution provider that ran the nodes. This ends the profiling of the first inference."""
        listed = self.session.get_providers()
        names = {provider: name for name, provider in PROVIDERS.items()}
        how = "session providers %s" % listed
        if self.trace is None:
            return {"applied": names.get(listed[0], listed[0]), "how": how}
        try:
            with open(self.session.end_profiling(), encoding="utf-8") as handle:
                nodes = node_times(json.loads(handle.read(64 << 20)), 1)
        finally:
            shutil.rmtree(self.trace, ignore_errors=True)
        left = [node for node in nodes if node["provider"] != self.provider]
        others = sorted(set(str(names.get(node["provider"], node["provider"])) for node in left))
        return {
            "applied": names[self.provider] if len(left) < len(nodes) else (others[0] if others else None),
            "nodes_total": len(nodes),
            "nodes_delegated": len(nodes) - len(left),
            "nodes_left": sorted(node["op"] for node in left)[:64],
            "how": "%s; each node's from the profiler" % how,
        }


def named_inputs(job: Json, names: List[str]) -> List[str]:
    """The names of the job's tensors, which the session must have; without tensors, the session's own."""
    wanted = names if job.get("tensors") is None else [tensor["name"] for tensor in job["tensors"]]
    if sorted(wanted) != sorted(names):
        raise RunnerError("bad-model", "takes inputs %s, not %s" % (names, wanted))
    return wanted


def node_times(events: List[Json], runs: int) -> List[Json]:
    """The at most 512 slowest nodes of the last ``runs`` runs, from a trace of ONNX Runtime's profiler."""
    times: Dict[str, List[int]] = {}
    kinds: Dict[str, Tuple[str, str]] = {}
    for event in events:
        name, about = str(event.get("name", "")), event.get("args") or {}
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            name = name[: -len("_kernel_time")][:200]
            times.setdefault(name, []).append(int(event["dur"]) * 1000)
            kinds[name] = (str(about.get("op_name", ""))[:200], str(about.get("provider", ""))[:200])
    totals = [(-sum(spent[-runs:]), name, len(spent[-runs:])) for name, spent in times.items()]
    return [
        {"name": name, "op": kinds[name][0], "provider": kinds[name][1], "calls": calls, "total_ns": -total}
        for total, name, calls in sorted(totals)[:512]
    ]


MODELS["onnxruntime"] = OnnxModel
