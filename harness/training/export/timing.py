"""Latencies of two files side by side, for choices during a build. Reported latencies are measured by a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.training.arrays import Images

TURNS = 40
TURN_NS = 20_000_000


def ratio_by_turns(path: Path, reference: Path, images: Images) -> float:
    """Median latency of one TFLite file over another's, LiteRT, one thread.

    They alternate in turns of 20 ms or more, so that a temporary slowdown of this machine affects both.

    Args:
        images: uint8 (N, h, w[, 3]), used in order and repeatedly.
    """
    calls = [_inference(file, images) for file in (path, reference)]
    _turns(calls, 3)  # caches, branch predictors and the clock frequency settle first
    mine, other = (float(np.median(times)) for times in _turns(calls, TURNS))
    return mine / other


def _turns(calls: Sequence[Callable[[], int]], count: int) -> list[list[int]]:
    """Nanoseconds of each call's inferences."""
    durations: list[list[int]] = [[] for _ in calls]
    for _ in range(count):
        for call, times in zip(calls, durations, strict=True):
            until = time.perf_counter_ns() + TURN_NS
            while True:
                times.append(call())
                if time.perf_counter_ns() >= until:
                    break
    return durations


def _inference(path: Path, images: Images) -> Callable[[], int]:
    """A function that takes the next image and returns the nanoseconds of its inference."""
    from ai_edge_litert.interpreter import Interpreter

    from harness.training.export.runtimes import quantise, tensor_specs

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    rows, number = quantise(images, tensor_specs(path)[0]), 0

    def call() -> int:
        nonlocal number
        interpreter.set_tensor(index, rows[number % len(rows)][None])
        number += 1
        started = time.perf_counter_ns()
        interpreter.invoke()
        return time.perf_counter_ns() - started

    return call
