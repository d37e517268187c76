"""A correct answer of the runner, from which tests make wrong ones."""

from __future__ import annotations

from typing import Any


def good() -> dict[str, Any]:
    """The answer to cell ``c`` with two images, as JSON; a new object with each call."""
    return {
        "schema": 1,
        "cell": "c",
        "machine": "aarch64",
        "python": "3.11.2",
        "cpuinfo": ["CPU part\t: 0xd08"],
        "clock": {"implementation": "clock_gettime(CLOCK_MONOTONIC)", "resolution_ns": 1},
        "status": "ok",
        "load_ns": 1,
        "allocate_ns": None,
        "first_inference_ns": 2,
        "warmup_ns": [3],
        "warmup_ended": "steady",
        "latency_ns": [4, 5],
        "predictions": [0, 1],
        "predictions_stable": True,
        "outputs_sha256": "0" * 64,
        "model_sha256": "1" * 64,
        "inputs_sha256": "2" * 64,
        "delegate": {
            "applied": "xnnpack",
            "how": "node list",
            "nodes_total": 3,
            "nodes_delegated": 3,
            "nodes_left": [],
        },
        "runtime_version": "2.3.0",
        "runtime_build": "cp311-manylinux_2_27_aarch64",
        "numpy_version": "1.26.4",
        "import_ns": {"numpy": 1, "runtime": 2},
        "peak_rss_bytes": 1,
        "inject_slowdown": 0.0,
        "state_root": "",
        "evidence": {"before": {}, "start": {}, "during": [{}], "end": {}, "after": {}, "busiest": []},
    }
