"""What the user calls a data set becomes one string, and that string opens it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import DataError, UsageError
from harness.data import sources
from tests.support.ckplus_writer import write_tree


def test_the_ordinary_way_is_the_path_alone() -> None:
    assert sources.spec("synthetic") == "synthetic"
    assert sources.spec("~/CK+") == "~/CK+"


def test_choices_travel_with_the_path(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "with#mark,in it")
    plain, _ = sources.load_with_findings(sources.spec(str(tree), crop="centre"))
    peak, findings = sources.load_with_findings(sources.spec(str(tree), "peak", "centre"))
    assert (plain.name, peak.name) == ("ckplus-tree-last3-centre", "ckplus-tree-peak-centre")
    assert len(plain.labels) == 3 * len(peak.labels)
    assert findings is not None
    assert findings.mode == "peak"


def test_unknown_choices_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="--frames 'first'") as caught:
        sources.spec("~/CK+", "first")
    assert "last3" in (caught.value.fix or "")
    with pytest.raises(UsageError, match="--frames and --crop are for a CK"):
        sources.spec("synthetic", "peak")


def test_nothing_there_is_said() -> None:
    with pytest.raises(DataError, match="no such file"):
        sources.load("/nowhere/at/all")


def test_a_summary_counts_classes_and_what_was_left_out(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "copy")
    image = next(path for path in sorted(tree.rglob("*.png")))
    image.write_bytes(image.read_bytes()[:40])
    lines = sources.summary(*sources.load_with_findings(str(tree)))
    assert "images" in lines[0]
    assert "surprise" in lines[0]
    assert "remarks: harness data check" in lines[1]
    assert sources.summary(sources.load("synthetic"), None)[0].startswith(
        "data synthetic: 981 images, 118 people: anger"
    )
