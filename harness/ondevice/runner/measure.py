"""Measures one cell: loads the model, warms up, times the passes, and records the board's state."""

import gc
import sys
from typing import List

from .canary import FORM, canary
from .clock import now_ns
from .inputs import load_inputs, prepared
from .outputs import check_scores
from .prefixes import timed_prefixes
from .process import busiest, peak_rss_bytes, processes
from .readers import reader_of
from .regions import Markers, mark, mark_prefixes
from .runtimes.base import Model, model_class
from .shapes import Array, Json
from .state import Board
from .timing import passes, timed, warmed_up


def profile(model: Model, inputs: List[Array]) -> Json:
    """The time of each node, from an extra pass after the measurement. An error here never fails the cell."""
    try:
        return dict(model.profile(inputs))
    except Exception as error:
        return {"how": ("no profile: %s" % error)[:1000], "runs": 0, "nodes": []}


def marked(model: Model, value: Array, job: Json) -> None:
    """Let the emulator's plugin look at inferences. Never costs the cell: the controller sees what was not marked."""
    marks = job["marks"]
    try:
        markers = Markers()
        model.set(value)
        mark(markers, model.invoke, marks["regions"])
        if marks["prefixes"]:
            with open(job["model"], "rb") as handle:
                content = handle.read()
            mark_prefixes(
                markers,
                lambda prefix: model.loaded(prefix, value),
                content,
                prefixes=marks["prefixes"],
                regions=marks["prefix_regions"],
                call=marks["call"],
            )
    except Exception as error:
        sys.stderr.write("not marked: %s: %s\n" % (type(error).__name__, error))


def stop_collecting() -> None:
    """Keep Python's garbage collector from running within timed inferences."""
    gc.collect()
    gc.disable()


def measure(job: Json) -> Json:
    """The answer to a job: see :class:`harness.records.answer.RunnerResult`.

    Raises:
        RunnerError, ImportError, MemoryError: the cell can't be measured.
    """
    started = now_ns()
    import numpy as np

    numpy_ns = now_ns() - started
    sent = load_inputs(np, job)
    board, others = Board(job.get("state_root") or "", job.get("sources") or {}), processes()
    before = board.full_state()
    canaries = {"before": dict(canary(np), form=FORM)} if job.get("canary") else None
    model = model_class(job["runtime"])(np, job)
    inputs = prepared(model, sent, job)
    first_ns = timed(model, inputs[0])
    check_scores(np, model, job)
    delegate = model.applied()
    stop_collecting()
    warmup, warmup_ended, idle = warmed_up(model, inputs, job["warmup"])
    answer = passes(model, inputs, reader_of(np, model, job), plan=job["passes"], board=board)
    answer["evidence"]["start"].update(idle)
    peak = peak_rss_bytes()
    if canaries:
        canaries["after"] = dict(canary(np), form=FORM)
    answer["evidence"].update(before=before, after=board.full_state(), busiest=busiest(others, processes()))
    answer.update(
        status="ok",
        canary=canaries,
        first_inference_ns=first_ns,
        warmup_ns=warmup,
        warmup_ended=warmup_ended,
        delegate=delegate,
        numpy_version=np.__version__,
        import_ns={} if job.get("forked") else {"numpy": numpy_ns, "runtime": model.import_ns},
        peak_rss_bytes=peak,
        state_root=board.root,
    )
    answer.update(about(model, job), **taken_apart(model, inputs, job))
    return answer


def taken_apart(model: Model, inputs: List[Array], job: Json) -> Json:
    """Where the time goes, as far as the job asks; after everything that is measured."""
    found: Json = {}
    if job.get("profile"):
        found["profile"] = profile(model, inputs)
    if job.get("prefixes"):
        found["prefixes"] = timed_prefixes(model, inputs[0], job)
    if job.get("marks"):
        marked(model, inputs[0], job)
    return found


def about(model: Model, job: Json) -> Json:
    """The facts about the loaded model, and the values of the job that the answer repeats."""
    return {
        "load_ns": model.load_ns,
        "allocate_ns": model.allocate_ns,
        "runtime_version": model.version,
        "runtime_build": model.build.strip()[:2000] or None,
        "model_sha256": job["model_sha256"],
        "inputs_sha256": job["inputs_sha256"],
        "forked": bool(job.get("forked")),
        "inject_slowdown": job["passes"].get("inject_slowdown", 0.0),
    }
