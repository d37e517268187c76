"""How fast the machine itself is: two fixed small loops, timed before and after a round, never between inferences.

One multiplies two rows of 4096 numbers, 32 KB that stay in caches next to the core, again and again, so it feels the
clock, a governor, heat, and a neighbour on the same core. The other copies 2 MB from one array to another, more than a
small board's caches hold, so there it feels whatever else goes through memory; a desktop's last cache holds both
arrays. Neither needs cpufreq or any counter, so both work in
virtual machines.

One sample takes a tenth of a millisecond on a desktop's core and about one on a Raspberry Pi's. The two loops take
turns, and the fastest of 32 samples is kept: most of the others held an interruption or the end of a neighbour's turn.
So it shows what lasts for the whole look, such as a lower clock or a neighbour that never rests, and no more. The first
sample of each loop is thrown away, since it touches new memory.
"""

from types import ModuleType
from typing import Callable, Dict, List

from .clock import now_ns

SAMPLES = 32
#: of the way to look: the times of different forms are not comparable
FORM = 2
#: numbers in each row of the loop that computes (16 KB), and how often one sample goes over them
NUMBERS, TURNS = 4096, 100
#: bytes that the loop through memory copies
BYTES = 2 << 20


def loops(np: ModuleType) -> Dict[str, Callable[[], None]]:
    """The two loops by name. numpy calls the same way in all its versions, so each does the same work everywhere."""
    numbers, factor = np.ones(NUMBERS, np.float32), np.ones(NUMBERS, np.float32)
    source, target = np.ones(BYTES, np.uint8), np.zeros(BYTES, np.uint8)

    def compute() -> None:
        for _ in range(TURNS):
            np.multiply(numbers, factor, numbers)

    def memory() -> None:
        np.copyto(target, source)

    return {"compute": compute, "memory": memory}


def canary(np: ModuleType) -> Dict[str, int]:
    """{"compute": ns, "memory": ns}: the shortest time of one sample of each loop."""
    made = loops(np)
    times: Dict[str, List[int]] = {name: [] for name in made}
    for _ in range(SAMPLES + 1):
        for name, loop in made.items():
            started = now_ns()
            loop()
            times[name].append(now_ns() - started)
    return {name: min(taken[1:]) for name, taken in times.items()}
