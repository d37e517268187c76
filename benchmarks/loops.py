"""Bare loops: for each runtime a dozen lines that load a file and time the runtime's own call, and nothing else.

A loop gets a model file, a .npz file of inputs as the runner gets it, and how many inferences are to warm up and to be
timed. It prints the times in nanoseconds as JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.common import table
from harness.modelfile.shapes import given
from harness.records.order import KeptOutputs, Passes, WarmUp
from harness.remote.runner_file import runner_file
from harness.run.conversion import converted
from harness.run.foreign import Fed, taken
from harness.run.golden import reference
from harness.run.inventory import Shipped
from harness.run.measure import STATE_NS

_READ = """
import json, sys, time
import numpy as np
stored = np.load(sys.argv[2])
arrays = [stored[str(place)] for place in range(len(stored.files))]
samples = [[array[i:i + 1].reshape(array.shape[1:]) for array in arrays] for i in range(len(arrays[0]))]
times, warm, runs = [], int(sys.argv[3]), int(sys.argv[4])
"""
_TFLITE = (
    _READ
    + """
from PACKAGE.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
details = interpreter.get_input_details()
for detail, array in zip(details, arrays):
    if list(detail["shape"]) != list(array.shape[1:]):
        interpreter.resize_tensor_input(detail["index"], array.shape[1:])
interpreter.allocate_tensors()
for number in range(warm + runs):
    for detail, value in zip(details, samples[number % len(samples)]):
        interpreter.set_tensor(detail["index"], value)
    started = time.perf_counter_ns()
    interpreter.invoke()
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
_SESSION = (
    _READ
    + """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
names = [given.name for given in session.get_inputs()]
"""
)
_ONNX_RUN = (
    _SESSION
    + """
for number in range(warm + runs):
    feeds = dict(zip(names, samples[number % len(samples)]))
    started = time.perf_counter_ns()
    session.run(None, feeds)
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
_ONNX_BINDING = (
    _SESSION
    + """
for number in range(warm + runs):
    binding = session.io_binding()
    for name, value in zip(names, samples[number % len(samples)]):
        binding.bind_cpu_input(name, value)
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    started = time.perf_counter_ns()
    session.run_with_iobinding(binding)
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
_OPENVINO = (
    _READ
    + """
import openvino
core = openvino.Core()
network = core.read_model(sys.argv[1])
shapes = {place: list(array.shape[1:]) for place, array in enumerate(arrays)}
if any(port.partial_shape.is_dynamic for port in network.inputs):
    network.reshape(shapes)
settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
settings.update(INFERENCE_PRECISION_HINT="f32", ENABLE_CPU_PINNING=False)
request = core.compile_model(network, "CPU", settings).create_infer_request()
infer = super(openvino.InferRequest, request).infer
for number in range(warm + runs):
    for place, value in enumerate(samples[number % len(samples)]):
        request.get_input_tensor(place).data[...] = value
    started = time.perf_counter_ns()
    CALL
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
_UNCOPIED = _OPENVINO.replace("CALL", "infer({}, share_outputs=True, decode_strings=False)")
#: OpenVINO's loop with the times that the library takes itself, without what a call costs in Python.
OPENVINO_INSIDE = _UNCOPIED.replace("time.perf_counter_ns() - started)", "round(request.latency * 1e6))")
_CONVERTED = (
    _READ
    + """
import os, tempfile
folder = tempfile.mkdtemp()
with open(sys.argv[1], "rb") as handle:
    about = json.loads(handle.readline())
    for part in about["parts"]:
        with open(os.path.join(folder, part["name"]), "wb") as target:
            target.write(handle.read(part["bytes"]))
"""
)
_NCNN = (
    _CONVERTED
    + """
import ncnn
net = ncnn.Net()
net.opt.num_threads = 1
for name in dir(net.opt):
    if name.startswith(("use_fp16", "use_bf16", "use_int8")):
        setattr(net.opt, name, False)
net.load_param(os.path.join(folder, "param"))
net.load_model(os.path.join(folder, "bin"))
for number in range(warm + runs):
    extractor = net.create_extractor()
    for given, value in zip(about["inputs"], samples[number % len(samples)]):
        value = value if given["batch"] is None else value.squeeze(given["batch"])
        extractor.input(given["blob"], ncnn.Mat(np.ascontiguousarray(value, "float32")).clone())
    started = time.perf_counter_ns()
    found = [extractor.extract(output["blob"]) for output in about["outputs"]]
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
_MNN = (
    _CONVERTED
    + """
import MNN
interpreter = MNN.Interpreter(os.path.join(folder, "mnn"))
session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
inputs = interpreter.getSessionInputAll(session)
tensors = [inputs[given["blob"]] for given in about["inputs"]]
for tensor, value in zip(tensors, samples[0]):
    interpreter.resizeTensor(tensor, value.shape)
interpreter.resizeSession(session)
for number in range(warm + runs):
    for tensor, value in zip(tensors, samples[number % len(samples)]):
        kind, layout = tensor.getDataType(), tensor.getDimensionType()
        layout = MNN.Tensor_DimensionType_Caffe if layout == MNN.Tensor_DimensionType_Caffe_C4 else layout
        tensor.copyFrom(MNN.Tensor(value.shape, kind, value, layout))
    started = time.perf_counter_ns()
    interpreter.runSession(session)
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[warm:]))
"""
)
#: Loops by runtime; the first one times the same call as the harness.
LOOPS: Mapping[str, Mapping[str, str]] = {
    "litert": {"invoke": _TFLITE.replace("PACKAGE", "ai_edge_litert")},
    "tflite": {"invoke": _TFLITE.replace("PACKAGE", "tflite_runtime")},
    "onnxruntime": {"run_with_iobinding": _ONNX_BINDING, "run, with conversions": _ONNX_RUN},
    "openvino": {
        "infer, outputs not copied": _UNCOPIED,
        "infer": _OPENVINO.replace("CALL", "request.infer()"),
        "start_async and wait": _OPENVINO.replace("CALL", "request.start_async(); request.wait()"),
    },
    "ncnn": {"extract": _NCNN},
    "mnn": {"runSession": _MNN},
}

Ways = dict[str, Callable[[], float]]


@dataclass(frozen=True)
class Race:
    """One file in one runtime: the harness and each of the runtime's loops, as often as ``runs`` says in each turn.

    ``packages`` are the folders of the runtime's wheels; ``folder`` is for jobs and results.
    """

    shipped: Shipped
    runtime: str
    packages: tuple[str, ...]
    runs: int
    folder: Path

    def ways(self) -> Ways:
        """What takes its turn: each returns the median of its latencies in nanoseconds."""
        ways: Ways = {"harness": lambda: _harness(self._job(), self.folder)}
        for name, code in LOOPS[self.runtime].items():
            ways[name] = lambda code=code: self.loop(code)  # type: ignore[misc]
        return ways

    def loop(self, code: str) -> float:
        """The median of the latencies that a bare loop prints, in nanoseconds."""
        own = self.shipped.own_inputs
        assert own is not None
        words = [self.shipped.path, own.prepare(None).file, self.runs // 4, self.runs]
        return float(statistics.median(json.loads(said(["-c", code, *words], self.packages))))

    def _job(self) -> str:
        own = self.shipped.own_inputs
        assert own is not None
        asked = reference.Asked(self.shipped.path.absolute(), self.shipped.artifact, own.prepare(None), classes=0)
        kept, warm = KeptOutputs(str(self.folder / "outputs")), self.runs // 4
        order = reference.order(asked, self.runtime, self.packages, name="race", outputs=kept)
        return replace(
            order,
            warmup=WarmUp(min_runs=warm, min_ns=0, max_runs=warm),
            passes=Passes(min_runs=self.runs, min_ns=0, max_ns=10**12, state_ns=STATE_NS),
        ).to_json()


def said(words: list[object], packages: tuple[str, ...]) -> str:
    """The last line of what a Python program prints that finds these packages."""
    environment = {**os.environ, "PYTHONPATH": ":".join(packages)}
    command = [reference.PYTHON, "-s", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=900, env=environment, encoding="utf-8")
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return done.stdout.splitlines()[-1]


def _harness(job: str, folder: Path) -> float:
    """The median of the latencies that the shipped runner reports, in nanoseconds."""
    (folder / "job.json").write_text(job, encoding="utf-8")
    files = ["--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    subprocess.run([reference.PYTHON, "-s", str(runner_file()), *files], check=False, timeout=900)
    answer = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if answer["status"] != "ok":
        sys.exit(answer["text"])
    return float(statistics.median(answer["latency_ns"]))


def raced(ways: Ways, rounds: int) -> dict[str, list[float]]:
    """The medians of each way, round by round, in nanoseconds; the order of the ways changes with each round."""
    medians: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        turn = number % len(ways)
        for way in [*list(ways)[turn:], *list(ways)[:turn]]:
            medians[way].append(ways[way]())
    return medians


def ratios(medians: Mapping[str, list[float]]) -> dict[str, float]:
    """Of each way the median over the rounds of the harness's median by that way's."""
    return {
        way: statistics.median(ours / other for ours, other in zip(medians["harness"], found, strict=True))
        for way, found in medians.items()
    }


def shown(title: str, medians: Mapping[str, list[float]]) -> bool:
    """Print the table; returns whether the harness is within 2 % of the loop that times the same call.

    Beside the ratio's median over the rounds stands that of each way's least median, which other programs' work can
    only raise, and below the load under which all was measured.
    """
    found, least = ratios(medians), min(medians["harness"])
    rows = [
        (way, f"{statistics.median(each) / 1e6:.4f}", f"{found[way]:.4f}", f"{least / min(each):.4f}")
        for way, each in medians.items()
    ]
    table((title, "median, ms", "harness / it, median over rounds", "least median / its least"), rows)
    print(f"load average of the last 1, 5 and 15 minutes: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    good = 0.98 <= found[list(medians)[1]] <= 1.02
    print("within 0.98 to 1.02" if good else "NOT within 0.98 to 1.02", flush=True)
    return good


def opened(file: Path, *, shapes: list[str], inputs: Path | None) -> Shipped:
    """A model file, with random inputs or the user's own."""
    (shipped,) = taken([file], Fed(inputs, given(shapes)), ())
    return shipped


def race(shipped: Shipped, runtime: str | None, *, rounds: int, runs: int) -> bool:
    """Race the harness and a runtime's loops on one file, and print the table; whether it is within 2 %.

    Raises:
        ProvisionError: the runtime is not published for this machine.
        ConversionError: the file has no form for that runtime.
    """
    referee = reference.Referee(print, lambda _connection: None)
    chosen, packages = referee.ready(shipped.artifact.format, runtime)
    shipped = converted(shipped, chosen, "cpu", print)
    with tempfile.TemporaryDirectory() as name:
        medians = raced(Race(shipped, chosen, packages, runs, Path(name)).ways(), rounds)
    return shown(f"{chosen}, {shipped.path.name}", medians)
