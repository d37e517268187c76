"""What this process has used and how it was held up, and what other processes used meanwhile."""

import os
import resource
import signal
import time
from typing import Dict, List, Optional, Tuple

from .clock import now_ns
from .files import read
from .shapes import Json

#: How often this process was told to go on after it had been stopped (SIGSTOP, a job put in the background).
CONTINUED: List[int] = []


def note_stops() -> None:
    """Count how often this process goes on. A process can't see that it is stopped, only the signal that ends it."""
    signal.signal(signal.SIGCONT, lambda number, _frame: CONTINUED.append(number))
    signal.siginterrupt(signal.SIGCONT, False)  # no call of a runtime's fails for it


class Stops(object):
    """When this thread did nothing: it had no processor, and did not wait in the queue for one either.

    It is looked at between two inferences, never in one. A process that is stopped, frozen or suspended with its
    machine does nothing for long, once. One that waits for an accelerator does so every time.
    """

    def __init__(self) -> None:
        self.longest = 0
        self.middles: List[int] = []

    def begin(self) -> None:
        """Before a row of inferences."""
        self.idle: List[int] = []
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


def own_use() -> Dict[str, str]:
    """What this process has used since it began: processor time, context switches, and how long its threads stood
    ready to run while others had the processor (Linux, Documentation/scheduler/sched-stats: run_delay)."""
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
    """{pid: (name, processor time in ticks)} of all other processes; takes a few milliseconds, so it is never asked
    for between passes."""
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
    """The five others that used most processor time in between, in seconds. Only their names are told, as arguments
    may be private."""
    tick = float(os.sysconf("SC_CLK_TCK"))
    used = []
    for pid, (name, ticks) in after.items():
        taken = ticks - before.get(pid, (name, 0))[1]
        if taken > 0:
            used.append((taken / tick, pid, name))
    used.sort(reverse=True)
    return [{"pid": pid, "name": name[:64], "cpu_s": seconds} for seconds, pid, name in used[:5]]
