"""What each process measured, put together as one cell."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.made.cells import device, make_cell
from harness.records.cell import Canary, Cell, Reason
from harness.run.rounds import joined, machine_apart, one_round, parts_of, replaced

HERE = device("here", "generic", emulated=False)
BUSY = Reason(code="background-load", text="made up")


def part(number: int, *, canary: int = 1_000_000, **changes: Any) -> Cell:
    loops = Canary(compute=canary, memory=canary)
    fields: dict[str, Any] = {
        "load_ns": 1000 + number, "first_inference_ns": 2000 + number, "peak_rss_bytes": 5000 + number, "energy_j": 1.5,
        "started": f"2026-11-22T20:0{number}:00Z", "ended": f"2026-11-22T20:0{number}:30Z",
        "evidence": {
            "before": {"at": f"{number}"}, "start": {}, "during": [{"at": f"{number}"}], "end": {"at": f"{number}"},
            "after": {"at": f"{number}"}, "found": {"drift": number / 100}, "numpy": "1.26",
        },
    }  # fmt: skip
    return one_round(make_cell(dev=HERE, median_ms=10 + number, **(fields | changes)), loops, loops)


def test_rounds_lie_one_behind_the_other() -> None:
    parts = [part(number) for number in range(3)]
    whole = joined(parts, 3)
    assert Cell.model_validate_json(whole.model_dump_json(by_alias=True)) == whole
    assert whole.status == "VALID"
    assert whole.round_sizes == (99, 99, 99)
    assert whole.latency_ns == sum((each.latency_ns for each in parts), ())
    assert (whole.load_ns, whole.first_inference_ns, whole.peak_rss_bytes, whole.energy_j) == (1001, 2001, 5002, 4.5)
    assert (whole.started, whole.ended) == ("2026-11-22T20:00:00Z", "2026-11-22T20:02:30Z")


def test_the_evidence_of_all_rounds_is_kept() -> None:
    whole = joined([part(number) for number in range(2)], 2)
    assert [each.evidence["found"]["drift"] for each in whole.rounds] == [0.0, 0.01]
    assert [whole.evidence[key] for key in ("before", "after")] == [{"at": "0"}, {"at": "1"}]
    assert whole.evidence["during"] == [{"at": "0"}, {"at": "1"}]


def test_the_figures_behind_a_verdict_are_those_of_all_rounds() -> None:
    figures: list[dict[str, float | None]] = [
        {"drift": 0.02, "trend_p": 0.5, "waited": 0.1, "elapsed_s": 0.25, "continued": 0, "frequency_lowest_mhz": None},
        {"drift": -0.3, "trend_p": 1e-4, "waited": 0.4, "elapsed_s": 0.5, "continued": 2, "frequency_lowest_mhz": None},
        {"drift": 0.1, "trend_p": 0.9, "waited": None, "elapsed_s": 0.25, "idle_s": 3.0},
    ]
    parts = [
        one_round(make_cell(dev=HERE, evidence={"before": {}, "during": [], "found": each}), None, None)
        for each in figures
    ]
    whole = joined(parts, 3)
    assert whole.evidence["found"] == {
        "drift": -0.3, "trend_p": 1e-4, "waited": 0.4, "elapsed_s": 1.0, "continued": 2, "frequency_lowest_mhz": None,
        "idle_s": 3.0,
    }  # fmt: skip
    assert [part.evidence["found"] for part in parts_of(whole)] == figures
    assert joined([joined(parts[:2], 3), parts[2]], 3).evidence["found"] == whole.evidence["found"]


def test_outputs_that_are_no_numbers_are_counted_over_all_rounds() -> None:
    reason = Reason(code="not-finite", text="99 of 99 outputs held NaN or infinity instead of scores")
    evidence = {"before": {}, "during": [], "not_finite": 99}
    good = make_cell(dev=HERE, evidence={**evidence, "not_finite": 0})
    bad = make_cell(dev=HERE, status="INVALID", reasons=(reason,), evidence=evidence)
    well = one_round(good, None, None)
    wrong = one_round(bad.model_copy(update={"predictions": good.predictions}), None, None)
    whole = joined([wrong, well, wrong], 3)
    assert whole.reasons[0].text.startswith("198 of 297 outputs held NaN")
    assert whole.evidence["not_finite"] == 198
    assert joined(parts_of(whole), 3) == whole


def test_joining_goes_on_where_it_stopped() -> None:
    parts = [part(number) for number in range(4)]
    assert joined([joined(parts[:3], 4), parts[3]], 4) == joined(parts, 4)


def test_a_cell_with_fewer_rounds_than_planned_is_not_valid_yet() -> None:
    whole = joined([part(0)], 5)
    assert [(each.code, each.text) for each in whole.reasons] == [("rounds-missing", "1 of 5 rounds were measured")]


def test_a_cell_comes_apart_into_the_rounds_it_was_made_of() -> None:
    parts = [part(0), part(1, status="INVALID", reasons=(BUSY,)), part(2)]
    whole = joined(parts, 3)
    assert whole.status == "INVALID"
    assert [each.code for each in whole.reasons] == ["background-load"]
    apart = parts_of(whole)
    assert [each.latency_ns for each in apart] == [each.latency_ns for each in parts]
    assert [each.status for each in apart] == ["VALID", "INVALID", "VALID"]
    assert joined(apart, 3) == whole


def test_a_round_takes_the_place_of_a_disturbed_one_and_says_so() -> None:
    parts = [part(0), part(1, status="INVALID", reasons=(BUSY,)), part(2)]
    again = joined([parts[0], replaced(parts[1], part(3)), parts[2]], 3)
    assert again.status == "VALID"
    assert again.evidence["during"] == [{"at": "0"}, {"at": "3"}, {"at": "2"}]
    (attempt,) = again.evidence["earlier"]
    assert attempt["reasons"] == [{"code": "background-load", "text": "made up"}]


def test_rounds_must_predict_the_same() -> None:
    other = part(1, predictions=(6,) * 99)
    assert [each.code for each in joined([part(0), other], 2).reasons] == ["unstable-predictions"]


def test_rounds_that_differed_are_not_forgotten_when_more_are_joined() -> None:
    gone = make_cell(dev=HERE, status="FAILED", reasons=(Reason(code="unreachable", text="made up"),))
    apart = joined([part(0), part(1, predictions=(6,) * 99)], 3)
    assert "unstable-predictions" in [each.code for each in joined([apart, gone], 3).reasons]


def test_a_round_that_failed_spoils_the_cell_and_costs_nothing_measured() -> None:
    gone = make_cell(dev=HERE, status="FAILED", reasons=(Reason(code="out-of-memory", text="made up"),))
    assert joined([gone], 5) == gone
    whole = joined([part(0), gone], 2)
    assert whole.status == "INVALID"
    assert [each.code for each in whole.reasons] == ["out-of-memory", "rounds-missing"]
    assert whole.round_sizes == (99,)


def test_a_machine_that_changed_its_speed_between_rounds_is_told() -> None:
    whole = joined([part(0), part(1, canary=2_600_000)], 2)
    assert [each.code for each in whole.reasons] == ["machine-changed"]
    assert "160%" in whole.reasons[0].text


def test_canaries_of_two_forms_tell_nothing_together() -> None:
    newer = part(1, canary=2_600_000)
    looks = Canary(compute=2_600_000, memory=2_600_000, form=2)
    newer = newer.model_copy(update={"rounds": (newer.rounds[0].model_copy(update={"before": looks, "after": looks}),)})
    assert machine_apart(joined([part(0), newer], 2).rounds) is None


def test_nothing_is_said_of_a_machine_without_canaries() -> None:
    bare = [one_round(make_cell(dev=HERE), None, None) for _ in range(2)]
    assert machine_apart(joined(bare, 2).rounds) is None


@pytest.mark.parametrize("count", [1, 5])
def test_samples_that_no_round_has_are_refused(count: int) -> None:
    whole = joined([part(number) for number in range(count)], count)
    with pytest.raises(ValueError, match="another number of samples"):
        Cell.model_validate(whole.model_dump(by_alias=True) | {"latency_ns": [1] * 7})
