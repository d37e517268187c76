"""Measures one cell: loads the model, warms up, times the passes, and records the board's state."""

import gc
import resource
from types import ModuleType
from typing import List

from .clock import now_ns
from .files import RunnerError, sha256_of
from .outputs import check_scores
from .process import busiest, processes
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


def load_images(np: ModuleType, job: Json) -> Array:
    """The images, uint8 (n, 48, 48, 1), after a check of the hashes of model and images."""
    for key in ("model", "inputs"):
        digest = sha256_of(job[key])
        if digest != job[key + "_sha256"]:
            raise RunnerError("corrupt-file", "%s: SHA-256 is %s" % (job[key], digest))
    images = np.load(job["inputs"], allow_pickle=False)
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise RunnerError("bad-inputs", "inputs are %s %s" % (images.dtype, images.shape))
    return images


def measure(job: Json) -> Json:
    """The answer to a job: see :class:`harness.records.answer.RunnerResult`.

    Raises:
        RunnerError, ImportError, MemoryError: the cell can't be measured.
    """
    started = now_ns()
    import numpy as np

    numpy_ns = now_ns() - started
    images = load_images(np, job)
    board, others = Board(job.get("state_root") or "", job.get("sources") or {}), processes()
    before = board.full_state()
    model = model_class(job["runtime"])(np, job)
    inputs = [model.prepare(image) for image in images]
    first_ns = timed(model, inputs[0])
    check_scores(np, model, job.get("classes"))
    delegate = model.applied()
    gc.collect()
    gc.disable()
    warmup, warmup_ended, idle = warmed_up(model, inputs, job["warmup"])
    answer = passes(np, model, inputs, plan=job["passes"], board=board)
    answer["evidence"]["start"].update(idle)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer["evidence"].update(before=before, after=board.full_state(), busiest=busiest(others, processes()))
    answer.update(
        status="ok",
        first_inference_ns=first_ns,
        warmup_ns=warmup,
        warmup_ended=warmup_ended,
        delegate=delegate,
        numpy_version=np.__version__,
        import_ns={"numpy": numpy_ns, "runtime": model.import_ns},
        peak_rss_bytes=peak,
        state_root=board.root,
    )
    answer.update(about(model, job))
    if job.get("profile"):
        answer["profile"] = profile(model, inputs)
    return answer


def about(model: Model, job: Json) -> Json:
    """The facts about the loaded model, and the values of the job that the answer repeats."""
    return {
        "load_ns": model.load_ns,
        "allocate_ns": model.allocate_ns,
        "runtime_version": model.version,
        "runtime_build": model.build.strip()[:2000] or None,
        "model_sha256": job["model_sha256"],
        "inputs_sha256": job["inputs_sha256"],
        "inject_slowdown": job["passes"].get("inject_slowdown", 0.0),
    }
