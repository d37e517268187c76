"""The clock that everything is timed with, in nanoseconds."""

import time

if hasattr(time, "perf_counter_ns"):
    now_ns = time.perf_counter_ns
else:  # Python 3.6: CLOCK_MONOTONIC as a double; good to 15 ns up to 3 years of uptime

    def now_ns() -> int:
        return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)


def spin(length_ns: int) -> int:
    """Busy-wait, for testing that a slowdown is found; the result says so. Returns the nanoseconds it took."""
    started = now_ns()
    while now_ns() - started < length_ns:
        pass
    return now_ns() - started
