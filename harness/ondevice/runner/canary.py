"""How fast the machine itself is: two fixed small loops, timed before and after a round, never between inferences.

One multiplies 4096 numbers that stay in the first-level cache, again and again, so it feels the clock, a governor,
heat, and a neighbour on the same core. The other copies 2 MB from one array to another, more than a small board's
caches hold, so it feels whatever else goes through memory. Neither needs cpufreq or any counter, so both work in
virtual machines.

One sample takes a third of a millisecond on a desktop's core and a few on a Raspberry Pi's. The two loops take turns,
and the middle of 16 samples is kept. That is steady: longer samples hold more interruptions, fewer samples miss a
neighbour that comes and goes. The first sample of each loop is thrown away, since it touches new memory.
"""

from types import ModuleType
from typing import Callable, Dict, List

from .clock import now_ns

SAMPLES = 16
#: numbers in the loop that computes (16 KB), and how often one sample goes over them
NUMBERS, TURNS = 4096, 500
#: bytes that the loop through memory copies, and how often in one sample
BYTES, COPIES = 2 << 20, 4


def loops(np: ModuleType) -> Dict[str, Callable[[], None]]:
    """The two loops by name. numpy calls the same way in all its versions, so each does the same work everywhere."""
    numbers, factor = np.ones(NUMBERS, np.float32), np.ones(NUMBERS, np.float32)
    source, target = np.ones(BYTES, np.uint8), np.zeros(BYTES, np.uint8)

    def compute() -> None:
        for _ in range(TURNS):
            np.multiply(numbers, factor, numbers)

    def memory() -> None:
        for _ in range(COPIES):
            np.copyto(target, source)

    return {"compute": compute, "memory": memory}


def canary(np: ModuleType) -> Dict[str, int]:
    """{"compute": ns, "memory": ns}: the usual time of one sample of each loop."""
    made = loops(np)
    times: Dict[str, List[int]] = {name: [] for name in made}
    for _ in range(SAMPLES + 1):
        for name, loop in made.items():
            started = now_ns()
            loop()
            times[name].append(now_ns() - started)
    return {name: sorted(taken[1:])[SAMPLES // 2] for name, taken in times.items()}
