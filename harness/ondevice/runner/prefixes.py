"""Times files that end before the first operator of a network, after it, after the second, and so on to the last.

The difference of two neighbours is an operator's time. It may be a thousandth of what it is the difference of, so
neighbours are timed close to each other, all of them in several rounds. Every other round goes from the last to the
first, so that a drift adds to a difference as often as it subtracts from it. In each round a file is loaded anew: where
its memory lies changes its time, and only what is repeated shows in an interval. One file is loaded at a time.
"""

import gc
from typing import Any, Callable, List

from .clock import now_ns
from .regions import prefix_of
from .runtimes.base import Model
from .shapes import Array, Json

#: How long a file that was just loaded is run before it is timed, in nanoseconds and in inferences.
WARM_NS, WARM_LEAST, WARM_MOST = 3000000, 2, 20
#: Samples of one file in one round: as many as fit into this time, and at least so many.
ROUND_NS, SAMPLES_LEAST = 15000000, 3

Invoke = Callable[[], Any]


def timed_prefixes(model: Model, value: Array, job: Json) -> Json:
    """The times, as :class:`harness.records.answer.PrefixTimes`. An error here never fails the cell."""
    plan = job["prefixes"]
    try:
        with open(job["model"], "rb") as handle:
            content = handle.read()

        def load(place: int) -> Invoke:
            """The prefixes, and then the whole file."""
            if place == len(plan["prefixes"]):
                return model.loaded(content, value, job["threads"])
            patches, tail = plan["prefixes"][place]
            return model.loaded(prefix_of(content, patches, tail), value, job["threads"])

        return interleaved(load, len(plan["prefixes"]) + 1, plan)
    except Exception as error:
        return {"why": ("%s: %s" % (type(error).__name__, error))[:1000], "rounds": 0, "samples": []}


def interleaved(load: Callable[[int], Invoke], count: int, plan: Json) -> Json:
    """Time what ``load`` gives for 0 to ``count - 1``, in rounds, until all are done or their time is over."""
    samples: List[List[int]] = [[] for _ in range(count)]
    sizes = [0] * count
    started, done, longest = now_ns(), 0, 0
    while done < plan["rounds"]:
        begun = now_ns()
        if done >= plan["least_rounds"] and begun + longest - started > plan["max_ns"]:
            break
        for place in range(count) if done % 2 == 0 else range(count - 1, -1, -1):
            invoke = load(place)
            fastest = warmed(invoke)
            if not sizes[place]:
                sizes[place] = min(max(ROUND_NS // max(fastest, 1), SAMPLES_LEAST), plan["samples"])
            for _ in range(sizes[place]):
                samples[place].append(once(invoke))
            del invoke
            gc.collect(0)
        done += 1
        longest = max(longest, now_ns() - begun)
    return {"rounds": done, "samples": samples}


def warmed(invoke: Invoke) -> int:
    """Run it until it is warm. Returns the fastest run, in nanoseconds."""
    runs, total, fastest = 0, 0, 0
    while runs < WARM_LEAST or (runs < WARM_MOST and total < WARM_NS):
        taken = once(invoke)
        fastest = min(fastest, taken) if runs else taken
        runs, total = runs + 1, total + taken
    return fastest


def once(invoke: Invoke) -> int:
    started = now_ns()
    invoke()
    return now_ns() - started
