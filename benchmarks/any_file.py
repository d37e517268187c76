"""The harness against a bare loop over the same model file, whatever it is: measured by turns in one run.

    python -m benchmarks.any_file FILE [--shape input=1x512] [--inputs own.npz] [--rounds 9] [--runs 200]

Each turn is a separate process with the same Python, runtime and number of threads, over the same inputs: the runner as
the harness ships it, and a dozen lines that load the file and time ``invoke`` of TFLite or ``run`` of ONNX Runtime. The
order changes from round to round, and the ratio is that of one round's medians, so that a drift affects both alike.

ONNX Runtime's ``run`` also converts inputs and outputs between numpy and the runtime, some microseconds of Python that
are no part of the network; the harness binds them outside of the clock (``run_with_iobinding``). Both loops are shown.

Exits with 1 unless the median of the ratios lies within 0.98 and 1.02 for the loop that times the same call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.common import table
from harness.modelfile.shapes import given
from harness.records.order import KeptOutputs, Passes, WarmUp
from harness.remote.runner_file import runner_file
from harness.run.foreign import Fed, taken
from harness.run.golden import reference
from harness.run.measure import STATE_NS

_READ = """
import json, sys, time
import numpy as np
stored = np.load(sys.argv[2])
arrays = [stored[str(place)] for place in range(len(stored.files))]
samples = [[array[i:i + 1].reshape(array.shape[1:]) for array in arrays] for i in range(len(arrays[0]))]
times, warm, runs = [], int(sys.argv[3]), int(sys.argv[4])
"""
TFLITE = (
    _READ
    + """
from ai_edge_litert.interpreter import Interpreter
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
ONNX_RUN = (
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
ONNX_BINDING = (
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
#: Loops by format; the first one times the same call as the harness.
LOOPS = {
    "tflite": {"invoke": TFLITE},
    "onnx": {"run_with_iobinding": ONNX_BINDING, "run, with conversions": ONNX_RUN},
}


def median_of(command: list[str], packages: tuple[str, ...]) -> float:
    """The median of the latencies that a bare loop prints, in nanoseconds."""
    environment = {**os.environ, "PYTHONPATH": ":".join(packages)}
    done = subprocess.run(command, capture_output=True, check=False, timeout=900, env=environment, encoding="utf-8")
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return float(statistics.median(json.loads(done.stdout.splitlines()[-1])))


def harness(job: str, folder: Path) -> float:
    """The median of the latencies that the shipped runner reports, in nanoseconds."""
    (folder / "job.json").write_text(job, encoding="utf-8")
    files = ["--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    subprocess.run([reference.PYTHON, "-s", str(runner_file()), *files], check=False, timeout=900)
    answer = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if answer["status"] != "ok":
        sys.exit(answer["text"])
    return float(statistics.median(answer["latency_ns"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--shape", action="append", default=[])
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    (shipped,) = taken([options.file], Fed(options.inputs, given(options.shape)), ())
    assert shipped.own_inputs is not None
    test = shipped.own_inputs.prepare(None)
    asked = reference.Asked(shipped.path.absolute(), shipped.artifact, test, classes=0)
    runtime, packages = reference.Referee(print, lambda _connection: None).ready(shipped.artifact.format)
    warm = options.runs // 4
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = replace(
            reference.order(asked, runtime, packages, name="any-file", outputs=KeptOutputs(str(folder / "outputs"))),
            warmup=WarmUp(min_runs=warm, min_ns=0, max_runs=warm),
            passes=Passes(min_runs=options.runs, min_ns=0, max_ns=10**12, state_ns=STATE_NS),
        ).to_json()  # fmt: skip
        ways: dict[str, Callable[[], float]] = {"harness": lambda: harness(job, folder)}
        for loop, code in LOOPS[shipped.artifact.format].items():
            command = [
                reference.PYTHON,
                "-s",
                "-c",
                code,
                str(shipped.path),
                str(test.file),
                str(warm),
                str(options.runs),
            ]
            ways[loop] = lambda command=command: median_of(command, packages)  # type: ignore[misc]
        medians: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(options.rounds):
            turn = number % len(ways)
            for way in [*list(ways)[turn:], *list(ways)[:turn]]:
                medians[way].append(ways[way]())
    return shown(options.file, medians)


def shown(file: Path, medians: dict[str, list[float]]) -> int:
    """Print the table; the program's exit status."""
    ratios = {
        way: statistics.median(ours / other for ours, other in zip(medians["harness"], found, strict=True))
        for way, found in medians.items()
    }
    rows = [(way, f"{statistics.median(found) / 1e6:.4f}", f"{ratios[way]:.4f}") for way, found in medians.items()]
    table((file.name, "median, ms", "harness / it, median over rounds"), rows)
    same = ratios[list(medians)[1]]
    print("within 0.98 to 1.02" if 0.98 <= same <= 1.02 else "NOT within 0.98 to 1.02", flush=True)
    return 0 if 0.98 <= same <= 1.02 else 1


if __name__ == "__main__":
    sys.exit(main())
