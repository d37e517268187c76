"""Each reason for which a finished measurement does not count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.made.answers import good
from harness.config.devices import Device, parse
from harness.records.answer import RunnerResult
from harness.records.cell import RuntimeInfo
from harness.run.context import Context
from harness.run.inventory import Shipped
from harness.run.plan import CellJob
from harness.run.verdict.fallback import fallbacks
from harness.run.verdict.judge import judge, least_differing
from tests.support.manifests import ARTIFACT, MANIFEST, SPLIT

DEVICES = parse(
    "devices:\n- {name: pi, board: raspberry-pi-4, host: h}\n"
    "- {name: lax, board: generic, host: h, allow_fallback: true}\n"
    "- {name: em, board: raspberry-pi-4, emulate: true}\n"
).devices


def job_of(device: Device) -> CellJob:
    return CellJob(
        cell="c",
        device=device,
        shipped=Shipped(MANIFEST, ARTIFACT, Path("x")),
        runtime="litert",
        delegate="cpu",
        threads=1,
        samples=None,
    )


def verdict(
    device: int = 0, *, applied: str = "cpu", labels: tuple[int, ...] = (0, 1), **change: Any
) -> tuple[str, list[str]]:
    chosen = DEVICES[device]
    steady = {"wall_s": "100.0", "monotonic_ns": str(5 * 10**9)}
    later = {"wall_s": "110.0", "monotonic_ns": str(15 * 10**9)}
    evidence = good()["evidence"] | {
        "before": steady | change.pop("before", {}),
        "start": steady | change.pop("start", {}),
        "during": change.pop("during", []),
        "end": later | change.pop("end", {}),
        "after": later | change.pop("after", {}),
    }
    answer = RunnerResult.model_validate(good() | {"evidence": evidence} | change)
    job = job_of(chosen)
    runtime = RuntimeInfo(
        name="litert", delegate="cpu", delegate_applied=applied, delegate_verified=applied == "cpu", threads=1
    )
    status, reasons = judge(job, answer, runtime, Context("r", chosen, None), labels)
    return status, [reason.code for reason in reasons]


def test_nothing_wrong() -> None:
    assert verdict() == ("VALID", [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cpuinfo": ["CPU part\t: 0xd03"]}, "wrong-cpu"),
        ({"cpuinfo": []}, "wrong-cpu"),
        ({"predictions_stable": False}, "unstable-predictions"),
        ({"inject_slowdown": 0.03}, "slowdown-injected"),
        ({"after": {"vcgencmd get_throttled": "throttled=0x50005"}}, "throttled"),
        ({"before": {"vcgencmd get_throttled": "throttled=0x1"}}, "throttled"),
        (
            {"before": {"/p/scaling_governor": "performance"}, "after": {"/p/scaling_governor": "powersave"}},
            "governor-changed",
        ),
        (
            {
                "before": {"vcgencmd get_throttled": "throttled=0x0"},
                "after": {"vcgencmd get_throttled": "throttled=0x40000"},
            },
            "throttled",
        ),
        (
            {"during": [{"/p/scaling_governor": "powersave"}], "before": {"/p/scaling_governor": "ondemand"}},
            "governor-changed",
        ),
        (
            {
                "before": {"nvpmodel -q": "NV Power Mode: MAXN\n0"},
                "after": {"nvpmodel -q": "NV Power Mode: 5W\n1"},
            },
            "power-mode-changed",
        ),
        ({"during": [{"/p/scaling_cur_freq": "1500000"}, {"/p/scaling_cur_freq": "1200000"}]}, "frequency-dropped"),
        ({"latency_ns": [100 + i for i in range(100)]}, "unstable"),
        ({"latency_ns": [100, 200] * 100}, "unstable"),
        ({"start": {"self waited_ns": "0"}, "end": {"self waited_ns": "5000000000"}}, "background-load"),
        ({"state_root": "/tmp/x"}, "state-replaced"),
        ({"predictions": [5] * 10, "labels": tuple(range(10))}, "predictions-differ"),
        ({"after": {"wall_s": "1000000.0"}}, "clock-stepped"),
        ({"after": {"wall_s": "-5.0"}}, "clock-stepped"),
    ],
)
def test_invalid(change: dict[str, Any], code: str) -> None:
    assert verdict(**change) == ("INVALID", [code])


def test_throttling_that_is_over_does_not_count() -> None:
    """Bits 16-19 only say that it happened since boot."""
    assert verdict(after={"vcgencmd get_throttled": "throttled=0x50000"}) == ("VALID", [])


def test_below_their_limits_none_counts() -> None:
    assert verdict(
        during=[{"/p/scaling_cur_freq": "1500000"}, {"/p/scaling_cur_freq": "1400000"}],
        latency_ns=[100 + i // 20 for i in range(100)],
        start={"self waited_ns": "0"},
        end={"self waited_ns": "3000000000"},
    ) == ("VALID", [])


def test_a_frequency_that_only_rises_from_idle_did_not_drop() -> None:
    assert verdict(before={"/p/scaling_cur_freq": "600000"}, during=[{"/p/scaling_cur_freq": "1500000"}]) == (
        "VALID",
        [],
    )


@pytest.mark.parametrize(
    ("right", "images", "differing"), [(97, 98, 0), (94, 98, 3), (98, 98, 1), (20, 20, 0), (19, 20, 0), (17, 20, 2)]
)
def test_how_many_answers_must_differ_at_least(right: int, images: int, differing: int) -> None:
    """97 of the split's 98 images were right when the artifact was built; a subset may hold the wrong one or not."""
    manifest = MANIFEST.model_copy(update={"split": SPLIT.model_copy(update={"n_test": 98})})
    artifact = ARTIFACT.model_copy(update={"accuracy": 97 / 98})
    job = CellJob(
        cell="c",
        device=DEVICES[0],
        shipped=Shipped(manifest, artifact, Path("x")),
        runtime="litert",
        delegate="cpu",
        threads=1,
        samples=None,
    )
    labels = [0] * images
    assert least_differing(job, [0] * right + [1] * (images - right), labels) == differing


def test_instructions_know_no_load_and_no_drift() -> None:
    found = verdict(
        2,
        latency_ns=[100 + i for i in range(100)],
        start={"self waited_ns": "0"},
        end={"self waited_ns": "9000000000"},
    )
    assert found == ("VALID", [])


def test_odd_evidence_is_no_evidence() -> None:
    assert verdict(after={"vcgencmd get_throttled": "throttled=0xzz", "wall_s": "soon"})[0] == "VALID"


def test_an_emulated_boards_wall_clock_may_jump() -> None:
    assert verdict(2, after={"wall_s": "1000000.0"}) == ("VALID", [])


@pytest.mark.parametrize(("ran", "codes"), [("2.1.0", []), ("2.3.0", ["other-release"]), (None, ["other-release"])])
def test_another_release_than_the_one_asked_for_is_a_failure(ran: str | None, codes: list[str]) -> None:
    """Also where a fallback is allowed: the cell's name would lie."""
    job = replace(job_of(DEVICES[1]), release="2.1.0")
    answer = RunnerResult.model_validate(good() | {"runtime_version": ran})
    runtime = RuntimeInfo(name="litert", delegate="cpu", delegate_applied="cpu", delegate_verified=True, threads=1)
    status, reasons = judge(job, answer, runtime, Context("r", DEVICES[1], None), (0, 1))
    assert [reason.code for reason in reasons if reason.code == "other-release"] == codes
    assert (status == "FAILED") == bool(codes)


def test_a_fallback_is_a_failure_unless_allowed() -> None:
    assert verdict(applied="xnnpack") == ("FAILED", ["delegate-fallback"])
    assert verdict(1, applied="xnnpack", cpuinfo=[]) == ("INVALID", ["delegate-fallback"])


def told(asked: str | None, threads: int | None = 1, **precisions: int) -> dict[str, Any]:
    """What a runtime says of itself."""
    return {"applied": "cpu", "how": "h", "precision_asked": asked, "precisions": precisions, "threads": threads}


@pytest.mark.parametrize(
    "said",
    [
        told("float32", float32=3),
        told("float32"),  # no layer has weights
        told(None, bfloat16=3),  # nothing was asked for
        told("int8", int8=3),
        told("int8", int8=3, float32=1),  # no runtime has all layers in integers
        told("float16", threads=None, float16=3),
    ],
)
def test_what_runs_as_asked_is_no_fallback(said: dict[str, Any]) -> None:
    assert verdict(delegate=said) == ("VALID", [])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (told("float32", bfloat16=2), "asked for float32, the board computed in bfloat16 (2 layers) (h)"),
        (
            told("float32", bfloat16=2, float32=1),
            "asked for float32, the board computed in bfloat16 (2 layers) and float32 (1 layer) (h)",
        ),
        (told("int8", float32=2), "asked for int8, the board computed in float32 (2 layers) (h)"),
        (told("int8", int8=2, float16=1), "asked for int8, the board computed in float16 (1 layer) and int8"),
        (told("float16", float32=2), "asked for float16, the board computed in float32 (2 layers) (h)"),
        (told("float32", threads=2, float32=2), "asked for 1 thread, the board computed with 2 (h)"),
    ],
)
def test_another_precision_or_number_of_threads_is_a_fallback_that_names_both(said: dict[str, Any], text: str) -> None:
    assert verdict(delegate=said) == ("FAILED", ["delegate-fallback"])
    assert verdict(1, delegate=said, cpuinfo=[]) == ("INVALID", ["delegate-fallback"])
    answer = RunnerResult.model_validate(good() | {"delegate": said})
    runtime = RuntimeInfo(name="litert", delegate="cpu", delegate_applied="cpu", delegate_verified=True, threads=1)
    (found,) = fallbacks(job_of(DEVICES[0]), answer, runtime)
    assert found.startswith(text)
