"""How often an interval contains the long-run median: the harness's, that of LiteRT's own benchmark tool, and pyperf's.

    python -m benchmarks.coverage [--trials 200] [--model mobilenet-v3-small] [--variant int8]

In each trial three programs measure one artifact with the same Python, runtime and thread, alternately and in random
order, so that other activity of the machine affects all of them: the shipped runner in five rounds, each a process,
with the rounds spread over the trial, and a disturbed one repeated, as ``harness run`` does and the other two don't;
``ai_edge_litert/tools/benchmark_litert_model.py`` with its default number of
runs; and pyperf, which starts its own processes (``--processes``, 20 as in pyperf's default).

The interval of the harness is that of its report. The other two print no interval, so the most favourable one is
computed: for LiteRT's tool the exact interval of the median of its raw times, for pyperf Student's t on the means of
its processes. The target of each interval is the median of all values that the same program reported in all trials, so
that no program is penalised for another definition of the time. The table also shows an interval computed from a single
process of the harness. It prints how often each interval contained the long-run value and how wide it was.

No interval of a trial knows what changes only from one trial to the next, such as a clock that other guests of one
host raise and lower for minutes. So on such a machine every share is below 95 %, and the shorter a trial, the lower.
Exits with 1 if another program's intervals contain its value significantly more often than the harness's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.against_tools import TOOL, child
from benchmarks.common import DISTURBANCES, LOCAL, Bench, bench, table
from harness.core import rounds, stats
from harness.core.stats import Interval, wilson
from harness.results.change import interval
from harness.run.rounds import joined

PYPERF = """
import os, time
import numpy as np
import pyperf
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=os.environ["ARTIFACT"], num_threads=1)
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]
interpreter.set_tensor(given["index"], np.full(given["shape"], 100, given["dtype"]))

def turns(loops):
    invoke = interpreter.invoke
    started = time.perf_counter()
    for _ in range(loops):
        invoke()
    return time.perf_counter() - started

pyperf.Runner().bench_time_func("invoke", turns)
"""
OURS, ONE, LITERT, THEIRS = "harness, all rounds", "harness, 1 round", "benchmark_litert_model", "pyperf"


@dataclass(frozen=True)
class Trial:
    """The values that one program reported once, and its interval, in nanoseconds."""

    interval: Interval
    #: the value reported by each of its processes
    reported: tuple[float, ...]


def by_pyperf(python: str, path: str, artifact: Path, processes: int) -> Trial:
    """pyperf as its users run it."""
    spec = importlib.util.find_spec("pyperf")
    if spec is None or spec.origin is None:
        sys.exit("pyperf is not installed: pip install -e '.[dev]'")
    with tempfile.TemporaryDirectory() as name:
        script, out = Path(name) / "invoke.py", Path(name) / "out.json"
        script.write_text(PYPERF, encoding="utf-8")
        words = ["--processes", str(processes), "--quiet", "--inherit-environ", "PYTHONPATH,ARTIFACT", "-o", str(out)]
        environment = {
            **os.environ, "PYTHONPATH": f"{path}:{Path(spec.origin).parent.parent}", "ARTIFACT": str(artifact)
        }  # fmt: skip
        done = subprocess.run(
            [python, "-s", str(script), *words], env=environment, capture_output=True, encoding="utf-8", check=False,
            timeout=600,
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        (found,) = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    means = tuple(statistics.mean(run["values"]) * 1e9 for run in found["runs"] if "values" in run)
    return Trial(rounds.estimate(means), means)


def by_litert(python: str, path: str, artifact: Path, runs: int) -> Trial:
    """LiteRT's tool, with its own default of warm-up runs."""
    times = child(TOOL, python, path, artifact, 5, runs)
    return Trial(stats.median_interval(times), (statistics.median(times),))


def one_trial(
    here: Bench, options: argparse.Namespace, chance: random.Random, *, with_pyperf: bool
) -> dict[str, Trial]:
    """Run all programs once; pyperf only if it is its turn."""
    python = str(getattr(sys, "_base_executable", sys.executable))
    path = ":".join(here.session.prepared(here.job, here.test).packages)
    artifact = here.job.shipped.path
    turns = [OURS] * options.rounds + [LITERT] + ([THEIRS] if with_pyperf else [])
    chance.shuffle(turns)
    cells, found = [], {}
    for turn in turns:
        if turn == OURS:
            cells.append(here.cell(forked=bool(cells)))
        elif turn == LITERT:
            found[LITERT] = by_litert(python, path, artifact, options.runs)
        else:
            found[THEIRS] = by_pyperf(python, path, artifact, options.processes)
    whole = interval(joined(cells, options.rounds))
    medians = tuple(statistics.median(cell.latency_ns) for cell in cells)
    return {
        OURS: Trial(whole, medians), ONE: Trial(stats.median_interval(cells[0].latency_ns), medians[:1]), **found
    }  # fmt: skip


def report(trials: Sequence[dict[str, Trial]]) -> bool:
    """Print the table; returns whether no other program's intervals held significantly more often."""
    by_program: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        for program, said in trial.items():
            by_program[program].append(said)
    rows, shares = [], {}
    for program in (program for program in (OURS, ONE, LITERT, THEIRS) if program in by_program):
        said = by_program[program]
        truth = statistics.median(value for trial in by_program[OURS if program == ONE else program]
                                  for value in trial.reported)  # fmt: skip
        held = sum(trial.interval.low <= truth <= trial.interval.high for trial in said)
        likely = wilson(held, len(said))
        width = statistics.median((trial.interval.high - trial.interval.low) / 2 / truth for trial in said)
        shares[program] = likely
        rows.append((program, f"{truth / 1e6:.4f}", f"{held} of {len(said)}", f"{held / len(said):.1%}",
                     f"{likely.low:.1%} to {likely.high:.1%}", f"{width:.1%}"))  # fmt: skip
    table(("program", "long-run median, ms", "intervals that hold it", "share", "its 95 % interval",
           "half width, middle of all"), rows)  # fmt: skip
    return all(shares[OURS].high >= shares[other].low for other in (LITERT, THEIRS) if other in shares)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=50, help="of LiteRT's tool")
    parser.add_argument("--processes", type=int, default=20, help="of pyperf")
    parser.add_argument("--pyperf-every", type=int, default=1, help="trials; pyperf takes most of the time")
    parser.add_argument("--out", type=Path, help="a file for the values of all trials, as JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--model", default="mobilenet-v3-small")
    parser.add_argument("--variant", default="int8")
    parser.add_argument("--disturbed", action="store_true", help="keep what other programs spoilt, too")
    options = parser.parse_args()
    chance, trials = random.Random(options.seed), []
    limits = dict.fromkeys(DISTURBANCES) if options.disturbed else {}
    with bench({**LOCAL, "thresholds": limits}, options.model, options.variant, models=options.models) as here:
        here = replace(here, context=replace(here.context, rounds=options.rounds))
        for number in range(options.trials):
            with_pyperf = number % options.pyperf_every == 0
            trials.append(one_trial(here, options, chance, with_pyperf=with_pyperf))
            print(f"\r{number + 1} of {options.trials}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    good = report(trials)
    if options.out is not None:
        kept = [{program: asdict(said) for program, said in trial.items()} for trial in trials]
        options.out.write_text(json.dumps(kept), encoding="utf-8")
    print(f"\n{options.model} {options.variant}, {options.trials} trials by turns, 1 thread")
    print("as promised" if good else "NOT as promised")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
