"""What a board may answer. Everything else is refused with a reason; nothing hostile gets through or blows up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.made.answers import good
from harness.core.errors import RunnerError
from harness.records.answer import RESULT_LIMIT, RunnerFailure, RunnerResult, parse_answer
from tests.support.answers import parse


def test_a_good_answer() -> None:
    answer = parse(good())
    assert isinstance(answer, RunnerResult)
    assert answer.latency_ns == (4, 5)


def test_a_failure_is_an_answer_too() -> None:
    keep = ("schema", "cell", "machine", "python", "cpuinfo", "clock")
    failure = {key: good()[key] for key in keep} | {"status": "error", "code": "runtime-missing", "text": "no"}
    assert isinstance(parse(failure), RunnerFailure)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latency_ns": [float("nan")]}, "latency_ns"),
        ({"latency_ns": [float("inf")]}, "latency_ns"),
        ({"latency_ns": [-1]}, "latency_ns"),
        ({"latency_ns": [0]}, "latency_ns"),
        ({"latency_ns": [10**15]}, "latency_ns"),
        ({"latency_ns": [1.5]}, "latency_ns"),
        ({"latency_ns": ["1e9x"]}, "latency_ns"),
        ({"latency_ns": []}, "latency_ns"),
        ({"latency_ns": [1] * 1_000_001}, "latency_ns"),
        ({"load_ns": -1}, "load_ns"),
        ({"predictions": [-1]}, "predictions"),
        ({"predictions": [10**9]}, "predictions"),
        ({"schema": 2}, "schema"),
        ({"cell": "../../etc/passwd"}, "another cell"),
        ({"surprise": 1}, "surprise"),
        ({"status": "fine"}, "status"),
        ({"evidence": good()["evidence"] | {"before": {"x": "y" * 6000}}}, "evidence"),
        ({"evidence": good()["evidence"] | {"during": [{}] * 300}}, "evidence"),
        ({"evidence": good()["evidence"] | {"busiest": [{"pid": 1, "name": "x", "cpu_s": -1.0}]}}, "evidence"),
        ({"warmup_ended": "never"}, "warmup_ended"),
        ({"inject_slowdown": float("inf")}, "inject_slowdown"),
    ],
)
def test_a_wrong_value_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RunnerError, match=said):
        parse(good() | change)


@pytest.mark.parametrize("missing", sorted(good()))
def test_a_missing_value_is_refused(missing: str) -> None:
    with pytest.raises(RunnerError):
        parse({key: value for key, value in good().items() if key != missing})


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000, b"NaN", b"1" * 5000, b"\x1b[2J"],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(RunnerError):
        parse_answer(data, "c")


def test_an_endless_answer_is_refused_by_size() -> None:
    with pytest.raises(RunnerError, match="MiB"):
        parse_answer(b" " * (RESULT_LIMIT + 1), "c")


def test_terminal_codes_do_not_reach_the_reason() -> None:
    with pytest.raises(RunnerError) as caught:
        parse(good() | {"cell": "\x1b[2J\x1b]0;owned\x07"})
    assert "\x1b" not in str(caught.value)
    with pytest.raises(RunnerError) as caught:
        parse(good() | {"\x1b[31m": 1})
    assert "\x1b" not in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(good())), _JSON, max_size=4))
def test_any_change_is_an_answer_or_a_reason(change: dict[str, Any]) -> None:
    try:
        parse(good() | change)
    except RunnerError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_reason(data: bytes) -> None:
    with pytest.raises(RunnerError):
        parse_answer(data, "c")
