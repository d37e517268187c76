"""What is stored with a cell besides its numbers: the keys, their order, and that no number changes its kind."""

from __future__ import annotations

import json

from benchmarks.made.answers import good
from harness.config import devices as config
from harness.records.answer import RunnerResult, parse_answer
from harness.run.context import Context
from harness.run.evidence import CellEvidence
from harness.run.verdict.energy import Energy

KEYS = (
    "before start during end after busiest cpuinfo uname_machine clock delegate numpy runtime_build warmup_ended "
    "thresholds energy found state_root profile import_ns outputs_sha256 not_finite stderr"
)


def stored(energy: Energy | None) -> dict[str, object]:
    """The evidence of a good answer as the cell's file has it."""
    device = config.parse("devices: [{name: a, board: generic, host: h}]").devices[0]
    answer = parse_answer(json.dumps(good()).encode(), good()["cell"])
    assert isinstance(answer, RunnerResult)
    evidence = CellEvidence.of(answer, Context("run", device, None), threads=1, energy=energy, stderr="words")
    return dict(evidence.model_dump(mode="json"))


def test_the_keys_stand_in_the_order_of_earlier_runs() -> None:
    assert list(stored(None)) == KEYS.split()


def test_the_boards_words_and_numbers_are_kept_as_they_came() -> None:
    evidence, answer = stored(None), good()
    assert evidence["clock"] == answer["clock"]
    assert evidence["import_ns"] == answer["import_ns"]
    assert [type(value) for value in evidence["clock"].values()] == [type(value) for value in answer["clock"].values()]  # type: ignore[attr-defined]
    assert evidence["stderr"] == "words"
    assert evidence["energy"] is None


def test_energy_is_stored_by_its_parts() -> None:
    used = {"joules": 1.5, "watts": 3.0, "samples": 4, "method": "a sensor"}
    assert stored(Energy(joules=1.5, watts=3.0, samples=4, method="a sensor"))["energy"] == used
