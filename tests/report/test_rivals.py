"""Rivals as published and rivals pruned by us: told apart wherever they are ranked, drawn or counted."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks.made.cells import device, make_cell, make_manifest, make_run
from harness.records.cell import Cell, DeviceInfo
from harness.records.manifest import Manifest
from harness.report import render
from harness.report.figures import PLOTS
from harness.report.figures.canvas import styled
from harness.report.gather import ReportData, gather
from harness.report.paper.rivals import FASTER, SLOWER, UNSURE, against, standing
from harness.report.paper.roles import COMPRESSED, OURS, PUBLISHED, role
from harness.report.summary import summarise

PI = device("pi", "raspberry-pi-4", emulated=False)
#: (network, ms, accuracy): both published rivals are slower than ours, and one of them is faster once it is pruned.
NETWORKS = (
    ("resvgg19", 300.0, 0.99), ("vgg19", 290.0, 0.98), ("resvgg19-pruned", 2.0, 0.97), ("ghostnet", 5.0, 0.9),
    ("mobilenet-v3-small", 4.0, 0.92), ("mobilenet-v3-small-pruned", 1.0, 0.88), ("ghostnet-pruned", 2.6, 0.95),
)  # fmt: skip


def cells(*boards: DeviceInfo) -> list[Cell]:
    return [
        make_cell(name, variant, board, median_ms=ms * (1.5 if variant == "fp32" else 1), accuracy=accuracy)
        for board in boards or (PI,)
        for name, ms, accuracy in NETWORKS
        for variant in ("fp32", "int8")
    ]


def data(folder: Path, found: list[Cell] | None = None, manifests: dict[str, Manifest] | None = None) -> ReportData:
    return gather([make_run(folder, cells() if found is None else found)], manifests or {})


def test_what_a_network_is() -> None:
    assert [role(name) for name in ("resvgg19", "vgg19", "resvgg19-pruned")] == [OURS] * 3
    sizes = [role(f"resvgg19-pruned-{size}", make_manifest(f"resvgg19-pruned-{size}")) for size in ("small", "large")]
    assert sizes == [OURS] * 2
    assert role("mobilenet-v3-small") == PUBLISHED
    assert role("mobilenet-v2") == PUBLISHED
    assert role("mobilenet-v2-pruned") == COMPRESSED


def test_a_manifest_with_a_pruned_step_says_so_whatever_the_name() -> None:
    plain = make_manifest("thin-net")
    assert role("thin-net", plain) == COMPRESSED
    assert role("thin-net", plain.model_copy(update={"chain": plain.chain[:1]})) == PUBLISHED


def test_every_rival_is_compared_and_neither_of_our_own(tmp_path: Path) -> None:
    found = {each.rival.model: each for each in against(data(tmp_path))}
    assert list(found) == ["mobilenet-v3-small", "ghostnet", "mobilenet-v3-small-pruned", "ghostnet-pruned"]
    assert {name: each.verdict for name, each in found.items()} == {
        "mobilenet-v3-small": FASTER, "ghostnet": FASTER, "mobilenet-v3-small-pruned": SLOWER,
        "ghostnet-pruned": FASTER,
    }  # fmt: skip
    small = found["mobilenet-v3-small"]
    assert small.rival.label == "mobilenet-v3-small int8"
    assert small.low is not None
    assert small.high is not None
    assert small.low <= small.ratio <= small.high < 1
    assert standing(list(found.values())) == (
        "resvgg19-pruned is faster than 2 of 2 rivals as published and 1 of 2 rivals pruned by us"
    )


def test_equal_ones_cannot_be_told_apart(tmp_path: Path) -> None:
    pair = [make_cell(name, "int8", PI, median_ms=2.0, seed=i) for i, name in enumerate(("resvgg19-pruned", "mnasnet"))]
    assert [each.verdict for each in against(data(tmp_path, pair))] == [UNSURE]


def test_very_many_pairs_take_the_intervals_of_their_medians(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data(tmp_path)
    drawn = against(found)
    monkeypatch.setattr("harness.report.paper.rivals.MOST_DRAWN", 3)
    for quick, slow in zip(against(found), drawn, strict=True):
        assert (quick.rival, quick.ratio, quick.verdict) == (slow.rival, slow.ratio, slow.verdict)
        assert quick.low is not None
        assert quick.high is not None
        assert quick.low < quick.ratio < quick.high


def test_too_few_samples_call_nothing_faster(tmp_path: Path) -> None:
    """A split of nine images, measured once."""
    found = []
    for name, ms in (("resvgg19-pruned", 1.0), ("mnasnet", 5.0)):
        whole = make_cell(name, "int8", PI, median_ms=ms)
        split = whole.split.model_copy(update={"n": 9, "labels": whole.split.labels[:9], "subject_overlap": 0})
        cut = {
            "latency_ns": whole.latency_ns[:9],
            "predictions": whole.split.labels[:9],
            "accuracy": 1.0,
            "split": split,
        }
        found.append(whole.model_copy(update=cut))
    (only,) = against(data(tmp_path, found))
    assert (only.low, only.high, only.verdict) == (None, None, UNSURE)


def test_the_claim_is_about_published_networks_and_pruned_ones_stand_beside(tmp_path: Path) -> None:
    claim = summarise(data(tmp_path)).paper.claims[-1]
    assert claim.verdict == "found"
    assert "beats 2 of 2 rivals (mobilenet-v3-small, ghostnet)" in claim.measured
    assert "pruned" not in claim.measured.replace("resvgg19-pruned", "")
    assert "vgg19" not in claim.measured.replace("resvgg19-pruned", "")
    assert "beats 1 of 2 pruned rivals (ghostnet-pruned)" in claim.beside
    assert "slower than mobilenet-v3-small-pruned (2.0" in claim.beside


def test_pruned_rivals_alone_prove_nothing(tmp_path: Path) -> None:
    few = [c for c in cells() if c.model.name in ("resvgg19-pruned", "ghostnet-pruned")]
    claim = summarise(data(tmp_path, few)).paper.claims[-1]
    assert claim.verdict == "no data in these results"
    assert "no rivals measured here" in claim.measured


def test_pages_and_tables_say_what_is_ours(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", cells())
    out = tmp_path / "out"
    render([run], out, manifests={}, formats=["svg"])
    index, claims = (" ".join((out / name).read_text().split()) for name in ("index.html", "claims.html"))
    assert "resvgg19-pruned is faster than 2 of 2 rivals as published and 1 of 2 rivals pruned by us." in index
    assert 'mobilenet-v3-small-pruned int8 <span class="tag">pruned by us</span>' in index  # it is the fastest
    assert "Nobody published it" in index
    assert "Rivals after the same compression" in claims
    with (out / "tables" / "rivals.csv").open() as file:
        rows = {row["rival"]: row for row in csv.DictReader(file)}
    assert rows["mobilenet-v3-small-pruned int8"]["form"] == "rival pruned by us"
    assert float(rows["ghostnet int8"]["ratio"]) == pytest.approx(0.4, rel=0.05)
    with (out / "tables" / "winners.csv").open() as file:
        assert next(csv.DictReader(file))["compressed"] == "mobilenet-v3-small-pruned int8"
    with (out / "tables" / "cells.csv").open() as file:
        assert {row["role"] for row in csv.DictReader(file)} == {OURS, PUBLISHED, COMPRESSED}


def test_without_pruned_rivals_nothing_is_said_of_them(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", [c for c in cells() if c.model.name in ("resvgg19-pruned", "ghostnet")])
    render([run], tmp_path / "out", manifests={}, formats=["svg"])
    for name in ("index.html", "claims.html"):
        assert "pruned by us" not in (tmp_path / "out" / name).read_text().split("</style>")[1].replace(
            "A rival pruned by us went through", ""
        )


def lines(figure: Figure) -> dict[str, tuple[object, list[float]]]:
    return {
        str(line.get_label()): (line.get_linestyle(), [round(float(x), 1) for x in line.get_xdata()])  # type: ignore[union-attr]
        for line in figure.axes[0].lines
    }


def test_pruned_rivals_have_a_dashed_frontier_of_their_own(tmp_path: Path) -> None:
    with styled():
        (drawing,) = PLOTS["pareto"](data(tmp_path))
        found = lines(drawing.figure)
    (solid, ours), (dashed, rivals) = found["Pareto frontier"], found["rivals pruned by us"]
    assert (solid, dashed) == ("-", "--")
    assert ours[0] == pytest.approx(2.0, abs=0.1)  # resvgg19-pruned, though a pruned rival is faster
    assert rivals[:2] == [pytest.approx(1.0, abs=0.1), pytest.approx(2.6, abs=0.1)]
    assert rivals[-1] > 300  # a frontier of one point is seen too: it runs on to the edge
    assert "dashed frontier of the rivals pruned by us: a  mobilenet-v3-small-pruned int8" in drawing.alt


def test_ours_alone_has_no_dashed_line(tmp_path: Path) -> None:
    with styled():
        few = [c for c in cells() if not c.model.name.endswith("-pruned") or c.model.name == "resvgg19-pruned"]
        (drawing,) = PLOTS["pareto"](data(tmp_path, few))
    assert list(lines(drawing.figure)) == ["Pareto frontier"]


def test_only_pruned_rivals_still_make_a_figure(tmp_path: Path) -> None:
    with styled():
        elsewhere = make_cell("resvgg19-pruned")  # ours, so that others are rivals
        drawing, _ = PLOTS["pareto"](data(tmp_path, [make_cell("ghostnet-pruned", dev=PI), elsewhere]))
    assert list(lines(drawing.figure)) == ["rivals pruned by us"]


def test_the_compression_path_is_drawn_against_measured_latency(tmp_path: Path) -> None:
    emulated = device()
    found = [c for c in cells(PI, emulated) if not (c.device == emulated and c.model.name == "resvgg19")]
    found.append(make_cell("resvgg19", "fp32", emulated, status="INVALID"))
    manifests = {"resvgg19-pruned": make_manifest()}
    with styled():
        drawings = {drawing.name: drawing for drawing in PLOTS["chain"](data(tmp_path, found, manifests))}
    assert list(drawings) == ["chain-resvgg19-pruned", "chain-measured-real-pi", "chain-measured-emulated-pi4-emulated"]
    real, counted = drawings["chain-measured-real-pi"].alt, drawings["chain-measured-emulated-pi4-emulated"].alt
    assert "1  resvgg19 fp32 to pruned int8: 4" in real
    assert "ghostnet fp32 to pruned int8" in real
    assert "resvgg19" not in counted  # its other end isn't VALID there
    assert "million instructions" in counted
