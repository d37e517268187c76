"""The overhead of a fleet: ``harness run``, plain ``ssh`` in a loop, and ``ansible`` with forks, in one run.

    python benchmarks/fleet_overhead.py [--boards 16] [--seconds 3] [--rounds 3] [--no-ansible]
    python benchmarks/fleet_overhead.py --curve 1,8,64,256,1000 [--on local:2] [--seconds 3]

Every board is a separate sshd on loopback, and the work is the same for all: a Python program on the board waits (the
boards' computing does not fit on one machine; the controller's work is real) and returns a result of some kB, which
must arrive at the controller. Rounds are interleaved and each begins with another tool; medians are shown. Where there
is no ``ansible`` program, ansible-core is installed into a throwaway virtual environment.

With ``--curve`` the harness alone runs, over more and more boards, by one controller and by workers of a cluster, see
:mod:`benchmarks.made.fleet_curve`. It has neither a network nor inference. 1,000 boards need some GB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.made.answers import good  # noqa: E402 - the checkout is on the path only now
from benchmarks.made.checkout import environment  # noqa: E402
from benchmarks.made.farm import PYTHON, Farm  # noqa: E402
from benchmarks.made.fleet_curve import HERE, machine, points, print_point  # noqa: E402
from benchmarks.made.fleet_curve import table as curve_table  # noqa: E402

#: The program that the plain tools start on a board; the harness's stand-in for the runner does the same.
WORK = """#!{python} -S
import time
time.sleep({seconds})
print({answer!r})
"""
MARK = '"schema"'
ANSIBLE = "ansible-core>=2.17,<3"


@dataclass(frozen=True)
class Tool:
    """One way to do the work. ``run`` works in an empty folder and returns how many results arrived."""

    name: str
    does: str
    #: number of boards that it works on at a time
    width: int
    run: Callable[[Path], int]


@dataclass(frozen=True)
class Took:
    """The cost of one tool's round. ``cpu_s``: processor time of its own processes, without the boards'."""

    seconds: float
    cpu_s: float


class Boards:
    """The farm in each tool's own form: devices.yaml, an ssh configuration, an inventory."""

    def __init__(self, folder: Path, count: int, seconds: float) -> None:
        self.folder, self.names = folder, [f"b{number:03}" for number in range(count)]
        #: for each ``harness run``, the seconds from its first device's start to its last cell. Before that, it starts
        #: and prepares the images; afterwards it makes the report. Neither depends on the boards.
        self.fleet_s: list[float] = []
        self.farm = Farm(folder / "farm", self.names)
        answer = json.dumps(good())
        hosts = []
        for name, place in self.farm.places.items():
            place.python(f"time.sleep({seconds})")
            (place.bin / "board-work").write_text(
                WORK.format(python=PYTHON, seconds=seconds, answer=answer), encoding="utf-8"
            )
            (place.bin / "board-work").chmod(0o755)
            hosts.append(
                f"Host {name}\n HostName 127.0.0.1\n Port {place.port}\n IdentityFile {self.farm.client_key}\n"
                f" UserKnownHostsFile {self.farm.known_hosts}\n StrictHostKeyChecking yes\n LogLevel ERROR\n"
            )
        self.config, self.inventory, self.devices = folder / "config", folder / "inventory", folder / "devices.yaml"
        self.config.write_text("".join(hosts), encoding="utf-8")
        self.inventory.write_text(
            "".join(f"{name} ansible_python_interpreter={PYTHON}\n" for name in self.names), encoding="utf-8"
        )
        entries = [self.farm.entry(name, runtimes=["litert"]) for name in self.names]
        self.devices.write_text(yaml.safe_dump({"devices": entries}), encoding="utf-8")

    def harness(self, out: Path) -> int:
        command = [
            sys.executable, "-m", "harness", "run", "--devices", str(self.devices), "--results", str(out / "results"),
            "--models", str(REPOSITORY / "models"), "--reports", str(out / "reports"), "--quick",
            "--model", "mobilenet-v3-small", "--variant", "int8",
        ]  # fmt: skip
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, encoding="utf-8")
        paths = list((out / "results").glob("*/cells/*.json"))
        began = [path.stat().st_mtime for path in (out / "results").glob("*/manifests/*.json")]
        self.fleet_s.append(max((path.stat().st_mtime for path in paths), default=0.0) - max(began, default=0.0))
        cells = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        measured = sum(bool(cell["latency_ns"]) and cell["status"] != "FAILED" for cell in cells)
        if measured < len(self.names):
            print(done.stderr[-2000:], file=sys.stderr)
        return measured

    def ssh(self, out: Path, width: int) -> int:
        """Run plain ssh. With ``width`` 1 in a loop, as people write it; otherwise by xargs."""
        quoted = f"ssh -n -F {self.config} $1 board-work >{out}/$1"
        script = f"for b in {' '.join(self.names)}; do set -- $b; {quoted}; done"
        if width > 1:
            script = f"printf '%s\\n' {' '.join(self.names)} | xargs -P {width} -I NAME sh -c '{quoted}' sh NAME"
        subprocess.run(["sh", "-c", script], check=False)
        return sum(MARK in path.read_text(encoding="utf-8") for path in out.iterdir())

    def ansible(self, out: Path, program: str) -> int:
        """Run ad hoc commands with pipelining and one shared connection a board: the fastest in Ansible's manual."""
        (out / "cp").mkdir()
        settings = {
            "ANSIBLE_SSH_ARGS": f"-F {self.config} -o ControlMaster=auto -o ControlPersist=1s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(out / "cp"), "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOME": str(out),
            "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1",
        }  # fmt: skip
        command = [program, "all", "-i", str(self.inventory), "--forks", str(len(self.names)), "-o"]
        done = subprocess.run(
            [*command, "-m", "command", "-a", "board-work"],
            env={**os.environ, "LC_ALL": "C.UTF-8", **settings}, capture_output=True, text=True, check=False,
            encoding="utf-8",
        )  # fmt: skip
        found = sum("CHANGED" in line and "schema" in line for line in done.stdout.splitlines())
        if found < len(self.names):
            print(done.stdout[-1000:], done.stderr[-1000:], file=sys.stderr)
        return found


@contextmanager
def boards(count: int, seconds: float) -> Iterator[Boards]:
    """Provide the boards, which run until the ``with`` block ends."""
    with tempfile.TemporaryDirectory(prefix="fo-") as folder:  # short, since paths of control sockets are limited
        made = Boards(Path(folder), count, seconds)
        try:
            yield made
        finally:
            made.farm.stop()


def tools(made: Boards, ansible: str | None) -> list[Tool]:
    count = len(made.names)
    found = [
        Tool("harness run", "checks, leases, measures, judges and stores each; then a report", count, made.harness),
        Tool("ssh in a loop", "starts the program, keeps its output", 1, lambda out: made.ssh(out, 1)),
        Tool(f"ssh, xargs -P {count}", "the same, all at once", count, lambda out: made.ssh(out, count)),
    ]
    if ansible:
        found.append(
            Tool(f"ansible --forks {count}", "module `command`, pipelining", count, lambda o: made.ansible(o, ansible))
        )
    return found


def rounds(made: Boards, chosen: list[Tool], count: int) -> dict[str, list[Took]]:
    """Run each tool ``count`` times, alternately.

    Raises:
        SystemExit: a tool returned fewer results than there are boards.
    """
    took: dict[str, list[Took]] = {tool.name: [] for tool in chosen}
    for number in range(count):
        first = number % len(chosen)
        for tool in chosen[first:] + chosen[:first]:
            with tempfile.TemporaryDirectory(prefix="fo-") as out:
                before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                results = tool.run(Path(out))
                seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
            if results != len(made.names):
                sys.exit(f"{tool.name}: {results} of {len(made.names)} results")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            took[tool.name].append(Took(seconds, cpu))
            print(f"round {number + 1}: {tool.name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return took


def table(made: Boards, chosen: list[Tool], took: dict[str, list[Took]], seconds: float) -> str:
    """The table as Markdown. The overhead is the time without the work, which ``width`` boards do at a time."""
    count = len(made.names)
    lines = ["| tool | what it does for a board | s | overhead per board, s | its processor time per board, s |"]
    lines.append("|---|---|---|---|---|")
    for tool in chosen:
        spent = statistics.median(one.seconds for one in took[tool.name])
        cpu = statistics.median(one.cpu_s for one in took[tool.name])
        lines.append(row(tool.name, tool.does, spent, (spent - seconds * count / tool.width) / count, cpu / count))
    fleet = statistics.median(made.fleet_s)
    does = "the same, without starting the program and without the report"
    lines.insert(3, row("harness run, its boards' part", does, fleet, (fleet - seconds) / count, None))
    return "\n".join(lines)


def row(name: str, does: str, spent: float, over: float, cpu: float | None) -> str:
    return f"| {name} | {does} | {spent:.1f} | {over:.2f} | {'-' if cpu is None else f'{cpu:.2f}'} |"


@contextmanager
def ansible_program(wanted: bool) -> Iterator[str | None]:
    """Provide the installed ``ansible``, or one that is installed for this run only; None where neither is possible."""
    here = shutil.which("ansible")
    if here or not wanted:
        yield here if wanted else None
        return
    with tempfile.TemporaryDirectory(prefix="fo-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [f"{folder}/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", ANSIBLE]
        done = subprocess.run(install, capture_output=True, text=True, check=False, encoding="utf-8")
        if done.returncode:
            print(f"left out: ansible can't be installed: {done.stderr.strip()[-200:]}", file=sys.stderr)
        yield None if done.returncode else f"{folder}/bin/ansible"


def curve(counts: list[int], on: str, seconds: float) -> None:
    """Print the curve, each line as it is measured, and then as one table."""
    found = []
    for point in points(counts, (HERE, on), seconds, script=__file__):
        found.append(point)
        print(curve_table([point], seconds).splitlines()[-1], file=sys.stderr, flush=True)
    print(f"each board works {seconds:g} s; {machine()}\n")
    print(curve_table(found, seconds))
    if any(point.measured != point.boards for point in found):
        sys.exit("some boards were not measured")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a board works")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-ansible", action="store_true")
    parser.add_argument("--curve", help="numbers of boards, such as 1,8,64,256,1000")
    parser.add_argument("--on", default="local:2", help="the workers of the curve")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print_point(Path(options.point[0]), options.point[1])
        return
    if options.curve:
        curve([int(count) for count in options.curve.split(",")], options.on, options.seconds)
        return
    with ansible_program(not options.no_ansible) as ansible, boards(options.boards, options.seconds) as made:
        chosen = tools(made, ansible)
        took = rounds(made, chosen, options.rounds)
    print(f"{options.boards} boards, each works {options.seconds:g} s; median of {options.rounds} rounds\n")
    print(table(made, chosen, took, options.seconds))
    loop = statistics.median(one.seconds for one in took[chosen[1].name])
    print(f"\nharness run's boards' part / ssh in a loop: {statistics.median(made.fleet_s) / loop:.2f}")


if __name__ == "__main__":
    main()
