"""The clock of all measurements, in nanoseconds."""

import time

if hasattr(time, "perf_counter_ns"):
    now_ns = time.perf_counter_ns
else:  # Python 3.6: CLOCK_MONOTONIC as a double, precise to 15 ns for 3 years of uptime

    def now_ns() -> int:
        return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)


def spin(length_ns: int) -> int:
    """Busy-wait, so that tests can inject a slowdown, which the result records. Returns the nanoseconds it took."""
    started = now_ns()
    while now_ns() - started < length_ns:
        pass
    return now_ns() - started
