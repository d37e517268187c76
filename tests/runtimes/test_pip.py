"""What is asked of pip, and what is read in its answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ProvisionError
from harness.runtimes import pip
from harness.runtimes.pip import NoReleaseError, Target, download, other_file, platform_tags
from tests.support.wheels import made_wheel, only_index

TARGET = Target("3.11", platform_tags("aarch64", (2, 36)))


def test_every_level_is_named_from_the_boards_own_down_to_2_17() -> None:
    tags = platform_tags("aarch64", (2, 28))
    assert tags[0] == "manylinux_2_28_aarch64"
    assert tags[-3:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64")
    assert [tag for tag in tags if tag.startswith("manylinux_")] == [
        f"manylinux_2_{n}_aarch64" for n in range(28, 16, -1)
    ]


def test_an_old_x86_has_older_levels_and_musl_has_none() -> None:
    assert {"manylinux2010_x86_64", "manylinux1_x86_64"} < set(platform_tags("x86_64", (2, 31)))
    assert platform_tags("aarch64", None) == ()
    assert "musllinux" not in " ".join(TARGET.platforms)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_no_c_library_makes_many_tags(major: int, minor: int) -> None:
    assert len(platform_tags("armv7l", (major, minor))) < 200


def test_the_best_wheel_for_the_board_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, into = tmp_path / "index", tmp_path / "into"
    into.mkdir()
    only_index(index, monkeypatch)
    for tags in ("cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-manylinux_2_28_aarch64",
                 "cp311-cp311-manylinux_2_39_aarch64", "cp311-cp311-musllinux_1_2_aarch64",
                 "cp312-cp312-manylinux_2_28_aarch64", "cp311-cp311-manylinux_2_28_x86_64"):  # fmt: skip
        made_wheel(index, "thing", "1.0", tags=tags)
    assert download("thing==1.0", TARGET, into).name == "thing-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"


def test_the_releases_that_there_are_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index"
    only_index(index, monkeypatch)
    for version in ("1.2.0", "1.10.0"):
        made_wheel(index, "thing", version)
    made_wheel(index, "thing", "9.0", tags="cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(NoReleaseError) as caught:
        download("thing==3.0", TARGET, tmp_path)
    assert caught.value.versions == ("1.2.0", "1.10.0")


@given(st.text(max_size=3000))
def test_whatever_pip_says_is_bounded(said: str) -> None:
    error = pip._explained("thing==1", TARGET, said)
    assert isinstance(error, ProvisionError)
    assert len(str(error)) < 1000
    other_file(said)


def test_a_very_long_list_is_cut_and_holds_versions_alone() -> None:
    listed = ", ".join(f"1.{n}" for n in range(100_000)) + ", \x1b[31m, ../../x, 2.0"
    error = pip._explained("thing==1", TARGET, f"ERROR: Could not find a version (from versions: {listed})")
    assert isinstance(error, NoReleaseError)
    assert len(error.versions) <= 2000
    assert error.versions[-1] == "2.0"
    assert all(version[0].isdigit() for version in error.versions)


def test_an_index_that_can_t_be_reached_has_not_said_that_there_is_nothing() -> None:
    said = (
        "WARNING: Retrying (Retry(total=4...\nERROR: Could not find a version (from versions: none)\nERROR: No matching"
    )
    assert not isinstance(pip._explained("thing==1", TARGET, said), NoReleaseError)


def test_pips_words_for_another_file() -> None:
    said = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  thing:\n"
    assert other_file(said) == ""
    assert other_file(f"{said}        Expected sha256 {'a' * 64}\n             Got        {'b' * 64}\n") == "b" * 64
    assert other_file("ERROR: No matching distribution found") is None
