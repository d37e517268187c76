"""The main program: reads the job and writes the result."""

import argparse
import json
import os
import sys
import threading
import time
import traceback

from .files import RunnerError, clear, native, near, write_result
from .forks import serve
from .measure import measure
from .process import note_stops
from .shapes import Json
from .state import cpuinfo

SCHEMA = 1


def watch_stdin() -> None:
    """End the process with the connection: sshd closes stdin when the controller is gone."""
    while sys.stdin.buffer.read(1 << 12):
        pass
    os._exit(3)


def read_job(path: str) -> Json:
    if path != "-":
        with open(path, encoding="utf-8") as handle:
            return dict(json.load(handle))
    job = json.loads(sys.stdin.buffer.readline().decode("utf-8"))
    threading.Thread(target=watch_stdin, daemon=True).start()
    return dict(job)


def answer_to(job: Json, result: str) -> Json:
    """The measurement, or the error that prevented it."""
    try:
        note_stops()
        clear(result)
        if job.get("packages") is not None:
            sys.path[:1] = [native(folder) for folder in job["packages"]]
            os.chdir(os.path.dirname(os.path.abspath(sys.argv[0])))
            job.update(model=near(job["model"]), inputs=near(job["inputs"]))
            if job.get("outputs"):
                job["outputs"] = dict(job["outputs"], file=native(job["outputs"]["file"]))
        return measure(job)
    except RunnerError as error:
        return {"status": "error", "code": error.code, "text": str(error)}
    except MemoryError:
        return {"status": "error", "code": "out-of-memory", "text": "not enough memory on the board"}
    except ImportError as error:
        return {"status": "error", "code": "runtime-missing", "text": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"status": "error", "code": "runtime-error", "text": "%s: %s" % (type(error).__name__, error)}


def finish(job: Json, result: str) -> None:
    """Measure a job, write its result, and end the process."""
    answer = answer_to(job, result)
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
        write_result(result, answer)
    except Exception:  # e.g. a full disk; not raised, because a normal exit could crash in a runtime's handler
        traceback.print_exc()
        answer["status"] = "error"
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if answer["status"] == "ok" else 1)  # runtimes' exit handlers have crashed after a good result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--forks", action="store_true")
    parser.add_argument("--job", required=True)
    parser.add_argument("--result", required=True)
    options = parser.parse_args()
    if options.forks:
        serve(finish)
        os._exit(0)
    finish(read_job(options.job), os.path.abspath(options.result))


if __name__ == "__main__":
    main()
