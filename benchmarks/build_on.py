"""A build alone and on a Dask cluster of this machine: wall times, and whether the manifests are the same.

    python -m benchmarks.build_on [NETWORK...] [--workers 2] [--profile quick] [--no-kill]

Each way begins with an empty cache: one process; workers; and workers of which one is killed with SIGKILL in the middle
of its training. Manifests are compared without times, and files byte by byte. Ends with 1 where something differs.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.made.build_times import timeless  # noqa: E402 - the checkout is on the path only now
from benchmarks.made.checkout import environment  # noqa: E402

NETWORKS = ("squeezenet", "squeezenet-pruned", "mobilenet-v3-small", "shufflenet-v2")
#: The epoch after which a worker is killed.
KILL_AFTER = 12
_BEGINS = re.compile(r"^(\S+): begins on \S+, process (\d+)$")
_EPOCH = re.compile(r"^(\S+) epoch (\d+)/")
Hear = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """One way to build: its name, the folder of its models, and how long it took."""

    way: str
    models: Path
    seconds: float


class Killer:
    """Kills the first worker whose network has learnt so many epochs."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.pids: dict[str, int] = {}
        self.killed = ""

    def __call__(self, line: str) -> None:
        if begun := _BEGINS.match(line):
            self.pids[begun[1]] = int(begun[2])
        learnt = _EPOCH.match(line)
        if learnt and not self.killed and int(learnt[2]) >= self.after and learnt[1] in self.pids:
            os.kill(self.pids[learnt[1]], signal.SIGKILL)
            self.killed = line


def built(way: str, folder: Path, words: Sequence[str], hear: Hear = lambda line: None) -> Built:
    """Run ``harness build`` with a cache of its own.

    Raises:
        SystemExit: it failed; its last lines are printed.
    """
    models, lines = folder / "models", list[str]()
    argv = [sys.executable, "-m", "harness", "build", *words, "--models", str(models)]
    variables = environment() | {"HARNESS_CACHE": str(folder / "cache")}
    started = time.monotonic()
    with subprocess.Popen(
        argv, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            hear(lines[-1])
    if process.returncode:
        sys.exit("\n".join([f"{way}: exit code {process.returncode}", *lines[-20:]]))
    return Built(way, models, time.monotonic() - started)


def differences(first: Built, other: Built, networks: Sequence[str]) -> list[str]:
    """What differs between two builds, by name."""
    found = []
    for name in networks:
        if timeless(first.models, name) != timeless(other.models, name):
            found.append(f"{name}/manifest.json")
        for path in sorted((first.models / name).iterdir()):
            twin = other.models / name / path.name
            if path.suffix != ".json" and (not twin.exists() or path.read_bytes() != twin.read_bytes()):
                found.append(f"{name}/{path.name}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--no-kill", action="store_true", help="leave the third way out")
    options = parser.parse_args()
    words, on = [*options.networks, "--profile", options.profile], ["--on", f"local:{options.workers}"]
    with tempfile.TemporaryDirectory(prefix="harness-build-on-") as folder:
        root = Path(folder)
        alone = built("one process", root / "alone", words)
        spread = [built(f"--on local:{options.workers}", root / "on", [*words, *on])]
        if not options.no_kill:
            killer = Killer(KILL_AFTER)
            spread.append(built("the same, a worker killed", root / "killed", [*words, *on], killer))
            if not killer.killed:
                sys.exit("no worker was killed: no network came so far")
            print(f"killed with SIGKILL after: {killer.killed}")
        print(f"{len(options.networks)} networks, {options.profile}, {os.cpu_count()} processors\n")
        print("| way | seconds | of one process | manifests and files |\n|---|---|---|---|")
        print(f"| {alone.way} | {alone.seconds:.0f} | 1 | |")
        wrong = []
        for each in spread:
            differ = differences(alone, each, options.networks)
            wrong += differ
            same = f"differ: {', '.join(differ)}" if differ else "the same"
            print(f"| {each.way} | {each.seconds:.0f} | {each.seconds / alone.seconds:.2f} | {same} |")
    print("not as promised" if wrong else "as promised")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
