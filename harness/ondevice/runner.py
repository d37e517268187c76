"""Runs one model on one board and times it. One file; Python 3.6 syntax and library, numpy and the runtime alone.

    runner.py --job JOB.json --result RESULT.json      (JOB "-": one line of JSON on stdin)

The result goes to the named file, whole or not at all; stdout stays empty; stderr is for people. Whatever goes wrong
ends up in the result as {"status": "error", "code": ..., "text": ...}. With the job on stdin, the runner ends when
stdin does: a controller that is gone leaves nothing running here.

What is timed is ``invoke`` (TFLite) or ``run_with_iobinding`` (ONNX Runtime) alone: the input is in the runtime's own
tensor before the clock starts, and the output is read after it has stopped. Predictions come from the very
invocations that were timed. Expected answers are never sent to a board.

The board's state is read before, between whole passes and after; nothing is read while an invocation runs.

The runtime is imported from the job's ``packages``. PYTHONPATH could not name a folder with a colon in its name.
"""

import argparse
import gc
import hashlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
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

#: Commands that some boards have for what no file tells: Pi firmware (throttle bits, a Pi 5's power), Jetson.
COMMANDS = (("vcgencmd", "get_throttled"), ("vcgencmd", "pmic_read_adc"), ("nvpmodel", "-q"))

#: Where power is to be read: hwmon and, on JetPack 4, the INA3221's own driver. RAPL counts energy.
SENSOR = re.compile(r"^(name|label|(power|energy)\d+_(input|average|label)|in_power\d+_input|rail_name_\d+|energy_uj)$")
VOLTS = re.compile(r"^(in|curr)(\d+)_(input|label)$")


class RunnerError(Exception):
    def __init__(self, code: str, text: str) -> None:
        Exception.__init__(self, text)
        self.code = code


if hasattr(time, "perf_counter_ns"):
    now_ns = time.perf_counter_ns
else:  # Python 3.6: CLOCK_MONOTONIC as a double; good to 15 ns up to 3 years of uptime

    def now_ns() -> int:
        return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)


#: Linux's clock that goes on while the machine sleeps; Python has a name for it from 3.7 on.
CLOCK_BOOTTIME = 7
#: How often this process was told to go on after it had been stopped (SIGSTOP, a job put in the background).
CONTINUED = []  # type: List[int]


def note_stops() -> None:
    """Nobody can see being stopped, but the signal that ends it can be noted."""
    signal.signal(signal.SIGCONT, lambda number, _frame: CONTINUED.append(number))
    signal.siginterrupt(signal.SIGCONT, False)  # no call of a runtime's fails for it


class Stops(object):
    """When this thread did nothing: it had no processor, and did not wait in the queue for one either.

    Looked at between two inferences, never in one. A process that is stopped, frozen or suspended with its machine
    does nothing for long, once. One that waits for an accelerator does so every time.
    """

    def __init__(self) -> None:
        self.longest = 0
        self.middles = []  # type: List[int]

    def begin(self) -> None:
        """Before a row of inferences."""
        self.idle = []  # type: List[int]
        self.waited = waited_ns() or 0
        self.wall, self.worked = now_ns(), self.cpu_ns()

    def cpu_ns(self) -> int:
        return int(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9)

    def lap(self) -> None:
        """After one inference, and what belongs to it."""
        wall, worked = now_ns(), self.cpu_ns()
        self.idle.append(wall - self.wall - (worked - self.worked))
        self.wall, self.worked = wall, worked

    def end(self) -> Dict[str, str]:
        """After a row: the longest and the usual idle time of all so far, for the board's state."""
        if self.idle:
            self.idle.sort()
            self.middles.append(self.idle[len(self.idle) // 2])
            self.longest = max(self.longest, self.idle[-1] - ((waited_ns() or 0) - self.waited))
        usual = sorted(self.middles)[len(self.middles) // 2] if self.middles else 0
        return {"self idle_longest_ns": str(max(self.longest, 0)), "self idle_usual_ns": str(max(usual, 0))}


def read(path: str, limit: int = 4096) -> Optional[str]:
    try:
        with open(path, "rb") as handle:
            return handle.read(limit).decode("utf-8", "replace").strip("\0\n ")
    except (OSError, ValueError):
        return None


class Board(object):
    """Reads the board's state. ``root`` (for tests only): a folder whose files stand in for those of /proc and /sys,
    and whose ``bin`` comes before other programs."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.sensors = self._sensors()
        self.power_command = False

    def at(self, path: str) -> str:
        return self.root + path if self.root and os.path.exists(self.root + path) else path

    def names(self, folder: str) -> List[str]:
        try:
            return sorted(os.listdir(self.at(folder)))[:256]
        except OSError:
            return []

    def each(self, folder: str, prefix: str, names: Sequence[str]) -> Dict[str, str]:
        """{path: text} of small files like /sys/class/thermal/thermal_zone*/temp."""
        found = {}  # type: Dict[str, str]
        for entry in [name for name in self.names(folder) if name.startswith(prefix)][:64]:
            for name in names:
                path = os.path.join(folder, entry, name)
                text = read(self.at(path))
                if text is not None:
                    found[path] = text
        return found

    def _sensors(self) -> List[str]:
        """Files that tell power, energy, or a voltage and a current of one channel; at most 64."""
        folders = [os.path.join("/sys/class/hwmon", name) for name in self.names("/sys/class/hwmon")]
        folders += [
            os.path.join("/sys/class/powercap", name)
            for name in self.names("/sys/class/powercap")
            if re.match(r"^intel-rapl:\d+$", name)  # packages; what is below them is part of them
        ]
        for chip in self.names("/sys/bus/i2c/drivers/ina3221x"):
            base = os.path.join("/sys/bus/i2c/drivers/ina3221x", chip)
            folders += [os.path.join(base, name) for name in self.names(base) if name.startswith("iio:device")]
        paths = []  # type: List[str]
        for folder in folders:
            names = self.names(folder)
            wanted = [name for name in names if SENSOR.match(name)]
            for name in names:
                match = VOLTS.match(name)
                if match and "curr%s_input" % match.group(2) in names and "in%s_input" % match.group(2) in names:
                    wanted.append(name)
            if any(name not in ("name", "label") for name in wanted):
                paths += [os.path.join(folder, name) for name in wanted]
        return paths[:64]

    def state(self) -> Dict[str, str]:
        """The board's state right now, and what this process has used: small reads, a millisecond or so."""
        found = {}  # type: Dict[str, str]
        for path in list(STATE_FILES) + self.sensors:
            text = read(self.at(path))
            if text is not None:
                found[path] = text
        found.update(self.each("/sys/class/thermal", "thermal_zone", ("type", "temp")))
        frequency = ("scaling_governor", "scaling_cur_freq", "scaling_max_freq")
        found.update(self.each("/sys/devices/system/cpu/cpufreq", "policy", frequency))
        if self.power_command:
            found.update(command("vcgencmd", "pmic_read_adc", root=self.root))
        found["/proc/stat cpu"] = (read("/proc/stat") or "").split("\n")[0]
        found["wall_s"] = repr(time.time())
        found["monotonic_ns"] = str(now_ns())
        try:
            found["boottime_ns"] = str(int(time.clock_gettime(CLOCK_BOOTTIME) * 1e9))
        except (OSError, ValueError):
            pass
        found.update(own_use())
        return found

    def full_state(self) -> Dict[str, str]:
        """The state, and what only a command tells: processes are started for it, so never between passes."""
        found = {}  # type: Dict[str, str]
        for words in COMMANDS:
            found.update(command(*words, root=self.root))
        self.power_command = "vcgencmd pmic_read_adc" in found
        found.update(self.state())
        return found


def command(*words: str, root: str = "") -> Dict[str, str]:
    """{"vcgencmd get_throttled": its answer}; empty where there is no such command or it fails."""
    path = (root + "/bin:" if root else "") + os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/opt/vc/bin"
    try:
        done = subprocess.run(
            list(words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, env=dict(os.environ, PATH=path)
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    text = done.stdout[:4000].decode("ascii", "replace").strip()
    return {" ".join(words): text} if text and done.returncode == 0 else {}


def own_use() -> Dict[str, str]:
    """What this process has used since it began: processor time, context switches, and how long its threads stood
    ready to run while others had the processor (Linux, Documentation/scheduler/sched-stats: run_delay)."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "self cpu_ns": str(int((use.ru_utime + use.ru_stime) * 1e9)),
        "self involuntary_switches": str(use.ru_nivcsw),
        "self voluntary_switches": str(use.ru_nvcsw),
        "self major_faults": str(use.ru_majflt),
        "self continued": str(len(CONTINUED)),
    }
    waited = waited_ns()
    if waited is not None:
        found["self waited_ns"] = str(waited)
    return found


def waited_ns() -> Optional[int]:
    """How long this process's threads have stood ready while others had the processor; None if that isn't told."""
    waited = []
    try:
        for thread in os.listdir("/proc/self/task"):
            words = (read("/proc/self/task/%s/schedstat" % thread) or "").split()
            if len(words) == 3:
                waited.append(int(words[1]))
    except (OSError, ValueError):
        return None
    return sum(waited) if waited else None


def processes() -> Dict[int, Tuple[str, int]]:
    """{pid: (name, processor time in ticks)} of all other processes; a few milliseconds, never between passes."""
    found = {}  # type: Dict[int, Tuple[str, int]]
    try:
        entries = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return found
    for entry in entries[:4096]:
        text = read("/proc/%s/stat" % entry) or ""
        words = text.rpartition(")")[2].split()
        if len(words) > 12 and int(entry) != os.getpid():
            found[int(entry)] = (text.partition("(")[2].rpartition(")")[0], int(words[11]) + int(words[12]))
    return found


def busiest(before: Dict[int, Tuple[str, int]], after: Dict[int, Tuple[str, int]]) -> List[Dict[str, Any]]:
    """The five others that used most processor time in between, in seconds; names only, arguments may be private."""
    tick = float(os.sysconf("SC_CLK_TCK"))
    used = []
    for pid, (name, ticks) in after.items():
        taken = ticks - before.get(pid, (name, 0))[1]
        if taken > 0:
            used.append((taken / tick, pid, name))
    used.sort(reverse=True)
    return [{"pid": pid, "name": name[:64], "cpu_s": seconds} for seconds, pid, name in used[:5]]


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


def native(path: str) -> str:
    """A path of the job, whose bytes are UTF-8, as this Python's locale names it."""
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def near(path: str) -> str:
    """A path for a runtime's own code, which may take ASCII alone where the locale is C: seen from the folder that the
    runner is in, which is that of all files that were sent."""
    path = native(path)
    try:
        path.encode("ascii")
        return path
    except UnicodeError:
        return os.path.relpath(path)


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
        created = now_ns()
        self.interpreter.allocate_tensors()
        ended = now_ns()
        self.load_ns, self.allocate_ns = ended - started, ended - created  # type: int, Optional[int]
        self.build = wheel_tags(package)
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]
        self.output_name = str(self.output["name"])
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

    def quantised(self) -> bool:
        """Whether the file says which scores the output's whole numbers stand for."""
        return bool(self.output.get("quantization", (0.0, 0))[0])

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
        self.place = (job["model"], [wanted], job["threads"])
        options = self.options(ort)
        self.trace = None  # type: Optional[str]
        if job["delegate"] != "cpu":
            # a session lists its GPU even when every node went to the CPU; the profiler's trace of the first inference
            # tells where each one ran
            self.trace = tempfile.mkdtemp()
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(self.trace, "first")
        if job["delegate"] == "tensorrt" and "+fp16." in job["cell"]:
            os.environ["ORT_TENSORRT_FP16_ENABLE"] = "1"  # without it, TensorRT computes in float32
        started = now_ns()
        self.session = ort.InferenceSession(job["model"], options, providers=[wanted])
        self.load_ns = now_ns() - started
        self.allocate_ns = None  # type: Optional[int]  # part of creating the session
        self.build = wheel_tags(ort) + " " + str(getattr(ort, "get_build_info", str)())
        self.wanted = wanted
        self.ort = ort
        self.input = self.session.get_inputs()[0]
        self.output = self.session.get_outputs()[0]
        self.output_name = str(self.output.name)
        self.quantised_output = bool(job.get("quantised_output"))
        self.binding = self.session.io_binding()
        self.dtype = np.dtype(self.DTYPES.get(self.input.type, "float32"))
        self.binding.bind_output(self.output.name, "cpu")
        self.invoke = self._invoke

    def options(self, ort: Any) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.place[2]
        options.inter_op_num_threads = 1
        return options

    def profile(self, inputs: List[Any]) -> Dict[str, Any]:
        """Each node's time over one pass, by ONNX Runtime's own profiler, in a session of its own."""
        folder = tempfile.mkdtemp()
        try:
            options = self.options(self.ort)
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")
            session = self.ort.InferenceSession(self.place[0], options, providers=self.place[1])
            session.run(None, {self.input.name: inputs[0]})  # from cold: not counted below
            for value in inputs[:20]:
                session.run(None, {self.input.name: value})
            with open(session.end_profiling(), encoding="utf-8") as handle:
                events = json.loads(handle.read(64 << 20))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        found = by_node(events, min(len(inputs), 20))
        return {"how": "ONNX Runtime's profiler", "runs": min(len(inputs), 20), "nodes": found}

    def _invoke(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def prepare(self, image: Any) -> Any:
        return as_input(self.np, image, self.dtype, 1.0, -128 if self.dtype == self.np.int8 else 0)

    def set(self, value: Any) -> None:
        self.held = value  # the binding keeps no reference of its own
        self.binding.bind_cpu_input(self.input.name, value)

    def get(self) -> Any:
        return self.binding.copy_outputs_to_cpu()[0]

    def quantised(self) -> bool:
        """ONNX keeps scales inside the graph; the controller has looked there."""
        return self.quantised_output

    def applied(self) -> Dict[str, Any]:
        """Which provider ran the nodes. Asked after the first inference, whose trace ends the profiling."""
        listed = self.session.get_providers()
        names = {provider: name for name, provider in self.PROVIDERS.items()}
        how = "session providers %s" % listed
        if self.trace is None:
            return {"applied": names.get(listed[0], listed[0]), "how": how}
        try:
            with open(self.session.end_profiling(), encoding="utf-8") as handle:
                nodes = by_node(json.loads(handle.read(64 << 20)), 1)
        finally:
            shutil.rmtree(self.trace, ignore_errors=True)
        left = [node for node in nodes if node["provider"] != self.wanted]
        others = sorted(set(names.get(node["provider"], node["provider"]) for node in left))
        return {
            "applied": names[self.wanted] if len(left) < len(nodes) else (others[0] if others else None),
            "nodes_total": len(nodes),
            "nodes_delegated": len(nodes) - len(left),
            "nodes_left": sorted(node["op"] for node in left)[:64],
            "how": "%s; each node's from the profiler" % how,
        }


def by_node(events: List[Any], runs: int) -> List[Dict[str, Any]]:
    """The nodes that took most of all but the first run, at most 512, from a trace of ONNX Runtime's profiler."""
    times = {}  # type: Dict[str, List[int]]
    kinds = {}  # type: Dict[str, Tuple[str, str]]
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


def profile(model: Any, inputs: List[Any]) -> Dict[str, Any]:
    """What took how long inside the runtime: an extra pass after everything that is measured. Never costs the cell."""
    if not hasattr(model, "profile"):
        return {"how": "this runtime's Python interface has no profiler", "runs": 0, "nodes": []}
    try:
        return dict(model.profile(inputs))
    except Exception as error:
        return {"how": ("no profile: %s" % error)[:1000], "runs": 0, "nodes": []}


def package_version(module: str) -> Optional[str]:
    """From the name of the folder that the wheel keeps its facts in; else by importlib, which takes as long to import
    as the whole interpreter."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__import__(module).__file__ or "")))
    for entry in names_in(folder):
        if entry.startswith(module + "-") and entry.endswith(".dist-info"):
            return entry[len(module) + 1 : -len(".dist-info")]
    name = module.replace("_", "-")
    try:
        from importlib import metadata

        return metadata.version(name)
    except Exception:
        try:
            return str(__import__("pkg_resources").get_distribution(name).version)
        except Exception:
            return getattr(__import__(module), "__version__", None)


def names_in(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def wheel_tags(module: Any) -> str:
    """For which Python, C library and machine the runtime was built: the tags of the wheel it came in."""
    folder = os.path.dirname(os.path.abspath(module.__file__))
    names = (os.path.basename(folder), "onnxruntime")
    folder = os.path.dirname(folder)
    tags = []  # type: List[str]
    for entry in sorted(os.listdir(folder)):
        if entry.endswith(".dist-info") and entry.split("-")[0] in names:
            text = read(os.path.join(folder, entry, "WHEEL")) or ""
            tags += [line[5:] for line in text.splitlines() if line.startswith("Tag: ")]
    return " ".join(tags)[:500]


def timed(model: Any, value: Any) -> int:
    model.set(value)
    invoke = model.invoke
    started = now_ns()
    invoke()
    return now_ns() - started


def middle(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]


def steady(values: Sequence[int], tolerance: float) -> bool:
    """Has the series stopped moving? Looks at its latter half, which must have 20 values.

    Cox and Stuart's sign test for trend (Biometrika 42, 1955): each value of the first half of them is compared with
    its partner in the second; without a trend, as many rise as fall. Steady means that p >= 0.2 (a late end costs
    little, an early one spoils the series), or that the two medians differ by no more than ``tolerance`` (a share),
    which is too little to matter. Signs and medians, so that single slow runs have no weight.
    """
    recent = values[len(values) // 2 :]
    half = len(recent) // 2
    if half < 10:
        return False
    early, late = recent[:half], recent[-half:]
    if abs(middle(late) - middle(early)) <= tolerance * middle(early):
        return True
    steps = [b - a for a, b in zip(early, late)]  # noqa: B905 - Python 3.6 has no strict
    rises, falls = sum(1 for step in steps if step > 0), sum(1 for step in steps if step < 0)
    z = max(abs(rises - falls) - 1, 0) / math.sqrt(max(rises + falls, 1))
    return math.erfc(z / math.sqrt(2)) >= 0.2


def warm_up(model: Any, inputs: List[Any], plan: Dict[str, Any], stops: Optional[Stops]) -> Tuple[List[int], str]:
    """At least ``min_runs`` and ``min_ns``, then until :func:`steady`; at most ``max_runs`` or ``max_ns``.

    Every value is kept. Also says why it ended. Without a ``tolerance`` the series isn't tested.
    """
    values = []  # type: List[int]
    total, look = 0, 0
    while len(values) < plan["max_runs"]:
        taken = timed(model, inputs[len(values) % len(inputs)])
        if stops:
            stops.lap()
        values.append(taken)
        total += taken
        if len(values) < plan["min_runs"] or total < plan["min_ns"]:
            continue
        if plan.get("tolerance") is None:
            return values, "fixed"
        if len(values) >= look:
            if steady(values, plan["tolerance"]):
                return values, "steady"
            look = len(values) + max(5, len(values) // 5)
        if total >= plan["max_ns"]:
            return values, "max-time"
    return values, "fixed" if plan.get("tolerance") is None else "max-runs"


def check_scores(np: Any, model: Any, classes: Optional[int]) -> None:
    """Refuse an output that isn't one score for each class: its highest place would be no class."""
    result = model.get()
    shape, dtype = tuple(getattr(result, "shape", ())), getattr(result, "dtype", None)
    what = "output '%s' is %s %s" % (model.output_name[:200], dtype or type(result).__name__, list(shape))
    if dtype is None or not (np.issubdtype(dtype, np.floating) or (dtype in (np.int8, np.uint8) and model.quantised())):
        raise RunnerError("no-scores", what + ", which are no scores")
    length = int(np.prod(shape)) if shape else 1
    if length < 2 or max(shape) != length:
        raise RunnerError("no-scores", what + ", which is no single row of scores")
    if classes is not None and length != classes:
        raise RunnerError("no-scores", what + ", and there are %d classes" % classes)


def passes(np: Any, model: Any, inputs: List[Any], plan: Dict[str, Any], board: Board) -> Dict[str, Any]:
    """Whole passes over all images until both ``min_runs`` and ``min_ns`` are reached, or ``max_ns`` is passed."""
    latency = []  # type: List[int]
    first = None  # type: Optional[List[int]]
    during = []  # type: List[Dict[str, str]]
    outputs, stable, not_finite = hashlib.sha256(), True, 0
    total, slow = 0, plan.get("inject_slowdown", 0.0)
    stops = Stops() if plan.get("watch") else None
    start = board.state()
    most = plan.get("max_runs", 900000) - len(inputs)
    while first is None or (
        (len(latency) < plan["min_runs"] or total < plan["min_ns"]) and total < plan["max_ns"] and len(latency) <= most
    ):
        predictions = []  # type: List[int]
        if stops:
            stops.begin()
        for value in inputs:
            taken = timed(model, value)
            if slow:
                taken += spin(int(taken * slow))
            latency.append(taken)
            total += taken
            result = model.get()
            if first is None:
                outputs.update(result.tobytes())
            not_finite += not np.isfinite(result).all()
            predictions.append(int(result.reshape(-1).argmax()))
            if stops:
                stops.lap()
        idle = stops.end() if stops else {}
        if first is None:
            first = predictions
        stable = stable and predictions == first
        if len(during) < 255:
            during.append(board.state())
    return {
        "latency_ns": latency,
        "predictions": first or [],
        "predictions_stable": stable,
        "not_finite": int(not_finite),
        "outputs_sha256": outputs.hexdigest(),
        "evidence": {"start": start, "during": during, "end": dict(board.state(), **idle)},
    }


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
    board, others = Board(job.get("state_root") or ""), processes()
    before = board.full_state()
    kind: Callable[[Any, Dict[str, Any]], Any] = OnnxModel if job["runtime"] == "onnxruntime" else TfliteModel
    model = kind(np, job)
    inputs = [model.prepare(image) for image in images]
    first_ns = timed(model, inputs[0])
    check_scores(np, model, job.get("classes"))
    delegate = model.applied()
    gc.collect()
    gc.disable()
    stops = Stops() if job["warmup"].get("watch") else None
    if stops:
        stops.begin()
    warmup, warmup_ended = warm_up(model, inputs, job["warmup"], stops)
    idle = stops.end() if stops else {}
    answer = passes(np, model, inputs, job["passes"], board)
    answer["evidence"]["start"].update(idle)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer["evidence"].update(before=before, after=board.full_state(), busiest=busiest(others, processes()))
    answer.update(
        status="ok",
        load_ns=model.load_ns,
        allocate_ns=model.allocate_ns,
        first_inference_ns=first_ns,
        warmup_ns=warmup,
        warmup_ended=warmup_ended,
        model_sha256=job["model_sha256"],
        inputs_sha256=job["inputs_sha256"],
        delegate=delegate,
        runtime_version=model.version,
        runtime_build=model.build.strip()[:2000] or None,
        numpy_version=np.__version__,
        import_ns={"numpy": numpy_ns, "runtime": model.import_ns},
        peak_rss_bytes=peak,
        inject_slowdown=job["passes"].get("inject_slowdown", 0.0),
        state_root=board.root,
    )
    if job.get("profile"):
        answer["profile"] = profile(model, inputs)
    return answer


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
    with open(part, "w", encoding="utf-8") as handle:
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
        with open(options.job, encoding="utf-8") as handle:
            job = json.load(handle)
    options.result = os.path.abspath(options.result)
    try:
        note_stops()
        clear(options.result)
        if job.get("packages") is not None:
            sys.path[:1] = [native(folder) for folder in job["packages"]]
            os.chdir(os.path.dirname(os.path.abspath(sys.argv[0])))
            job.update(model=near(job["model"]), inputs=near(job["inputs"]))
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
    try:
        write_result(options.result, answer)
    except Exception:  # a full disk: said on stderr; an ordinary end would crash in a runtime's exit handler
        traceback.print_exc()
        answer["status"] = "error"
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if answer["status"] == "ok" else 1)  # runtimes' own exit handlers have crashed after a good result


main()
