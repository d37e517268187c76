"""How long it will take: worked out from rates, with what is stored counted off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("keras")
pytestmark = pytest.mark.train

from harness.reproduce import forecast  # noqa: E402
from harness.reproduce.places import Places  # noqa: E402
from harness.reproduce.stages import Experiment, networks  # noqa: E402
from harness.training.pace import Pace, Rate  # noqa: E402
from harness.training.train.recipe import recipe_for  # noqa: E402
from harness.training.workload import portions  # noqa: E402
from tests.support.datasets import small_dataset  # noqa: E402

LARGE = Rate(seconds=0.1, start_s=30, macs=907_000_000, parameters=20_000_000)
SMALL = Rate(seconds=0.001, start_s=5, macs=500_000, parameters=5_000)
PACE = Pace(rates={"resvgg19": LARGE, "mobilenet-v3-small": SMALL, "squeezenet": SMALL}, small=SMALL)


def experiment(folder: Path, *named: str, folds: tuple[int, ...] = ()) -> Experiment:
    return Experiment(
        dataset=small_dataset(), profile="quick", networks=networks("quick", named), folds=folds, places=Places(folder),
        progress=print,
    )  # fmt: skip


def state(folder: Path, epochs: int) -> None:
    """A training's state as a checkpoint leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "key": "0", "checkpoint": "checkpoint-0.npz", "history": [{"accuracy": 1.0}] * epochs, "best_epoch": 0,
        "best": 1.0, "best_loss": 0.1, "seconds": 1.0,
    }  # fmt: skip
    (folder / "state.json").write_text(json.dumps(content))


def test_a_network_trained_from_scratch_takes_its_epochs(tmp_path: Path) -> None:
    (stage,) = experiment(tmp_path, "resvgg19").stages()
    split = stage.job.split
    (part,) = portions(stage.job, PACE)
    passed = len(split.train) + len(split.validation) / 3
    epochs = recipe_for("quick", LARGE.macs).epochs
    assert part.total_s == pytest.approx(LARGE.start_s + epochs * passed * LARGE.seconds)
    assert part.left_s == part.total_s


def test_what_is_trained_is_counted_off(tmp_path: Path) -> None:
    (stage,) = experiment(tmp_path, "resvgg19").stages()
    (part,) = portions(stage.job, PACE)
    state(stage.job.folder(), 4)
    assert part.left_s == pytest.approx(part.total_s - 4 * part.epoch_s)
    state(stage.job.folder(), part.epochs)
    assert part.left_s == 0
    (stage.job.folder() / "state.json").write_text("{")
    assert part.left_s == part.total_s, "a damaged state is none"


def test_a_pruned_network_takes_its_parent_its_lessons_and_every_round(tmp_path: Path) -> None:
    stage = experiment(tmp_path, "resvgg19-pruned").stages()[1]
    found = portions(stage.job, PACE)
    patterns = [part.pattern for part in found]
    assert patterns[:3] == ["state.json", "*/lessons.npz", "*/round-1/state.json"]
    assert patterns[-3:] == ["*/round-4/again-1*/state.json", "*/assistant/state.json", "*/round-4/again-2*/state.json"]
    first, last = found[2], found[5]
    assert first.epoch_s > last.epoch_s, "the smallest network costs least"
    place = stage.job.folder() / "0123456789abcdef"
    state(place / "round-4" / "again-2-assistant-8", 10)
    assert found[-1].left_s == pytest.approx(found[-1].total_s - 10 * found[-1].epoch_s)
    (place / "lessons.npz").write_bytes(b"")
    assert found[1].left_s == 0


def test_a_parent_s_training_counts_once(tmp_path: Path) -> None:
    stages = experiment(tmp_path, "resvgg19-pruned").stages()
    parent, pruned = forecast.lines(stages, stages, PACE)
    alone = sum(part.total_s for part in portions(stages[1].job, PACE))
    assert pruned.left_s < alone
    assert parent.left_s > portions(stages[0].job, PACE)[0].total_s, "exporting comes on top"


def test_stages_that_are_done_take_nothing(tmp_path: Path) -> None:
    stages = experiment(tmp_path, "squeezenet", folds=(0,)).stages()
    done, left = forecast.lines(stages, stages[1:], PACE)
    assert done.left_s == 0
    assert left.left_s > 0
    assert [line.left_s for line in forecast.lines(stages, (), None)] == [0, 0]


def test_networks_to_time_are_those_trained_from_scratch(tmp_path: Path) -> None:
    stages = experiment(tmp_path, folds=(0,)).stages()
    assert [network.name for network in forecast.timed_networks(stages)] == [
        "resvgg19",
        "mobilenet-v3-small",
        "squeezenet",
    ]


def test_a_small_part_of_a_network_costs_overhead_at_least() -> None:
    assert PACE.seconds("resvgg19", 0) == SMALL.seconds
    assert PACE.seconds("resvgg19", LARGE.macs) == LARGE.seconds, "and never more than the whole"
    assert PACE.answer_s("resvgg19") == pytest.approx(LARGE.seconds / 3)


def test_the_plan_in_words() -> None:
    lines = [forecast.Line("a", 0.0), forecast.Line("b", 700.0, begun=True), forecast.Line("c", 20_000.0)]
    assert forecast.words(lines) == [
        "  1        done  a",
        "  2      12 min  b (begun)",
        "  3  5 h 33 min  c",
        "together about 5 h 45 min",
    ]
    assert [forecast.duration(s) for s in (0.1, 59, 100, 7199, 7300)] == [
        "1 s",
        "59 s",
        "2 min",
        "2 h 00 min",
        "2 h 02 min",
    ]


def test_measured_cells_are_counted_off() -> None:
    assert forecast.measuring(5, 0).left_s == forecast.CELL_S * 35
    assert forecast.measuring(5, 35).left_s == 0
    assert forecast.measuring(5, 99).left_s == 0


@pytest.mark.slow
def test_rates_are_measured_here() -> None:
    from harness.training import pace

    lines: list[str] = []
    found = pace.measure(networks("quick", ("squeezenet",)), 7, (48, 48, 1), progress=lines.append)
    rate = found.rates["squeezenet"]
    assert lines
    assert found.small.seconds > 0
    assert rate.macs > 1_000_000
    assert replace_rate(found, rate) == found


def replace_rate(found: Pace, rate: Rate) -> Pace:
    """The same after it was stored and read."""
    return Pace.model_validate_json(found.model_copy(update={"rates": {"squeezenet": rate}}).model_dump_json())
