"""Comparing runs: what is found, what is refused, when the gate trips."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.made.cells import LABELS, device, in_rounds, make_cell, make_run, matrix
from harness.core.clock import clock_of
from harness.core.errors import UsageError
from harness.records.cell import Cell, DeviceInfo
from harness.report import compare_page
from harness.report.gather import gather
from harness.results import store
from harness.results.compare import Comparison, compare, parse_gate, to_json
from harness.results.comparison_formats import text

HERE = device("here", "generic", emulated=False)


def slower(cell: Cell, factor: float) -> Cell:
    return cell.model_copy(update={"latency_ns": tuple(round(x * factor) for x in cell.latency_ns)})


def pair(tmp_path: Path, a: list[Cell], b: list[Cell], **options: Any) -> Comparison:
    return compare(make_run(tmp_path, a, name="a"), make_run(tmp_path, b, name="b"), **options)


def test_a_run_is_the_same_as_itself(tmp_path: Path) -> None:
    cells = matrix(3, 3)
    found = pair(tmp_path, cells, cells, gate=0.0)
    assert found.counts() == {"faster": 0, "slower": 0, "same": 18, "can't tell": 0, "refused": 0}
    assert not found.tripped
    assert (found.lost, found.new, found.synthetic) == ((), (), True)


def test_a_slowdown_above_the_gate_trips_it(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), in_rounds(make_cell("ghostnet", dev=HERE), apart=0.002)]
    found = pair(tmp_path, cells, [slower(c, 1.06) for c in cells], gate=0.05)
    assert [p.verdict for p in found.pairs] == ["slower", "slower"]
    assert all("slower by 6.0%" in p.gates[0] for p in found.pairs)
    assert [p.unit for p in found.pairs] == ["ms", "million instructions"]
    assert found.tripped


def test_a_significant_slowdown_below_the_gate_does_not(tmp_path: Path) -> None:
    cells = [make_cell()]
    found = pair(tmp_path, cells, [slower(cells[0], 1.03)], gate=0.05)
    assert found.pairs[0].verdict == "slower"
    assert not found.tripped


def test_a_slowdown_lost_in_noise_does_not(tmp_path: Path) -> None:
    a = in_rounds(make_cell(dev=HERE, noise=0.6, seed=1), apart=0.05, seed=1)
    b = slower(in_rounds(make_cell(dev=HERE, noise=0.6, seed=1), apart=0.05, seed=2), 1.02)
    found = pair(tmp_path, [a], [b], gate=0.01)
    assert found.pairs[0].verdict == "can't tell"
    assert found.pairs[0].doubt.startswith("the rounds disagree too much to tell 2%; about ")
    assert not found.tripped


def test_one_round_on_the_wall_clock_tells_neither_a_change_nor_none(tmp_path: Path) -> None:
    cell = make_cell(dev=HERE)
    near, far = (
        pair(tmp_path / name, [cell], [slower(cell, factor)], gate=0.05) for name, factor in (("x", 1.01), ("y", 2.0))
    )
    assert near.pairs[0].verdict == "can't tell"
    assert far.pairs[0].verdict == "can't tell"
    assert not far.tripped
    assert to_json(far)["pairs"][0]["doubt"] == "one round can't tell; measure with --rounds 5"
    assert text.lines(far)[-1] == "gate of 5.0%: not tripped, 0 cells watched, 1 of which nobody can tell"


def test_a_slower_machine_is_not_taken_for_a_slower_build(tmp_path: Path) -> None:
    cell = make_cell(dev=HERE)
    a, b = (in_rounds(cell, apart=0.01, seed=seed, canary=[took] * 5) for seed, took in ((1, 1.0), (2, 1.4)))
    found = pair(tmp_path, [a], [slower(b, 1.4)], gate=0.05)
    assert found.pairs[0].verdict == "can't tell"
    assert found.pairs[0].doubt == "the machine itself was 40% slower, by its canary"
    assert not found.tripped


def test_a_gate_of_nothing_is_not_the_default_limit(tmp_path: Path) -> None:
    cell = in_rounds(make_cell(dev=HERE), apart=0.002)
    limits = [pair(tmp_path / str(gate), [cell], [cell], gate=gate).pairs[0].limit for gate in (None, 0.0)]
    assert limits == [0.05, 0.02]  # 2 % is the least that counts on that clock


def test_boots_that_differ_by_a_hair_are_the_same(tmp_path: Path) -> None:
    cell = make_cell()
    found = pair(tmp_path, [cell], [slower(cell, 1.00003)], gate=0.0)
    assert found.pairs[0].verdict == "same"


@pytest.mark.parametrize(("clock", "median", "share"), [
    ("instructions", 5_400_000, 0.001), ("instructions", 2_000_000, 0.002), ("wall", 200_000, 0.02),
])  # fmt: skip
def test_one_more_interrupt_is_no_change(clock: Any, median: float, share: float) -> None:
    assert clock_of(clock == "instructions", clock).resolution(median) == pytest.approx(share)


def test_the_median_may_move_from_one_side_of_an_interrupt_to_the_other(tmp_path: Path) -> None:
    """As measured: 1,945,232 instructions an inference, and 3,250 more in those that the timer interrupts."""
    quiet, struck = 1_945_232, 1_948_482
    a, b = (make_cell(latency_ns=(quiet,) * n + (struck,) * (99 - n)) for n in (52, 47))
    assert pair(tmp_path / "a", [a], [b], gate=0.0).pairs[0].verdict == "same"
    assert pair(tmp_path / "b", [a], [slower(b, 1.003)], gate=0.0).tripped


@pytest.mark.parametrize("dev", [HERE, device(), device(clock="wall"), device(emulated=False, clock="instructions")])
def test_a_comparison_names_a_clock_as_the_report_does(tmp_path: Path, dev: DeviceInfo) -> None:
    run = make_run(tmp_path, [make_cell(dev=dev)])
    [clock] = gather([run]).clocks
    found = compare(run, run)
    assert found.pairs[0].unit == clock.unit
    assert to_json(found)["pairs"][0]["unit"] == clock.unit
    assert f"median_a_{clock.column}" in [name for name, _ in compare_page.table(found).columns]


def test_three_percent_more_instructions_are_always_found(tmp_path: Path) -> None:
    cells = [make_cell(seed=i, model=f"net-{i}") for i in range(20)]
    found = pair(tmp_path, cells, [slower(c, 1.03) for c in cells], gate=0.02)
    assert all(p.gates for p in found.pairs)


def test_runs_of_one_build_on_a_noisy_wall_clock_rarely_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tripped = 0
    for i in range(40):
        sides = []
        for _ in range(2):
            noise = np.abs(rng.normal(0, 0.03, 297)) + 0.01 * rng.random()  # each run has an offset of its own
            sides.append(make_cell(dev=HERE, latency_ns=tuple(int(x) for x in 1e7 * (1 + noise))))
        folder = tmp_path / str(i)
        tripped += pair(folder, [sides[0]], [sides[1]], gate=0.05).tripped
    assert tripped <= 2


def wrong(cell: Cell, count: int) -> Cell:
    answers = tuple((label + 1) % 7 if i < count else label for i, label in enumerate(LABELS))
    return cell.model_copy(update={"predictions": answers, "accuracy": 1 - count / 99})


def test_a_loss_of_accuracy_is_mcnemars_to_judge(tmp_path: Path) -> None:
    cell = make_cell()
    few = pair(tmp_path / "few", [wrong(cell, 0)], [wrong(cell, 5)], gate=0.5)
    assert not few.tripped
    many = pair(tmp_path / "many", [wrong(cell, 0)], [wrong(cell, 6)], gate=0.5)
    assert "accuracy fell from 100.0% to 93.9%" in many.pairs[0].gates[0]
    better = pair(tmp_path / "better", [wrong(cell, 9)], [wrong(cell, 0)], gate=0.5)
    assert not better.tripped
    assert better.pairs[0].accuracy is not None
    assert better.pairs[0].accuracy.significant


def test_images_of_one_person_are_one_draw(tmp_path: Path) -> None:
    def of_persons(cell: Cell, of_each: int) -> Cell:
        persons = tuple(i // of_each for i in range(len(LABELS)))
        return cell.model_copy(update={"split": cell.split.model_copy(update={"persons": persons})})

    cell, worse = wrong(make_cell(), 0), wrong(make_cell(), 9)
    alone = pair(tmp_path / "alone", [of_persons(cell, 1)], [of_persons(worse, 1)], gate=0.5)
    assert alone.pairs[0].accuracy is not None
    assert alone.pairs[0].accuracy.p_value == pytest.approx(2 / 2**9)  # nine people, as McNemar's test has it
    assert alone.tripped
    alike = pair(tmp_path / "alike", [of_persons(cell, 9)], [of_persons(worse, 9)], gate=0.5)
    assert alike.pairs[0].accuracy is not None
    assert alike.pairs[0].accuracy.p_value == 1.0  # all nine images are of one person
    assert not alike.tripped


def test_many_cells_need_stronger_evidence(tmp_path: Path) -> None:
    cells = [make_cell(model=f"net-{i}") for i in range(20)]
    found = pair(
        tmp_path, [wrong(c, 0) for c in cells], [wrong(cells[0], 6), *(wrong(c, 0) for c in cells[1:])], gate=0.5
    )
    assert not found.tripped  # p is 0.03 for one cell, and twenty were looked at


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": device(board="raspberry-pi-5")}, "other board: raspberry-pi-4 and raspberry-pi-5"),
        ({"device": device(clock="wall")}, "other clock: instructions and wall"),
        ({"device": device(cpu_part="0xd0b")}, "other CPU part"),
        ({"device": device(memory_bytes=4 << 30)}, "other memory: 1 GiB and 4 GiB"),
        ({"device": device(kernel="6.6")}, "other kernel"),
        ({"split": make_cell().split.model_copy(update={"sha256": "f" * 64})}, "other test split"),
        ({"runtime": make_cell().runtime.model_copy(update={"version": "9"})}, "other runtime version: 2.3.0 and 9"),
        ({"runtime": make_cell().runtime.model_copy(update={"delegate_applied": "cpu"})}, "other applied delegate"),
    ],
)
def test_the_unlike_is_refused_with_the_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    found = pair(tmp_path, [make_cell()], [slower(make_cell(), 2).model_copy(update=changes)], gate=0.01)
    assert found.pairs[0].verdict == "refused"
    assert any(reason in text for text in found.pairs[0].refused)
    assert found.tripped
    assert f"can't be compared: {'; '.join(found.pairs[0].refused)}" in found.reasons[0]
    assert not compare(tmp_path / "a", tmp_path / "b").tripped


def test_cells_of_another_runtime_or_split_are_met_and_refused(tmp_path: Path) -> None:
    a = make_cell()
    runtime = a.runtime.model_copy(update={"name": "onnxruntime"})
    b = a.model_copy(update={"runtime": runtime, "cell": a.cell.replace("litert", "onnxruntime")})
    found = pair(tmp_path, [a], [b])
    assert "other runtime: litert and onnxruntime" in found.pairs[0].refused
    assert (found.lost, found.new) == ((), ())


def test_what_is_being_compared_may_differ(tmp_path: Path) -> None:
    a = make_cell()
    b = a.model_copy(update={"runtime": a.runtime.model_copy(update={"version": "9"})})
    assert pair(tmp_path, [a], [b], allow=["runtime"]).pairs[0].verdict == "same"
    with pytest.raises(UsageError, match="can't allow 'clock'"):
        compare(tmp_path / "a", tmp_path / "b", allow=["clock"])


def test_lost_and_new_cells_are_named(tmp_path: Path) -> None:
    kept, gone, broke, new = (make_cell(name) for name in ("ghostnet", "mnasnet", "squeezenet", "resvgg19"))
    failed = make_cell("squeezenet", status="FAILED")
    found = pair(tmp_path, [kept, gone, broke], [kept, failed, new])
    assert found.lost == (gone.cell, broke.cell)
    assert found.new == (new.cell,)
    assert "the second is FAILED: throttled" in next(p for p in found.pairs if p.model == "squeezenet").refused


def broken(cell: Cell, status: str) -> Cell:
    """The same cell without a valid measurement."""
    made = make_cell(cell.model.name, cell.model.variant, cell.device, status=status)
    assert made.cell == cell.cell
    return made


@pytest.mark.parametrize("status", ["FAILED", "INVALID"])
def test_a_run_in_which_everything_broke_trips_the_gate(tmp_path: Path, status: str) -> None:
    cells = matrix(2, 2)
    found = pair(tmp_path, cells, [broken(cell, status) for cell in cells], gate=0.03)
    assert found.tripped
    assert len(found.reasons) == len(found.lost) == len(cells)
    assert all(f"{status}, was VALID: throttled: made up" in reason for reason in found.reasons)
    assert not compare(tmp_path / "a", tmp_path / "b").tripped


def test_one_cell_that_broke_among_good_ones_trips_it(tmp_path: Path) -> None:
    cells = matrix(2, 2)
    found = pair(tmp_path, cells, [*cells[:-1], broken(cells[-1], "FAILED")], gate=1.0)
    assert [reason.split(":")[0] for reason in found.reasons] == [cells[-1].cell]


def damage(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "cut short": path.read_bytes()[:100], "foreign": b'{"schema": 1}'}[how])


@pytest.mark.parametrize("how", ["gone", "empty", "cut short", "foreign", "a folder"])
def test_a_file_that_is_gone_or_damaged_trips_it(tmp_path: Path, how: str) -> None:
    cells = [make_cell("ghostnet"), make_cell("mnasnet")]
    a, b = (make_run(tmp_path, cells, name=name) for name in "ab")
    damage(store.cell_paths(b)[0], how)
    found = compare(a, b, 0.03)
    assert found.lost == (cells[0].cell,)
    assert len(found.reasons) == 1
    assert ("has no result in b" if how == "gone" else "its file in b can't be read: ") in found.reasons[0]
    assert len(found.unreadable) == (how != "gone")
    assert not compare(a, b).tripped


def test_a_damaged_baseline_is_no_baseline(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), make_cell("mnasnet")]
    a, b = (make_run(tmp_path, cells, name=name) for name in "ab")
    damage(store.cell_paths(a)[0], "cut short")
    assert "its file in a, the baseline, can't be read" in compare(a, b, 0.03).reasons[0]


@pytest.mark.parametrize("status", ["FAILED", "INVALID", None])
def test_a_baseline_without_a_valid_cell_trips_it(tmp_path: Path, status: str | None) -> None:
    cell = make_cell()
    found = pair(tmp_path, [broken(cell, status)] if status else [], [cell], gate=0.03)
    assert found.reasons == ("a, the baseline, has no VALID cell: there is nothing to compare with",)


def test_nothing_valid_on_either_side_trips_it(tmp_path: Path) -> None:
    bad = broken(make_cell(), "FAILED")
    assert pair(tmp_path, [bad], [bad], gate=0.03).tripped


def test_an_empty_run_and_another_board_trip_it(tmp_path: Path) -> None:
    cell = make_cell()
    assert pair(tmp_path / "empty", [cell], [], gate=0.03).tripped
    other = make_cell(dev=device("pi4-new"))
    found = pair(tmp_path / "other", [cell], [other], gate=0.03)
    assert found.reasons == (f"{cell.cell}: has no result in b",)
    assert found.new == (other.cell,)


def test_what_was_spoilt_before_has_nothing_to_lose(tmp_path: Path) -> None:
    good, bad = make_cell("ghostnet"), broken(make_cell("mnasnet"), "INVALID")
    found = pair(tmp_path, [good, bad], [slower(good, 1.0001), slower(bad, 1.0001)], gate=0.03)
    assert not found.tripped
    assert found.notes == ("1 of 2 cells of a are not VALID: no gate watches over those",)


def test_an_allowed_difference_does_not_trip_it_but_a_slowdown_does(tmp_path: Path) -> None:
    a = make_cell()
    b = make_cell(dev=device(kernel="6.6", libc="glibc 2.40"))
    assert pair(tmp_path / "1", [a], [b], gate=0.03).tripped
    assert not pair(tmp_path / "2", [a], [b], gate=0.03, allow=["os"]).tripped
    assert pair(tmp_path / "3", [a], [slower(b, 1.1)], gate=0.03, allow=["os"]).tripped


def test_too_few_samples_to_tell_trip_it(tmp_path: Path) -> None:
    cell = make_cell()
    split = cell.split.model_copy(update={"n": 9, "labels": LABELS[:9]})
    few = cell.model_copy(
        update={"split": split, "latency_ns": cell.latency_ns[:9], "predictions": cell.predictions[:9]}
    )
    assert "needs 20 samples" in pair(tmp_path, [few], [few], gate=0.03).reasons[0]


def test_a_cell_whose_clock_did_not_move_is_no_measurement(tmp_path: Path) -> None:
    """Such a file is damaged, and so trips the gate."""
    run = make_run(tmp_path, [make_cell()], name="a")
    other = make_run(tmp_path, [make_cell()], name="b")
    (file,) = (other / "cells").iterdir()
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**content, "latency_ns": [0] * len(content["latency_ns"])}), encoding="utf-8")
    assert compare(run, other, 0.03).tripped


def test_a_run_against_itself_is_said_to_be_that(tmp_path: Path) -> None:
    run = make_run(tmp_path, [make_cell()])
    found = compare(run, run, 0.03)
    assert found.notes == ("both are one run: nothing was measured anew",)
    assert not found.tripped


def test_a_copied_run_is_said_to_be_the_same_measurement(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), make_cell("mnasnet")]
    run = make_run(tmp_path, cells)
    shutil.copytree(run, tmp_path / "copy")
    assert compare(tmp_path / "copy", run, 0.03).notes == ("both are one run: nothing was measured anew",)
    store.write_cell(run, slower(cells[0], 1.0001))
    assert compare(tmp_path / "copy", run, 0.03).notes == (
        "1 of 2 are one measurement: nothing was measured anew there",
    )  # fmt: skip


def test_what_a_baseline_never_measured_is_said(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), make_cell("mnasnet")]
    a = make_run(tmp_path, cells, name="a")
    b = make_run(tmp_path, [slower(cell, 1.0001) for cell in cells], name="b")
    store.cell_paths(a)[0].unlink()
    found = compare(a, b, 0.03)
    assert not found.tripped
    assert found.notes == ("1 planned cells of a have no result: no gate watches over those",)


def test_a_gate_that_holds_says_how_wide_it_is(tmp_path: Path) -> None:
    cell = make_cell()
    make_run(tmp_path, [cell], name="a")
    make_run(tmp_path, [slower(cell, 1.0001)], name="b")
    said = harness("compare", "a", "b", "--results", str(tmp_path), "--gate", "0.5")
    assert said.returncode == 0
    assert said.stdout.splitlines()[-1] == "gate of 50.0%: not tripped, 1 cells watched"


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_command_fails_with_every_reason_in_its_json(tmp_path: Path) -> None:
    cells = [make_cell("ghostnet"), make_cell("mnasnet")]
    good = make_run(tmp_path, cells, name="good")
    make_run(tmp_path, [broken(cells[0], "FAILED")], name="bad")
    make_run(tmp_path, [c.model_copy(update={"device": device(kernel="9")}) for c in cells], name="updated")
    plain = ("compare", "good", "bad", "--results", str(tmp_path))
    assert harness(*plain).returncode == 0
    said = harness(*plain, "--gate", "3%", "--json", "--out", str(tmp_path / "out"))
    assert said.returncode == 1
    found = json.loads(said.stdout)
    assert found["tripped"] is True
    assert len(found["reasons"]) == 2
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "FAILED, was VALID" in page
    assert "has no result in bad" in page
    assert "GATE" in harness(*plain, "--gate", "3%").stdout
    updated = ("compare", str(good), "updated", "--results", str(tmp_path), "--gate", "3%")
    assert harness(*updated).returncode == 1
    assert harness(*updated, "--allow", "runtime,os").returncode == 0
    refused = harness(*updated, "--allow", "weather")
    assert (refused.returncode, refused.stderr) == (
        2, "harness: can't allow 'weather' to differ (one of: runtime, os)\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("5%", 0.05), ("0.05", 0.05), (" 3.5 % ", 0.035), ("0", 0.0), ("100%", 1.0)]
)
def test_gates_are_shares(text: str, value: float) -> None:
    assert parse_gate(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "5 percent", "-1%", "5", "nan", "200%"])
def test_other_gates_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a share"):
        parse_gate(text)


@pytest.mark.parametrize("text", ["1", "1.0", " 1 "])
def test_one_is_neither_a_percent_nor_all(text: str) -> None:
    with pytest.raises(UsageError, match=r"may be 1 % or 100 % \(write 1% or 100%\)"):
        parse_gate(text)


def test_a_comparison_is_plain_json(tmp_path: Path) -> None:
    found = pair(tmp_path, [make_cell()], [slower(make_cell(), 1.1)], gate=0.05)
    document = json.loads(json.dumps(to_json(found)))
    assert document["tripped"] is True
    assert document["pairs"][0]["verdict"] == "slower"
    assert document["counts"]["slower"] == 1
