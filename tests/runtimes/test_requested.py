"""Runtimes as they are asked for: NAME or NAME==VERSION."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.devices import parse
from harness.core.errors import ConfigError
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.requested import RELEASE, Requested, all_requested, requested

releases = st.from_regex(re.compile(RELEASE), fullmatch=True).filter(lambda text: len(text) <= 40)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("litert", Requested("litert")),
        ("litert==2.1.0", Requested("litert", "2.1.0")),
        (" onnxruntime == 1.16.0 ", Requested("onnxruntime", "1.16.0")),
        ("litert==2.0.0a1", Requested("litert", "2.0.0a1")),
    ],
)
def test_both_forms(word: str, found: Requested) -> None:
    assert requested(word) == found


@given(st.sampled_from(sorted(RUNTIMES)), st.none() | releases)
def test_what_is_written_is_read_again(name: str, release: str | None) -> None:
    wanted = Requested(name, release)
    assert requested(str(wanted)) == wanted
    assert re.fullmatch(r"[A-Za-z0-9._-]+", wanted.part)


@given(st.text(max_size=60) | st.from_regex(r"litert==\S{0,60}", fullmatch=True))
def test_any_word_is_one_or_is_refused(word: str) -> None:
    try:
        wanted = requested(word)
    except ValueError as error:
        assert str(error).isprintable()
        return
    assert wanted.name in RUNTIMES
    assert requested(str(wanted)) == wanted


@pytest.mark.parametrize(
    "word",
    ["litert>=2.1", "litert=2.1.0", "litert==", "litert==2.1.*", "litert==../x", "litert==2.1.0+cpu", "litert==02.1",
     "litert==" + "1" * 60, "litert==v2", "litert 2.1", "litert==2.1.0 --index-url=x", ""],
)  # fmt: skip
def test_another_form_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        requested(word)


def test_two_releases_make_two_and_the_same_one_makes_one() -> None:
    words = ("litert==2.1.0", "litert", "litert == 2.1.0", "litert==2.3.0")
    assert list(map(str, all_requested(words))) == ["litert==2.1.0", "litert", "litert==2.3.0"]


@pytest.mark.parametrize(
    ("version", "same"),
    [("2.1.0", True), ("2.1.0-19140-c01cd93", True), ("2.1.0+cpu", True), ("2.1.01", False), ("2.1", False),
     (None, False)],
)  # fmt: skip
def test_the_release_that_ran(version: str | None, same: bool) -> None:
    assert Requested("litert", "2.1.0").ran(version) is same
    assert Requested("litert").ran(version)


LIST = "devices:\n- {{name: here, board: generic, local: true, runtimes: {0}}}\n"


def test_a_device_list_may_name_releases() -> None:
    (device,) = parse(LIST.format("[litert==2.1.0, onnxruntime]")).devices
    assert device.runtimes == ("litert==2.1.0", "onnxruntime")
    assert device.requested == (Requested("litert", "2.1.0"), Requested("onnxruntime"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[litert=2.1.0]", "d.yaml:2: 'runtimes: litert=2.1.0' for device 'here': asks for no single release"),
        ("['litert==latest']", "'latest' is no release"),
        ("[tflit==2.1]", "d.yaml:2: 'tflit' is no runtimes; did you mean 'tflite'?"),
    ],
)
def test_a_device_list_that_means_something_else(written: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(LIST.format(written), file="d.yaml")
    assert said in str(caught.value)


def test_one_asked_for_on_the_command_line_replaces_those_of_the_list() -> None:
    fleet = parse(LIST.format("[onnxruntime]"))
    assert fleet.with_runtimes(()) is fleet
    assert fleet.with_runtimes(("litert==2.1.0",)).devices[0].requested == (Requested("litert", "2.1.0"),)
