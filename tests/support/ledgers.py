"""A run that has been planned and not begun: its ledger, and what takes its turns."""

from __future__ import annotations

from pathlib import Path

from benchmarks.made.checkout import MODELS
from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET, DeviceRecorder
from harness.results import storage
from harness.run.attempt import Underway
from harness.run.conversion import Conversions
from harness.run.golden.all import Goldens
from harness.run.halt import Halt
from harness.run.ledger import Ledger
from harness.run.plan import Options
from harness.run.schedule import new_schedule
from harness.run.turns import Turns


def turns_of(results: Path, *names: str, threads: tuple[int, ...] = (1,)) -> tuple[Turns, Ledger]:
    """A run of one small network on boards that nobody reaches."""
    entries = ({"name": name, "board": "generic", "host": name, "runtimes": ["litert"]} for name in names)
    options = Options(models=(NET,), variants=("int8",), threads=threads, quick=True)
    ledger = Ledger(new_schedule(fleet(*entries), options, MODELS), storage.at(results))
    conversions = Conversions(lambda: False)
    underway = Underway(ledger, Halt(), DeviceRecorder(), goldens=Goldens(), conversions=conversions)
    return Turns(underway, ledger.info.run), ledger
