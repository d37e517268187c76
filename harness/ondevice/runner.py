"""Runs one model on one board and times it. One file; Python 3.6 syntax and library, numpy and the runtime alone.

    runner.py --job JOB.json --result RESULT.json      (JOB "-": one line of JSON on stdin)

The result goes to the named file, whole or not at all; stdout stays empty; stderr is for people. Whatever goes wrong
ends up in the result as {"status": "error", "code": ..., "text": ...}. With the job on stdin, the runner ends when
stdin does: a controller that is gone leaves nothing running here.

What is timed is ``invoke`` (TFLite) or ``run_with_iobinding`` (ONNX Runtime) alone: the input is in the runtime's own
tensor before the clock starts, and the output is read after it has stopped. Predictions come from the very
invocations that were timed. Expected answers are never sent to a board.
"""

import argparse
import gc
import hashlib
import json
import os
import resource
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

SCHEMA = 1

#: Small text files that tell in what state the board is; read raw here, understood on the controller.
STATE_FILES = (
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/devices/system/cpu/online",
)


class RunnerError(Exception):
    def __init__(self, code: str, text: str) -> None:
        Exception.__init__(self, text)
        self.code = code


if hasattr(time, "perf_counter_ns"):
    now_ns = time.perf_counter_ns
else:  # Python 3.6: CLOCK_MONOTONIC as a double; good to 15 ns up to 3 years of uptime

    def now_ns() -> int:
        return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)


def read(path: str, limit: int = 4096) -> Optional[str]:
    try:
        with open(path, "rb") as handle:
            return handle.read(limit).decode("utf-8", "replace").strip("\0\n ")
    except (OSError, ValueError):
        return None


def each(pattern_root: str, prefix: str, names: Sequence[str]) -> Dict[str, str]:
    """{path: text} of small files like /sys/class/thermal/thermal_zone*/temp."""
    found = {}  # type: Dict[str, str]
    try:
        entries = sorted(os.listdir(pattern_root))
    except OSError:
        return found
    for entry in entries[:64]:
        if entry.startswith(prefix):
            for name in names:
                path = os.path.join(pattern_root, entry, name)
                text = read(path)
                if text is not None:
                    found[path] = text
    return found


def state() -> Dict[str, str]:
    """The board's state right now: a few small reads, no process started, a millisecond or so."""
    read_now = {path: read(path) for path in STATE_FILES}
    found = {path: text for path, text in read_now.items() if text is not None}
    found.update(each("/sys/class/thermal", "thermal_zone", ("type", "temp")))
    found.update(
        each("/sys/devices/system/cpu/cpufreq", "policy", ("scaling_governor", "scaling_cur_freq", "scaling_max_freq"))
    )
    found.update(each("/sys/class/hwmon", "hwmon", ("name", "in1_input", "curr1_input", "power1_input")))
    found["wall_s"] = repr(time.time())
    found["monotonic_ns"] = str(now_ns())
    return found


def vcgencmd() -> Optional[str]:
    """Raspberry Pi firmware's throttle bits, where the tool is there."""
    import subprocess

    try:
        done = subprocess.run(
            ["vcgencmd", "get_throttled"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5
        )
        return done.stdout[:200].decode("ascii", "replace").strip()
    except (OSError, subprocess.SubprocessError):
        return None


def full_state() -> Dict[str, str]:
    found = state()
    throttled = vcgencmd()
    if throttled:
        found["vcgencmd get_throttled"] = throttled
    return found


def cpuinfo() -> List[str]:
    """The lines of /proc/cpuinfo that say which processor this is (first core of each kind)."""
    keep = (
        "model name",
        "Model",
        "Hardware",
        "CPU implementer",
        "CPU part",
        "CPU revision",
        "CPU variant",
        "CPU architecture",
    )
    lines = []  # type: List[str]
    for line in (read("/proc/cpuinfo", 1 << 18) or "").splitlines():
        if line.split("\t")[0].split(":")[0].strip() in keep and line not in lines:
            lines.append(line)
    return lines[:64]


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def as_input(np: Any, image: Any, dtype: Any, scale: float, zero_point: int) -> Any:
    """One uint8 image (48, 48, 1) as the model's input (1, 48, 48, 1): pixels as they are, or quantised."""
    value = image[np.newaxis].astype(np.float32)
    if dtype in (np.int8, np.uint8):
        if not scale:
            raise RunnerError("bad-model", "quantised input without a scale")
        limits = np.iinfo(dtype)
        value = np.clip(np.round(value / scale) + zero_point, limits.min, limits.max)
    return np.ascontiguousarray(value.astype(dtype))


class TfliteModel(object):
    """LiteRT or tflite-runtime: the same Interpreter under two names."""

    def __init__(self, np: Any, job: Dict[str, Any]) -> None:
        self.np = np
        module = "ai_edge_litert" if job["runtime"] == "litert" else "tflite_runtime"
        started = now_ns()
        package = __import__(module + ".interpreter", fromlist=["Interpreter"])
        self.import_ns = now_ns() - started
        self.version = package_version(module)
        delegates = []
        if job["delegate"] == "edgetpu":
            try:
                delegates.append(package.load_delegate("libedgetpu.so.1"))
            except (OSError, ValueError) as error:
                raise RunnerError("delegate-missing", "libedgetpu.so.1 can't be loaded: %s" % error)
        elif job["delegate"] != "cpu":
            raise RunnerError("delegate-unsupported", "TFLite has no delegate '%s' here" % job["delegate"])
        started = now_ns()
        self.interpreter = package.Interpreter(
            model_path=job["model"], num_threads=job["threads"], experimental_delegates=delegates or None
        )
        self.interpreter.allocate_tensors()
        self.load_ns = now_ns() - started
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]
        self.wanted = job["delegate"]
        self.invoke = self.interpreter.invoke

    def prepare(self, image: Any) -> Any:
        scale, zero_point = self.input.get("quantization", (0.0, 0))
        value = as_input(self.np, image, self.input["dtype"], scale, zero_point)
        if tuple(value.shape) != tuple(self.input["shape"]):
            raise RunnerError("bad-model", "takes input %s, not %s" % (tuple(self.input["shape"]), value.shape))
        return value

    def set(self, value: Any) -> None:
        self.interpreter.set_tensor(self.input["index"], value)

    def get(self) -> Any:
        return self.interpreter.get_tensor(self.output["index"])

    def applied(self) -> Dict[str, Any]:
        """Which delegate ran how many of the model's nodes, from the interpreter's own node list.

        Nodes that a delegate took over stay in the list, with the delegate's node behind them. Walking back from the
        outputs, always through the delegate where it makes a tensor, meets exactly the nodes that are still executed.
        """
        try:
            nodes = self.interpreter._get_ops_details()
        except Exception as error:  # a private method: an old or new runtime may lack it
            return {"applied": None, "how": "no node list: %s" % error}
        kinds = sorted(set(n["op_name"] for n in nodes if "delegate" in n["op_name"].lower()))
        makers = {}  # type: Dict[int, Any]
        for node in nodes:
            for tensor in node["outputs"]:
                if int(tensor) not in makers or "delegate" in node["op_name"].lower():
                    makers[int(tensor)] = node
        executed, seen = set(), set()
        todo = [int(d["index"]) for d in self.interpreter.get_output_details()]
        while todo:
            tensor = todo.pop()
            node = makers.get(tensor)
            if tensor in seen or node is None:
                continue
            seen.add(tensor)
            executed.add(node["index"])
            todo.extend(int(t) for t in node["inputs"] if int(t) >= 0)
        plain = [n for n in nodes if "delegate" not in n["op_name"].lower()]
        still = [n["op_name"] for n in plain if n["index"] in executed]
        name = "cpu" if not kinds else ("edgetpu" if any("edgetpu" in k.lower() for k in kinds) else "xnnpack")
        return {
            "applied": name if len(still) < len(plain) or not kinds else "cpu",
            "nodes_total": len(plain),
            "nodes_delegated": len(plain) - len(still),
            "nodes_left": sorted(still)[:64],
            "how": "interpreter node list %s" % kinds,
        }


class OnnxModel(object):
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

    def __init__(self, np: Any, job: Dict[str, Any]) -> None:
        self.np = np
        started = now_ns()
        import onnxruntime as ort

        self.import_ns = now_ns() - started
        self.version = ort.__version__
        wanted = self.PROVIDERS.get(job["delegate"])
        if wanted is None:
            raise RunnerError("delegate-unsupported", "ONNX Runtime has no provider for '%s'" % job["delegate"])
        if wanted not in ort.get_available_providers():
            raise RunnerError(
                "delegate-missing",
                "%s is not in this ONNX Runtime; it has %s" % (wanted, ort.get_available_providers()),
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        options.inter_op_num_threads = 1
        started = now_ns()
        self.session = ort.InferenceSession(job["model"], options, providers=[wanted])
        self.load_ns = now_ns() - started
        self.wanted = wanted
        self.ort = ort
        self.input = self.session.get_inputs()[0]
        self.output = self.session.get_outputs()[0]
        self.binding = self.session.io_binding()
        self.dtype = np.dtype(self.DTYPES.get(self.input.type, "float32"))
        self.binding.bind_output(self.output.name, "cpu")
        self.invoke = self._invoke

    def _invoke(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def prepare(self, image: Any) -> Any:
        return as_input(self.np, image, self.dtype, 1.0, -128 if self.dtype == self.np.int8 else 0)

    def set(self, value: Any) -> None:
        self.held = value  # the binding keeps no reference of its own
        self.binding.bind_cpu_input(self.input.name, value)

    def get(self) -> Any:
        return self.binding.copy_outputs_to_cpu()[0]

    def applied(self) -> Dict[str, Any]:
        first = self.session.get_providers()[0]
        names = {provider: name for name, provider in self.PROVIDERS.items()}
        return {"applied": names.get(first, first), "how": "session providers %s" % self.session.get_providers()}


def package_version(module: str) -> Optional[str]:
    name = module.replace("_", "-")
    try:
        from importlib import metadata

        return metadata.version(name)
    except Exception:
        try:
            return str(__import__("pkg_resources").get_distribution(name).version)
        except Exception:
            return getattr(__import__(module), "__version__", None)


def timed(model: Any, value: Any) -> int:
    model.set(value)
    invoke = model.invoke
    started = now_ns()
    invoke()
    return now_ns() - started


def warm_up(model: Any, inputs: List[Any], plan: Dict[str, Any]) -> List[int]:
    """At least ``min_runs`` and ``min_ns``, at most ``max_runs``; every value kept."""
    values = []  # type: List[int]
    total = 0
    while len(values) < plan["max_runs"] and (len(values) < plan["min_runs"] or total < plan["min_ns"]):
        taken = timed(model, inputs[len(values) % len(inputs)])
        values.append(taken)
        total += taken
    return values


def passes(
    model: Any, inputs: List[Any], plan: Dict[str, Any]
) -> Tuple[List[int], List[int], bool, str, List[Dict[str, str]]]:
    """Whole passes over all images until both ``min_runs`` and ``min_ns`` are reached, or ``max_ns`` is passed."""
    latency = []  # type: List[int]
    first = None  # type: Optional[List[int]]
    during = []  # type: List[Dict[str, str]]
    outputs, stable = hashlib.sha256(), True
    total, slow = 0, plan.get("inject_slowdown", 0.0)
    while first is None or ((len(latency) < plan["min_runs"] or total < plan["min_ns"]) and total < plan["max_ns"]):
        predictions = []  # type: List[int]
        for value in inputs:
            taken = timed(model, value)
            if slow:
                taken += spin(int(taken * slow))
            latency.append(taken)
            total += taken
            result = model.get()
            if first is None:
                outputs.update(result.tobytes())
            predictions.append(int(result.reshape(-1).argmax()))
        if first is None:
            first = predictions
        stable = stable and predictions == first
        if len(during) < 256:
            during.append(state())
    return latency, first or [], stable, outputs.hexdigest(), during


def spin(length_ns: int) -> int:
    """Busy-wait; only for testing that a slowdown is found. Says so in the result."""
    started = now_ns()
    while now_ns() - started < length_ns:
        pass
    return now_ns() - started


def measure(job: Dict[str, Any]) -> Dict[str, Any]:
    started = now_ns()
    import numpy as np

    numpy_ns = now_ns() - started
    for key in ("model", "inputs"):
        found = sha256_of(job[key])
        if found != job[key + "_sha256"]:
            raise RunnerError("corrupt-file", "%s: SHA-256 is %s" % (job[key], found))
    images = np.load(job["inputs"], allow_pickle=False)
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise RunnerError("bad-inputs", "inputs are %s %s" % (images.dtype, images.shape))
    before = full_state()
    kind: Callable[[Any, Dict[str, Any]], Any] = OnnxModel if job["runtime"] == "onnxruntime" else TfliteModel
    model = kind(np, job)
    inputs = [model.prepare(image) for image in images]
    first_ns = timed(model, inputs[0])
    delegate = model.applied()
    gc.collect()
    gc.disable()
    warmup = warm_up(model, inputs, job["warmup"])
    latency, predictions, stable, outputs, during = passes(model, inputs, job["passes"])
    return {
        "status": "ok",
        "load_ns": model.load_ns,
        "first_inference_ns": first_ns,
        "warmup_ns": warmup,
        "latency_ns": latency,
        "predictions": predictions,
        "predictions_stable": stable,
        "outputs_sha256": outputs,
        "model_sha256": job["model_sha256"],
        "inputs_sha256": job["inputs_sha256"],
        "delegate": delegate,
        "runtime_version": model.version,
        "numpy_version": np.__version__,
        "import_ns": {"numpy": numpy_ns, "runtime": model.import_ns},
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "inject_slowdown": job["passes"].get("inject_slowdown", 0.0),
        "evidence": {"before": before, "during": during, "after": full_state()},
    }


def watch_stdin() -> None:
    """End with the connection: sshd closes our stdin when the controller is gone."""
    while sys.stdin.buffer.read(1 << 12):
        pass
    os._exit(3)


def clear(path: str) -> None:
    """An old result must never be taken for this one."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder)
    if os.path.exists(path):
        os.remove(path)


def write_result(path: str, answer: Dict[str, Any]) -> None:
    part = path + ".part"
    with open(part, "w") as handle:
        json.dump(answer, handle)
        handle.flush()
        os.fsync(handle.fileno())
    os.rename(part, path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", required=True)
    parser.add_argument("--result", required=True)
    options = parser.parse_args()
    if options.job == "-":
        job = json.loads(sys.stdin.buffer.readline().decode("utf-8"))
        threading.Thread(target=watch_stdin, daemon=True).start()
    else:
        with open(options.job) as handle:
            job = json.load(handle)
    try:
        clear(options.result)
        answer = measure(job)
    except RunnerError as error:
        answer = {"status": "error", "code": error.code, "text": str(error)}
    except MemoryError:
        answer = {"status": "error", "code": "out-of-memory", "text": "not enough memory on the board"}
    except ImportError as error:
        answer = {"status": "error", "code": "runtime-missing", "text": str(error)}
    except Exception as error:
        traceback.print_exc()
        answer = {"status": "error", "code": "runtime-error", "text": "%s: %s" % (type(error).__name__, error)}
    clock = time.get_clock_info("perf_counter")
    answer.update(
        schema=SCHEMA,
        cell=job.get("cell"),
        cpuinfo=cpuinfo(),
        machine=os.uname().machine,
        python=sys.version.split()[0],
        clock={"implementation": clock.implementation, "resolution_ns": int(clock.resolution * 1e9)},
    )
    write_result(options.result, answer)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if answer["status"] == "ok" else 1)  # runtimes' own exit handlers have crashed after a good result


main()
