"""What the user calls a data set becomes a record, and that record opens it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from harness.core.errors import DataError, UsageError
from harness.data import registry
from harness.data.spec import SYNTHETIC, DataSpec
from harness.run.plan import Options, plain_options
from tests.support.ckplus_writer import write_tree


def test_a_name_is_itself_and_everything_else_a_path() -> None:
    assert registry.choose("synthetic") == SYNTHETIC
    assert registry.choose("~/CK+") == DataSpec("ckplus", "~/CK+")
    assert registry.choose("ckplus:~/CK+") == DataSpec("ckplus", "~/CK+")
    assert registry.choose("synthetic:x") == DataSpec("ckplus", "synthetic:x")
    assert str(registry.choose("~/CK+", "peak", "centre")) == "~/CK+ --frames peak --crop centre"


def test_choices_travel_with_the_path(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "with#mark,in it")
    plain, _ = registry.load_with_findings(registry.choose(str(tree), crop="centre"))
    peak, findings = registry.load_with_findings(registry.choose(str(tree), "peak", "centre"))
    assert (plain.name, peak.name) == ("ckplus-tree-last3-centre", "ckplus-tree-peak-centre")
    assert len(plain.labels) == 3 * len(peak.labels)
    assert findings.mode == "peak"


def test_unknown_choices_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="--frames 'first'") as caught:
        registry.choose("~/CK+", "first")
    assert "last3" in (caught.value.fix or "")
    with pytest.raises(UsageError, match="--frames and --crop are for a CK"):
        registry.choose("synthetic", "peak")


def test_nothing_there_is_said() -> None:
    with pytest.raises(DataError, match="data '/nowhere/at/all': no such file") as caught:
        registry.load(registry.choose("/nowhere/at/all"))
    assert caught.value.fix == "'synthetic', or the path of a CK+ copy"
    with pytest.raises(DataError, match="data set 'gone' is unknown"):
        registry.load(DataSpec("gone"))


@pytest.mark.parametrize(
    ("stored", "spec"),
    [
        ("synthetic", SYNTHETIC),
        ("/data/ck+", DataSpec("ckplus", "/data/ck+")),
        ("/data/ck+#peak,centre", DataSpec("ckplus", "/data/ck+", "peak", "centre")),
        ("/data/a#b,c", DataSpec("ckplus", "/data/a#b,c")),
        ("/data/a#b,c#last3,opencv", DataSpec("ckplus", "/data/a#b,c", "last3", "opencv")),
    ],
)
def test_runs_of_older_versions_are_read(stored: str, spec: DataSpec) -> None:
    assert TypeAdapter(Options).validate_python({"data": stored}).data == spec


@pytest.mark.parametrize("spec", [SYNTHETIC, DataSpec("ckplus", "/x#peak,centre", "peak", "opencv")])
def test_what_a_run_stores_is_read_back(spec: DataSpec) -> None:
    stored = TypeAdapter(dict[str, object]).dump_json(plain_options(Options(data=spec)))
    assert TypeAdapter(Options).validate_json(stored).data == spec


def test_a_summary_counts_classes_and_what_was_left_out(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "copy")
    image = next(path for path in sorted(tree.rglob("*.png")))
    image.write_bytes(image.read_bytes()[:40])
    lines = registry.summary(*registry.load_with_findings(registry.choose(str(tree))))
    assert "images" in lines[0]
    assert "surprise" in lines[0]
    assert "remarks: harness data check" in lines[1]
    drawn = registry.summary(*registry.load_with_findings(SYNTHETIC))
    assert len(drawn) == 1
    assert drawn[0].startswith("data synthetic: 981 images, 118 people: anger")


def test_a_named_data_set_needs_its_path() -> None:
    with pytest.raises(UsageError, match="ckplus:: a path is missing"):
        registry.choose("ckplus:")
