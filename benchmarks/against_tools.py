"""The harness against a bare loop and LiteRT's own benchmark tool: the same artifact, measured alternately in one run.

    python -m benchmarks.against_tools [--model resvgg19] [--variant int8] [--rounds 9]
    python -m benchmarks.against_tools --file some.tflite
    python -m benchmarks.against_tools --runtime openvino

Each turn is a separate process with the same Python, runtime and number of threads: the runner as the harness ships it,
twelve lines that call ``invoke``, and ``ai_edge_litert/tools/benchmark_litert_model.py`` from the same wheel. The order
changes from round to round, and the ratio is that of one round's medians, so that a drift affects all three alike.
LiteRT's tool rounds to 0.01 ms, so its raw times are intercepted. It calls LiteRT's newer CompiledModel, whose Python
wrapper takes 4 to 6 microseconds itself. This is visible with networks of a fraction of a millisecond (2 % of 0.2 ms),
but not with the default network.

Of OpenVINO the loop is that of ``benchmarks/loops.py``, and the tool is ``benchmark_app`` from the same wheel, in its
synchronous form with the same settings. It takes the time inside of the library, so it leaves out what each call costs
in Python, some microseconds: 4 % of a network of 0.2 ms. So the loop runs once more with the library's own times, which
are held against the tool's, and the harness is held against the loop.

Exits with 1 unless the median of the ratios lies within 0.98 and 1.02, of ``benchmark_app`` within 0.97 and 1.03.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import LOCAL, bench, table
from benchmarks.loops import OPENVINO_INSIDE, Race, opened, raced, said, shown
from harness.core.files import sha256_file
from harness.remote.runner_file import runner_file
from harness.run.golden.reference import Referee

BARE = """
import json, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]
interpreter.set_tensor(given["index"], np.full(given["shape"], 100, given["dtype"]))
times = []
for _ in range(int(sys.argv[2]) + int(sys.argv[3])):
    started = time.perf_counter_ns()
    interpreter.invoke()
    times.append(time.perf_counter_ns() - started)
print(json.dumps(times[int(sys.argv[2]):]))
"""
TOOL = """
import json, statistics, sys, types
try:
    import ml_dtypes
except ImportError:  # only names types that this artifact has not
    names = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
    sys.modules["ml_dtypes"] = types.SimpleNamespace(**dict.fromkeys(names))
from ai_edge_litert.tools import benchmark_litert_model as tool
raw = []
tool.statistics = types.SimpleNamespace(
    mean=statistics.mean, stdev=statistics.stdev,
    median=lambda values: raw.extend(values) or statistics.median(values),
)
sys.argv = [sys.argv[0], "--model", sys.argv[1], "--warmup_runs", sys.argv[2], "--num_runs", sys.argv[3]]
real, sys.stdout = sys.stdout, sys.stderr
tool.main()
print(json.dumps([round(value * 1e6) for value in raw]), file=real)
"""
#: Prints the times of OpenVINO's own tool, in nanoseconds and in order: it sorts them, so sorting is intercepted.
BENCHMARK_APP = """
import json, sys
from openvino.tools.benchmark import benchmark, main
raw = []
benchmark.sorted = lambda times: raw.extend(times) or sorted(times)
warm, runs = int(sys.argv[2]), int(sys.argv[3])
sys.argv = ["benchmark_app", "-m", sys.argv[1], "-d", "CPU", "-api", "sync", "-hint", "none", "-nstreams", "1",
            "-nthreads", "1", "-infer_precision", "f32", "-ip", sys.argv[4], "-niter", str(warm + runs), "-pin", "NO"]
real, sys.stdout = sys.stdout, sys.stderr
main.main()
print(json.dumps([round(each * 1e6) for each in raw[warm:]]), file=real)
"""


def child(code: str, python: str, path: str, *words: object) -> list[int]:
    """Latencies in nanoseconds that a program prints as JSON."""
    done = subprocess.run(
        [python, "-s", "-c", code, *map(str, words)], capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "PYTHONPATH": path}, encoding="utf-8"
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, list)
    return found


def runner(python: str, path: str, file: Path, images: Path, warm: int, runs: int, folder: Path) -> list[int]:
    """Latencies that the shipped runner reports, with as many runs as the others."""
    job = {
        "cell": "against-tools", "model": str(file), "model_sha256": sha256_file(file), "inputs": str(images),
        "inputs_sha256": sha256_file(images), "runtime": "litert", "delegate": "cpu", "threads": 1,
        "warmup": {"min_runs": warm, "min_ns": 0, "max_runs": warm},
        "passes": {"min_runs": runs, "min_ns": 0, "max_ns": 10**12},
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = [python, "-s", str(runner_file()), "--job", str(folder / "job.json"), "--result", str(folder / "r.json")]
    subprocess.run(command, check=False, timeout=600, env={**os.environ, "PYTHONPATH": path})
    answer = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    if answer["status"] != "ok":
        sys.exit(answer["text"])
    return list(answer["latency_ns"])


def ready(models: Path, model: str, variant: str) -> tuple[Path, str, str]:
    """The artifact's file, and Python and PYTHONPATH as on a local device."""
    with bench(LOCAL, model, variant, models=models) as made:
        path = ":".join(made.session.prepared(made.job, made.test).packages)
        return made.job.shipped.path, str(getattr(sys, "_base_executable", "")), path


def of_openvino(file: Path, rounds: int, runs: int) -> int:
    """The same of OpenVINO; the program's exit status."""
    shipped = opened(file, shapes=[], inputs=None)
    runtime, packages = Referee(print, lambda _connection: None).ready(shipped.artifact.format, "openvino")
    kind = {"float32": "f32", "int8": "i8"}[shipped.artifact.input.dtype]
    words = ["-c", BENCHMARK_APP, file, runs // 4, runs, kind]
    with tempfile.TemporaryDirectory() as name:
        both = Race(shipped, runtime, packages, runs, Path(name))
        ways = dict(list(both.ways().items())[:2])
        ways["the loop, by the library's clock"] = lambda: both.loop(OPENVINO_INSIDE)
        ways["benchmark_app"] = lambda: float(statistics.median(json.loads(said(words, packages))))
        medians = raced(ways, rounds)
    good = shown(f"openvino, {file.name}", medians)
    loop, tool = (medians[way] for way in list(ways)[2:])
    ratio = statistics.median(ours / theirs for ours, theirs in zip(loop, tool, strict=True))
    near = 0.97 <= ratio <= 1.03
    print(f"by the library's clock {ratio:.4f} (least medians: {min(loop) / min(tool):.4f}), "
          f"{'' if near else 'NOT '}within 0.97 to 1.03 of benchmark_app")  # fmt: skip
    return 0 if good and near else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="resvgg19")
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--file", type=Path, help="another artifact, with 48x48x1 input, instead of the model's")
    parser.add_argument("--runtime", choices=("litert", "openvino"), default="litert")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=60)
    options = parser.parse_args()
    if options.runtime == "openvino":
        own = options.models / options.model / f"{options.variant}.tflite"
        return of_openvino(options.file or own, options.rounds, options.runs)
    file, python, path = ready(options.models, options.model, options.variant)
    file = options.file or file
    warm = options.runs // 4
    medians: dict[str, list[float]] = {"harness": [], "bare loop": [], "benchmark_litert_model": []}
    with tempfile.TemporaryDirectory() as name:
        images = Path(name) / "images.npy"
        np.save(images, np.full((20, 48, 48, 1), 100, np.uint8))
        ways = {
            "harness": lambda: runner(python, path, file, images, warm, options.runs, Path(name)),
            "bare loop": lambda: child(BARE, python, path, file, warm, options.runs),
            "benchmark_litert_model": lambda: child(TOOL, python, path, file, warm, options.runs),
        }
        for number in range(options.rounds):
            order = list(ways)[number % 3 :] + list(ways)[: number % 3]
            for way in order:
                medians[way].append(statistics.median(ways[way]()))
    ratios = {
        way: statistics.median(h / other for h, other in zip(medians["harness"], found, strict=True))
        for way, found in medians.items()
    }
    rows = [(way, f"{statistics.median(found) / 1e6:.4f}", f"{ratios[way]:.4f}") for way, found in medians.items()]
    table(("program", "median, ms", "harness / it, median over rounds"), rows)
    print(f"\n{file.name}, {options.rounds} rounds of {options.runs} runs each, 1 thread")
    good = all(0.98 <= ratio <= 1.02 for ratio in ratios.values())
    print("within 0.98 to 1.02" if good else "NOT within 0.98 to 1.02")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
