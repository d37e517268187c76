"""The resources used by this process, its halts, and the processor time of other processes."""

import os
import resource
import signal
import time
from typing import Dict, List, Optional, Tuple

from .clock import now_ns
from .files import read
from .shapes import Json

#: One entry for each time that this process was continued after a stop (SIGSTOP, a background job).
CONTINUED: List[int] = []


def note_stops() -> None:
    """Count continuations (SIGCONT), because a process can't observe its own stop."""
    signal.signal(signal.SIGCONT, lambda number, _frame: CONTINUED.append(number))
    signal.siginterrupt(signal.SIGCONT, False)  # so that no system call of a runtime fails


def peak_rss_bytes() -> int:
    """The peak memory of this process in bytes, as the kernel counts it.

    ``ru_maxrss`` is taken only where there is no ``VmHWM``: Linux carries it over fork and exec, so a process that a
    larger one started shows the memory of that one.
    """
    for line in (read("/proc/self/status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Stops(object):
    """Measures idle time of this thread: it neither ran nor waited for a processor.

    It is measured between two inferences, never during one. A process that is stopped, frozen or suspended with its
    machine is idle once and for long. A process that waits for an accelerator is idle in every inference.
    """

    def __init__(self) -> None:
        self.longest = 0
        self.middles: List[int] = []

    def begin(self) -> None:
        """Start before a series of inferences."""
        self.idle: List[int] = []
        self.waited = waited_ns() or 0
        self.wall, self.worked = now_ns(), self.cpu_ns()

    def cpu_ns(self) -> int:
        return int(time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9)

    def lap(self) -> None:
        """Record the idle time of one inference and its surrounding work."""
        wall, worked = now_ns(), self.cpu_ns()
        self.idle.append(wall - self.wall - (worked - self.worked))
        self.wall, self.worked = wall, worked

    def end(self) -> Dict[str, str]:
        """End a series. Returns the longest and the median idle time of all series so far, for the board's state."""
        if self.idle:
            self.idle.sort()
            self.middles.append(self.idle[len(self.idle) // 2])
            self.longest = max(self.longest, self.idle[-1] - ((waited_ns() or 0) - self.waited))
        usual = sorted(self.middles)[len(self.middles) // 2] if self.middles else 0
        return {"self idle_longest_ns": str(max(self.longest, 0)), "self idle_usual_ns": str(max(usual, 0))}


def own_use() -> Dict[str, str]:
    """The resources that this process has used since it began: processor time, context switches, and run delay.

    Run delay is the time in which threads were ready but had no processor (Linux, Documentation/scheduler/sched-stats).
    """
    use = resource.getrusage(resource.RUSAGE_SELF)
    used = {
        "self cpu_ns": str(int((use.ru_utime + use.ru_stime) * 1e9)),
        "self involuntary_switches": str(use.ru_nivcsw),
        "self voluntary_switches": str(use.ru_nvcsw),
        "self major_faults": str(use.ru_majflt),
        "self continued": str(len(CONTINUED)),
    }
    waited = waited_ns()
    if waited is not None:
        used["self waited_ns"] = str(waited)
    return used


def waited_ns() -> Optional[int]:
    """The run delay of this process's threads, in nanoseconds; None if the kernel does not report it."""
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
    """{pid: (name, processor time in ticks)} of all other processes.

    It takes a few milliseconds, so it is never called between passes.
    """
    others: Dict[int, Tuple[str, int]] = {}
    try:
        entries = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return others
    for entry in entries[:4096]:
        text = read("/proc/%s/stat" % entry) or ""
        words = text.rpartition(")")[2].split()
        if len(words) > 12 and int(entry) != os.getpid():
            others[int(entry)] = (text.partition("(")[2].rpartition(")")[0], int(words[11]) + int(words[12]))
    return others


def busiest(before: Dict[int, Tuple[str, int]], after: Dict[int, Tuple[str, int]]) -> List[Json]:
    """The five other processes that used most processor time in between, in seconds.

    It reports names without arguments, which may be private.
    """
    tick = float(os.sysconf("SC_CLK_TCK"))
    used = []
    for pid, (name, ticks) in after.items():
        taken = ticks - before.get(pid, (name, 0))[1]
        if taken > 0:
            used.append((taken / tick, pid, name))
    used.sort(reverse=True)
    return [{"pid": pid, "name": name[:64], "cpu_s": seconds} for seconds, pid, name in used[:5]]
