"""The tables of accuracy: either split, what each figure rests on, and how to make what is missing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.made.cells import make_cell, make_manifest, make_run
from harness.core import stats
from harness.records.manifest import CrossCheck, Manifest, Trial
from harness.report import render
from harness.report.accuracy import accuracy_table, accuracy_under, epochs, for_page
from harness.report.gather import ReportData, gather
from harness.report.paper.ablation import ablation_table
from harness.report.paper.claims import lost
from harness.report.seeds import over_seeds


def folds(*accuracies: float, seed: int = 0, of: int = 10, profile: str = "full", n: int = 98) -> CrossCheck:
    trials = tuple(Trial(seed=seed, fold=i, accuracy=a, n_test=n) for i, a in enumerate(accuracies))
    return CrossCheck(scheme="subject", folds=of, profile=profile, trials=trials)


def trained(name: str, *checks: CrossCheck, detail: str | None = None, accuracy: float | None = None) -> Manifest:
    """A made-up manifest with these cross-checks, and its first step and its artifacts changed."""
    base = make_manifest(name, cross=False)
    changes: dict[str, object] = {"cross_checks": checks}
    if detail is not None:
        changes["chain"] = (base.chain[0].model_copy(update={"detail": detail}),)
    if accuracy is not None:
        changes["artifacts"] = tuple(a.model_copy(update={"accuracy": accuracy}) for a in base.artifacts)
    return base.model_copy(update=changes)


def data(folder: Path, *manifests: Manifest) -> ReportData:
    return gather([make_run(folder, [make_cell("resvgg19")])], {m.name: m for m in manifests})


def rows(found: object) -> dict[str, dict[str, object]]:
    names = [name for name, _ in found.columns]  # type: ignore[attr-defined]
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.rows}  # type: ignore[attr-defined]


def test_each_split_has_its_figure_its_images_and_its_interval(tmp_path: Path) -> None:
    manifest = trained("resvgg19", folds(0.9, 0.8), accuracy=96 / 99)
    row = rows(accuracy_table(data(tmp_path, manifest)))["resvgg19"]
    interval = stats.wilson(96, 99)
    assert (row["random_low_percent"], row["random_high_percent"]) == (interval.low * 100, interval.high * 100)
    assert (row["random_images"], row["random_leak"]) == (99, 60)
    assert (row["subject_images"], row["subject_leak"]) == (196, 0)
    assert row["subject_percent"] == pytest.approx(100 * round(0.85 * 196) / 196)
    assert row["subject_source"] == "2 of 10 folds, seed 0, full, 80.0% to 90.0%"
    assert row["to_make"] is None


def test_the_page_has_both_splits_side_by_side(tmp_path: Path) -> None:
    table = for_page(accuracy_table(data(tmp_path, trained("ghostnet", folds(0.75)), trained("mnasnet"))))
    found = rows(table)
    assert [name for name, _ in table.columns][-5:-1] == ["random", "random_interval", "subject", "subject_interval"]
    assert found["ghostnet"]["subject"] == "75.5\N{NO-BREAK SPACE}%"
    assert "99 images, 60 of people also in training" in str(found["ghostnet"]["rests_on"])
    assert "Subject-disjoint: 98 images, 1 of 10 folds" in str(found["ghostnet"]["rests_on"])
    assert found["mnasnet"]["subject"] is None
    assert str(found["mnasnet"]["rests_on"]).endswith("harness build mnasnet --split subject")


def test_one_fold_of_ten_is_called_so(tmp_path: Path) -> None:
    row = rows(accuracy_table(data(tmp_path, trained("ghostnet", folds(0.75)))))["ghostnet"]
    assert row["subject_source"] == "1 of 10 folds, seed 0, full"
    assert row["subject_images"] == 98


def test_what_is_missing_is_a_dash_with_the_command_that_makes_it(tmp_path: Path) -> None:
    table = accuracy_table(data(tmp_path, trained("ghostnet")))
    assert rows(table)["ghostnet"]["subject_percent"] is None
    assert rows(table)["ghostnet"]["to_make"] == "harness build ghostnet --split subject"
    assert "| – |" in table.markdown()
    assert ",,,,,,,,,,harness build ghostnet --split subject" in table.csv()


def test_several_seeds_of_one_fold_count_its_images_once() -> None:
    check = folds(0.9).model_copy(update={"trials": (*folds(0.9).trials, *folds(0.7, seed=1).trials)})
    found = accuracy_under(trained("ghostnet", check), "subject")
    assert found is not None
    assert (found.images, found.right) == (98, 78)
    assert "seeds 0, 1" in found.source


def seeds(scheme: Literal["random", "subject"], profile: str = "full", **by_seed: tuple[float, ...]) -> CrossCheck:
    """``s0=(0.9, 0.8)``: seed 0, accuracy of its folds 0 and 1."""
    trials = tuple(
        Trial(seed=int(name[1:]), fold=fold, accuracy=accuracy, n_test=100)
        for name, accuracies in by_seed.items()
        for fold, accuracy in enumerate(accuracies)
    )
    return CrossCheck(scheme=scheme, folds=10, profile=profile, trials=trials)


def test_seeds_of_the_random_split_stand_beside_the_shipped_figure(tmp_path: Path) -> None:
    manifest = trained("ghostnet", seeds("random", s0=(0.97,), s1=(0.95,), s2=(0.99,)), accuracy=96 / 99)
    table = accuracy_table(data(tmp_path, manifest, trained("mnasnet")))
    row = rows(table)["ghostnet"]
    assert row["random_percent"] == pytest.approx(100 * 96 / 99)  # as shipped
    assert "as shipped" in str(row["random_source"])
    assert row["random_seeds"] == 3
    spread = [row[f"random_{name}_percent"] for name in ("mean", "lowest", "highest")]
    assert spread == [pytest.approx(97), pytest.approx(95), pytest.approx(99)]
    page = for_page(table)
    assert ("random_over_seeds", "Mean over seeds (range)") in page.columns
    assert not any(name == "subject_over_seeds" for name, _ in page.columns)
    assert (
        rows(page)["ghostnet"]["random_over_seeds"] == "97.0\N{NO-BREAK SPACE}% of 3 (95.0 to 99.0\N{NO-BREAK SPACE}%)"
    )
    assert rows(page)["mnasnet"]["random_over_seeds"] is None


def test_seeds_are_compared_on_the_folds_all_of_them_have() -> None:
    found = over_seeds(trained("ghostnet", seeds("subject", s0=(0.9, 0.1), s1=(0.8,))), "subject")
    assert found is not None
    assert (found.shares, found.folds) == ((0.9, 0.8), frozenset({0}))
    assert over_seeds(trained("ghostnet", seeds("subject", s0=(0.9,))), "subject") is None
    assert over_seeds(trained("ghostnet"), "random") is None


def test_full_seeds_count_before_quick_ones() -> None:
    quick = seeds("random", "quick", s0=(0.5,), s1=(0.5,), s2=(0.5,))
    found = over_seeds(trained("ghostnet", quick, seeds("random", s0=(0.9,), s1=(0.9,))), "random")
    assert found is not None
    assert found.mean == pytest.approx(0.9)


def test_what_compression_cost_is_the_mean_over_seeds_on_the_same_folds() -> None:
    full = trained("resvgg19", seeds("subject", s0=(0.92, 0.5)), accuracy=98 / 99)
    pruned = trained("resvgg19-pruned", seeds("subject", s0=(0.91,), s1=(0.89,), s2=(0.90,)), accuracy=97 / 99)
    said = lost(full, pruned)
    assert "random split, 98.0% against 99.0%, -1.0 points" in said
    assert "over 3 seeds against 92.0%, -2.0 points" in said
    assert lost(None, pruned) == ""


def test_a_full_training_counts_before_more_folds_of_a_quick_one() -> None:
    found = accuracy_under(trained("ghostnet", folds(0.5, 0.5, profile="quick"), folds(0.9)), "subject")
    assert found is not None
    assert found.source.startswith("1 of 10 folds")


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("resvgg19: 25 epochs, best 23", (25, 0)),
        ("distilled, 3 epochs, best 3", (0, 3)),
        ("1 epoch", (1, 0)),
        ("by hand", (None, None)),
    ],
)
def test_epochs_and_teachers_are_read_from_the_chain(detail: str, said: tuple[int | None, int | None]) -> None:
    assert epochs(trained("ghostnet", detail=detail)) == said


def test_plain_against_residual(tmp_path: Path) -> None:
    plain, residual = trained("vgg19", folds(0.6), accuracy=0.7), trained("resvgg19", folds(0.61), accuracy=0.99)
    table = ablation_table(data(tmp_path, plain, residual))
    assert [(row[0], row[1]) for row in table.rows] == [("vgg19", False), ("resvgg19", True)]
    assert "Random split: residual minus plain +29.3 points; intervals don't overlap." in table.note
    assert "intervals overlap" in table.note.split("Subject-disjoint")[1]


def test_plain_that_nobody_trained_has_its_command(tmp_path: Path) -> None:
    found = rows(ablation_table(data(tmp_path, trained("resvgg19"))))
    assert found["vgg19"]["to_make"] == "harness build vgg19 --split random; harness build vgg19 --split subject"
    assert ablation_table(data(tmp_path / "none")).rows == ()


def test_a_report_needs_only_the_run(tmp_path: Path) -> None:
    """The manifests kept with the run are enough, a network without any cell included."""
    run = make_run(tmp_path / "results", [make_cell("resvgg19")])
    (run / "manifests").mkdir()
    for manifest in (trained("vgg19", folds(0.6)), trained("resvgg19")):
        (run / "manifests" / f"{manifest.name}.json").write_text(manifest.model_dump_json())
    index = render([run], tmp_path / "out", formats=["svg"]).index
    assert index is not None
    page = index.read_text()
    assert "Plain against residual VGG19" in page
    assert "1 of 10 folds" in page
    assert "harness build resvgg19 --split subject" in page
    with (tmp_path / "out" / "tables" / "accuracy.csv").open() as file:
        assert [row["network"] for row in csv.DictReader(file)] == ["resvgg19", "vgg19"]
