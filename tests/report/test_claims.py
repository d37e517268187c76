"""The claims page: what was measured, on whom, with which interval, what would overturn it, and what is missing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.made.cells import make_cell, make_run, sha
from harness.records.cell import Cell
from harness.records.manifest import Manifest
from harness.report import render
from harness.report.gather import gather
from harness.report.paper.claims import Claim
from harness.report.paper.findings import look
from harness.report.paper.kept import on_strangers
from tests.support.judged import cells, manifests


def claims(folder: Path, found: list[Cell] | None = None, known: dict[str, Manifest] | None = None) -> list[Claim]:
    data = gather([make_run(folder, cells() if found is None else found)], manifests() if known is None else known)
    return list(look(data).claims)


def named(found: list[Claim], words: str) -> Claim:
    return next(claim for claim in found if words in claim.claim)


def test_each_claim_says_what_would_overturn_it(tmp_path: Path) -> None:
    found = claims(tmp_path)
    assert all(claim.overturned_by for claim in found), [claim for claim in found if not claim.overturned_by]
    assert "harness build resvgg19-pruned --data PATH" in named(found, "kept after compression").overturned_by


def test_accuracy_is_that_on_strangers_first_and_the_papers_split_keeps_its_leak(tmp_path: Path) -> None:
    kept = named(claims(tmp_path), "kept after compression")
    assert kept.measured.startswith(
        "On 2,943 images of 354 strangers (seeds 101, 102, 103), resvgg19-pruned int8.tflite"
    )
    assert "95.1% (95 % interval by person 93.7% to 96.2%)" in kept.measured
    assert "against resvgg19 int8.tflite 96.3%" in kept.measured
    assert "-1.2 points, more than its interval" in kept.measured
    assert "Measured on the paper's split: resvgg19-pruned int8: 98 of 99" in kept.measured
    assert "60 test images of people also in training" in kept.conditions


def test_a_loss_within_the_interval_is_called_so() -> None:
    known = manifests()
    fp32 = known["resvgg19-pruned"].artifact("fp32", "tflite")
    assert fp32 is not None
    assert "-1.1 points, within its interval" in on_strangers(known["resvgg19-pruned"], fp32.sha256, known["resvgg19"])
    assert on_strangers(manifests(none=("resvgg19-pruned",))["resvgg19-pruned"], fp32.sha256) == ""


def test_forms_that_were_not_measured_on_a_board_are_named(tmp_path: Path) -> None:
    """The manifest lists fp32 and int8, of which the board ran int8 alone."""
    speed = [claim for claim in claims(tmp_path) if claim.board]
    assert len(speed) == 2
    for claim in speed:
        assert claim.forms == "not measured here: fp32.tflite of mobilenet-v3-small"
        assert "mobilenet-v3-small int8" in claim.overturned_by
        assert "A form that was not measured could be nearer" in claim.overturned_by


def test_where_all_forms_were_measured_nothing_is_left_open(tmp_path: Path) -> None:
    more = [*cells(), *(make_cell("mobilenet-v3-small", "fp32", cell.device, median_ms=1.5) for cell in cells()[:2])]
    speed = [claim for claim in claims(tmp_path, more) if claim.board]
    assert [claim.forms for claim in speed] == ["", ""]


def test_sizes_are_compared_form_by_form_too(tmp_path: Path) -> None:
    size = named(claims(tmp_path), "much smaller")
    assert "smallest form against smallest form" in size.measured


def test_the_page_shows_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", cells())
    render([run], tmp_path / "out", manifests=manifests(), formats=("svg",))
    html = (tmp_path / "out" / "claims.html").read_text(encoding="utf-8")
    assert html.count("<dt>What would overturn it</dt>") >= 5
    assert "<dt>Forms</dt>" in html


def test_of_two_files_in_int8_the_one_that_strangers_find_worse_is_spoken_of(tmp_path: Path) -> None:
    known = manifests()
    record = known["resvgg19-pruned"]
    (int8,) = [each for each in record.artifacts if each.variant == "int8"]
    assert int8.unseen is not None
    onnx = int8.model_copy(
        update={
            "format": "onnx",
            "sha256": sha("resvgg19-pruned", "int8", "onnx"),
            "unseen": int8.unseen.model_copy(update={"accuracy": 0.952, "high": 0.964}),
        }
    )
    known["resvgg19-pruned"] = record.model_copy(update={"artifacts": (*record.artifacts, onnx)})
    more = [
        *(make_cell("resvgg19-pruned", "int8", cell.device, fmt="onnx", accuracy=0.99) for cell in cells()[:2]),
        *cells(),
    ]
    assert "resvgg19-pruned int8.tflite 95.1%" in named(claims(tmp_path, more, known), "kept after").measured
