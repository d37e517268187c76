"""The claims page: what was measured, on whom, with which interval, what would overturn it, and what is missing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.made.cells import make_cell, make_manifest, make_run, sha
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


def test_a_quick_look_is_no_claim_and_says_so_on_every_page(tmp_path: Path) -> None:
    known = manifests()
    known["mobilenet-v3-small"] = known["mobilenet-v3-small"].model_copy(update={"profile": "quick"})
    found = claims(tmp_path, known=known)
    assert {claim.verdict for claim in found} == {"no claim: trained for a quick look"}
    render([make_run(tmp_path / "results", cells())], tmp_path / "out", manifests=known, formats=("svg",))
    for page in ("index.html", "claims.html"):
        html = (tmp_path / "out" / page).read_text(encoding="utf-8")
        assert "A quick look.</strong> mobilenet-v3-small: trained with" in html
        assert "of what it needs. No number here is a claim." in html


def test_fewer_images_than_the_papers_find_nothing(tmp_path: Path) -> None:
    """Four of four are no 98.99 %."""

    def of_real_faces(n: int, right: int) -> str:
        cell = make_cell("resvgg19", "fp32")
        labels = cell.split.labels[:n]
        real = cell.split.model_copy(update={"synthetic": False, "n": n, "labels": labels})
        answers = tuple(label if place < right else (label + 1) % 7 for place, label in enumerate(labels))
        more = {"split": real, "predictions": answers, "latency_ns": cell.latency_ns[:n], "accuracy": right / n}
        folder = tmp_path / f"{n}-{right}"
        folder.mkdir()
        return named(claims(folder, [cell.model_copy(update=more)]), "of 99 images)").verdict

    assert of_real_faces(20, 20) == "undecided: fewer than the paper's 99 images"
    assert of_real_faces(20, 15) == "not found"
    assert of_real_faces(99, 98) == "found"


def test_rivals_without_any_measured_form_are_named(tmp_path: Path) -> None:
    known = {**manifests(), "squeezenet": make_manifest("squeezenet")}
    for claim in (claim for claim in claims(tmp_path, known=known) if claim.board):
        assert claim.forms == "not measured here: fp32.tflite of mobilenet-v3-small; any form of squeezenet"


def test_a_form_that_ran_with_more_threads_alone_was_not_compared(tmp_path: Path) -> None:
    more = [*cells(), *(make_cell("mobilenet-v3-small", "fp32", cell.device, threads=4) for cell in cells()[:2])]
    speed = [claim for claim in claims(tmp_path, more) if claim.board]
    assert {claim.forms for claim in speed} == {"not measured here: fp32.tflite of mobilenet-v3-small"}
