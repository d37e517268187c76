"""Measures rounds in processes that are forked from one that has imported numpy and the runtime.

Starting Python and importing takes longer than a round of a small network, and is the same for all cells of a runtime.
A forked process loads its model, warms up and ends by itself like any other. It differs in three ways: the layout of
its memory is its parent's, so whoever orders rounds starts another parent for each round; pages that it writes for the
first time are copied, so it takes longer to load; and its peak memory lacks the libraries' pages that only the parent
touched. So nothing but what comes after the warm-up stands for a process of its own, and the answer says ``forked``.

On stdin: {"packages": [...], "runtime": ...}, then {"job": ..., "result": path} for each round, each as a line.
On stdout: {"forks": true}, or {"forks": false, "why": ...} where forked processes would lack something; then
{"status": ..., "stderr": ...} for each round: the exit status as a shell gives it, and the end of stderr in base64.
"""

import base64
import ctypes
import json
import os
import select
import signal
import sys
import traceback
import warnings
from typing import Any, Callable, Optional

from .files import native
from .runtimes.base import model_class
from .shapes import Json

#: How much of a round's stderr is kept, in bytes: an answer is a line of at most 4096.
KEPT = 2700
#: prctl(2): the signal that this process gets when its parent ends.
PR_SET_PDEATHSIG = 1


class Lines(object):
    """Lines of stdin, which is read without a buffer, so that its end shows while a round is measured."""

    def __init__(self) -> None:
        self.data = b""

    def next(self) -> Optional[Json]:
        """The next line as JSON; None at the end."""
        while b"\n" not in self.data:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                return None
            self.data += chunk
        line, _, self.data = self.data.partition(b"\n")
        return dict(json.loads(line.decode("utf-8")))


def import_all(first: Json) -> None:
    """Import numpy and the runtime.

    Raises:
        ImportError: the runtime is not there, or must be imported by the process that uses it.
    """
    sys.path[:1] = [native(folder) for folder in first["packages"]]
    __import__("numpy")
    module = model_class(first["runtime"]).FORKABLE
    if not module:
        raise ImportError("%s must be imported by each process" % first["runtime"])
    threads = len(os.listdir("/proc/self/task"))  # numpy has some, which it starts again in a forked process
    __import__(module)
    if len(os.listdir("/proc/self/task")) > threads:
        raise ImportError("%s starts threads, which a forked process would lack" % module)


def serve(measured: Callable[[Json, str], None]) -> None:
    """Answer orders until stdin ends. ``measured`` measures one job, writes its result and ends the process."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside numpy's threads
    lines = Lines()
    try:
        import_all(lines.next() or {})
    except Exception as error:
        reply(answers, {"forks": False, "why": ("%s: %s" % (type(error).__name__, error))[:500]})
        return
    reply(answers, {"forks": True})
    while True:
        order = lines.next()
        if order is None:
            return
        reply(answers, one_fork(measured, dict(order["job"], forked=True), native(order["result"])))


def reply(answers: int, content: Json) -> None:
    os.write(answers, json.dumps(content).encode("ascii") + b"\n")


def one_fork(measured: Callable[[Json, str], None], job: Json, result: str) -> Json:
    """Run one process to its end. Where stdin ends before, the controller is gone: both processes end."""
    read_end, write_end = os.pipe()
    parent, child = os.getpid(), os.fork()
    if not child:
        os.close(read_end)
        be_forked(lambda: measured(job, result), parent, stderr=write_end)
    os.close(write_end)
    said = b""
    while True:
        ready = select.select([0, read_end], [], [])[0]
        if 0 in ready:
            os.kill(child, signal.SIGKILL)
            os._exit(3)
        chunk = os.read(read_end, 1 << 16)
        if not chunk:
            break
        said = (said + chunk)[-KEPT:]
    os.close(read_end)
    status = os.waitpid(child, 0)[1]
    code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return {"status": code, "stderr": base64.b64encode(said).decode("ascii")}


def be_forked(measured: Callable[[], None], parent: int, stderr: int) -> None:
    """Run the forked process, to its end."""
    try:
        library: Any = ctypes.CDLL(None)
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it was asked for the signal
            os._exit(3)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream, target in ((0, nothing), (1, nothing), (2, stderr)):
            os.dup2(target, stream)
        measured()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)
