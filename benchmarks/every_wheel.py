"""Each row of wheels.json that this machine can run, on that row's own Python: a network, run by the shipped runner.

    python -m benchmarks.every_wheel [--runtime openvino,ncnn] [--python PATH[,PATH]] [--write] [--where "Debian 12"]

Pythons are those of pyenv, or the named ones: a script that starts another architecture's Python in QEMU will do. For
each of them and each runtime, the row that a board with this Python would get is unpacked and runs `resvgg19-pruned` in
fp32, in the first form that the runtime reads. ``--write`` notes in wheels.json what was seen. Wheels that are not in
the cache are downloaded: 0.8 GB for all rows of x86-64.

Exits with 1 if a row did not run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import table
from benchmarks.loops import opened
from harness.core.errors import ProvisionError
from harness.core.files import write_atomic
from harness.records.order import KeptOutputs
from harness.remote.runner_file import runner_file
from harness.run.conversion import converted
from harness.run.golden import reference
from harness.run.inventory import Shipped
from harness.runtimes import wheels
from harness.runtimes.registry import RUNTIMES
from harness.runtimes.wheels import Bundle, Platform

WHEELS = Path(wheels.__file__).with_name("wheels.json")
#: What a Python says of itself, as the arguments of ``platform_of``.
ASK = """
import json, os, platform, struct, sys
try:
    import numpy
    found = numpy.__version__
except ImportError:
    found = None
bits = struct.calcsize("P") * 8
print(json.dumps([sys.version.split()[0], os.uname().machine, bits, " ".join(platform.libc_ver()), found]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python, its full version, and the platform by which its wheels are chosen."""

    path: Path
    version: str
    platform: Platform


def interpreter(path: Path) -> Interpreter:
    """Ask a Python for its platform."""
    done = subprocess.run([path, "-s", "-c", ASK], capture_output=True, check=True, timeout=120, env=_environment())
    version, machine, bits, libc, numpy = json.loads(done.stdout)
    return Interpreter(path, version, wheels.platform_of(version, machine, bits, libc, numpy))


def pythons() -> list[Path]:
    """The interpreters of pyenv, by version."""
    return sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python3"))


def file_for(runtime: str, models: Path) -> Shipped:
    """The network in the form that a runtime reads."""
    files = (models / "resvgg19-pruned" / f"fp32.{fmt}" for fmt in RUNTIMES[runtime].formats)
    file = next(file for file in files if file.is_file())
    return converted(opened(file, shapes=[], inputs=None), runtime, "cpu", print)


def ran(there: Interpreter, bundle: Bundle, shipped: Shipped) -> str | None:
    """Run the network with a row's wheels; None if it ran, else what the runner said."""
    own = shipped.own_inputs
    assert own is not None
    asked = reference.Asked(shipped.path.absolute(), shipped.artifact, own.prepare(None), classes=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for wheel in wheels.fetch(bundle):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder / wheel.name)
        packages = tuple(str(folder / wheel.file) for wheel in bundle.wheels)
        outputs = KeptOutputs(str(folder / "outputs"))
        job = reference.order(asked, bundle.runtime, packages, name="row", outputs=outputs).to_json()
        (folder / "job.json").write_text(job, encoding="utf-8")
        words = ["--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
        done = subprocess.run(
            [there.path, "-s", str(runner_file()), *words], check=False, timeout=900, capture_output=True,
            env=_environment(),
        )  # fmt: skip
        if not (folder / "result.json").is_file():
            return f"ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-500:]}"
        answer = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return None if answer["status"] == "ok" else str(answer["text"])[:500]


def _environment() -> dict[str, str]:
    """This process's, without what would let the other Python find packages of this one."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def note(seen: dict[tuple[str, str, str], str]) -> None:
    """Write what was seen into the rows of wheels.json, which are known by runtime, Python and machine."""
    content = json.loads(WHEELS.read_text(encoding="utf-8"))
    for row in content["rows"]:
        if (text := seen.get(key_of(row))) is not None:
            row["seen"] = text
    write_atomic(WHEELS, json.dumps(content, indent=1) + "\n")


def key_of(row: dict[str, str]) -> tuple[str, str, str]:
    """A row's runtime, Python and machine."""
    return row["runtime"], row["python"], row["machine"]


def every(found: Sequence[Interpreter], runtimes: Sequence[str], models: Path) -> list[tuple[Bundle, str, str | None]]:
    """Of each row that one of the Pythons gets: the row, the Python's version, and why it did not run."""
    rows = []
    for runtime in runtimes:
        shipped = file_for(runtime, models)
        for there in found:
            try:
                bundle = wheels.choose(runtime, there.platform)
            except ProvisionError:
                continue
            wrong = ran(there, bundle, shipped)
            print(f"{runtime} {bundle.version}, CPython {there.version}: {wrong or 'ran'}", file=sys.stderr, flush=True)
            rows.append((bundle, there.version, wrong))
    return rows


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--runtime", default=",".join(RUNTIMES))
    parser.add_argument("--python", help="instead of pyenv's")
    parser.add_argument("--where", default="", help="what the Pythons run on, for the note")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    named = [Path(word) for word in options.python.split(",")] if options.python else pythons()
    rows = every([interpreter(path) for path in named], options.runtime.split(","), options.models)
    table(
        ("runtime", "release", "Python", "machine", "result"),
        [(row.runtime, row.version, version, row.machine, wrong or "ran") for row, version, wrong in rows],
    )
    if options.write:
        where = f" on {options.where}" if options.where else ""
        note({
            (row.runtime, row.python, row.machine): f"ran in CPython {version}{where}"
            for row, version, wrong in rows
            if wrong is None
        })  # fmt: skip
    return 1 if any(wrong for _, _, wrong in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
