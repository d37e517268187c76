"""Boards that lie: what one answers may cost its own cell and nothing else. Other boards, the controller's memory, the
terminal and the report page stay unharmed."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.made.farm import Farm
from benchmarks.made.runs import DeviceRecorder, measured, work
from harness.cli.live import PlainWatcher
from harness.core.paths import cache_dir
from harness.records.cell import Cell
from harness.report import render

ESCAPES = "\\x1b]0;owned\\x07\\x1b[2J\\u202etxt"
SCRIPT = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Attack:
    """``body`` is Python that answers as the runner (or ``agent``, as the agent); ``said`` must be in the reason."""

    body: str = ""
    agent: str = ""
    code: str = "runner"
    said: str = ""


ATTACKS = {
    "10 GB on stdout": Attack("os.execvp('head', ['head', '-c', '10G', '/dev/zero'])", code="output-limit"),
    "endless stdout": Attack("while True: sys.stdout.write('x' * 65536)", code="output-limit"),
    "endless stderr": Attack("while True: sys.stderr.write('x' * 65536)", code="output-limit", said="stderr"),
    "10 GB result file": Attack("raw(b''); os.truncate(result, 10 << 30); os._exit(0)", said="over 32 MiB"),
    "result that never ends": Attack(
        "os.makedirs(os.path.dirname(result), exist_ok=True); os.symlink('/dev/zero', result); os._exit(0)",
        said="over 32 MiB",
    ),
    "NaN time": Attack("answer['latency_ns'][5] = float('nan')", said="latency_ns"),
    "infinite time": Attack("answer['latency_ns'][5] = float('inf')", said="latency_ns"),
    "negative time": Attack("answer['latency_ns'][5] = -1", said="latency_ns"),
    "number of 100,000 digits": Attack("write(b'{\"cell\":' + b'9' * 100000 + b'}'); os._exit(0)", said="JSON"),
    "1e9 samples": Attack(
        "write(json.dumps(answer).replace('[1000000, ', '[' + '1,' * 20000000).encode()); os._exit(0)", said="MiB"
    ),
    "1,000,001 samples": Attack("answer['latency_ns'] = [1] * 1000001", said="latency_ns"),
    "a million wrong samples": Attack("answer['latency_ns'] = ['x'] * 1000000", said="latency_ns"),
    "small JSON, huge in memory": Attack("raw(b'[' + b'{},' * 10000000 + b'{}]'); os._exit(0)", said="JSON"),
    "zip bomb": Attack(
        "import io, zipfile; made = io.BytesIO(); bomb = zipfile.ZipFile(made, 'w', zipfile.ZIP_DEFLATED); "
        "bomb.writestr('x', bytes(64 << 20)); bomb.close(); raw(made.getvalue()); os._exit(0)",
        said="JSON",
    ),
    "a right answer, compressed": Attack(
        "import gzip; raw(gzip.compress(json.dumps(answer).encode() + b' ' * (64 << 20))); os._exit(0)", said="JSON"
    ),
    "a million unknown keys": Attack("answer.update({'k%d' % i: 0 for i in range(1000000)})", said="JSON"),
    "nested 5,000,000 deep": Attack("raw(b'[' * 5000000); os._exit(0)", said="JSON"),
    "wrong schema": Attack("answer['schema'] = 99", said="schema"),
    "another cell's name": Attack("answer['cell'] = 'pi4+other+int8'", said="another cell"),
    "a path as cell name": Attack("answer['cell'] = '../../../../etc/cron.d/x'", said="another cell"),
    "invalid UTF-8": Attack("raw(json.dumps(answer).encode().replace(b'aarch64', b'\\xff\\xfe\\xc3')); os._exit(0)"),
    "measured another file": Attack("answer['model_sha256'] = '0' * 64", said="other files"),
    "link instead of a result": Attack(
        "os.makedirs(os.path.dirname(result), exist_ok=True); os.symlink('/etc/passwd', result); os._exit(0)",
        said="JSON",
    ),
    "terminal codes in the reason": Attack(
        f'answer["cell"] = "{ESCAPES}"; sys.stderr.write("{ESCAPES}")', said="another cell"
    ),
    "script in the reason": Attack(f'answer["cell"] = "{SCRIPT}"', said="another cell"),
    "probe without end": Attack(agent="while command == 'probe': print('x' * 65536)", code="output-limit"),
    "probe nested deep": Attack(
        agent="if command == 'probe': sys.exit(print('[' * 1000000))", code="provision", said="no answer"
    ),
    "probe with wild values": Attack(
        agent="if command == 'probe': sys.exit(print('{\"cores\": 1e999, \"x\": null}'))", code="provision"
    ),
    "lease without a line's end": Attack(
        agent="while command == 'lease': sys.stdout.write('x' * 65536)", code="lease", said="JSON"
    ),
}
#: Strings of a good answer that people get to see.
SHOWN = "answer['runtime_version'] = {0!r}; answer['delegate']['how'] = {0!r}; answer['machine'] = {0!r}; " \
        "answer['cpuinfo'] = ['CPU part\\t: ' + {0!r}]; sys.stderr.write({0!r})"  # fmt: skip
#: The controller may need this much more than before, with all boards attacking at once.
MEMORY_BYTES = 512 << 20


def peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


@contextlib.contextmanager
def peak_growth() -> Iterator[Callable[[], int]]:
    """How far this process's memory rose above what it is now, at its highest."""
    Path("/proc/self/clear_refs").write_text("5")  # the kernel starts a new peak
    before = peak_bytes()
    yield lambda: peak_bytes() - before


@dataclass(frozen=True)
class Attacked:
    """One run with every attack in it."""

    told: DeviceRecorder
    folder: Path
    terminal: str
    grown_bytes: int
    seconds: float


class Both(DeviceRecorder):
    """Remembers, and prints as a terminal would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainWatcher()

    def device(self, name: str, message: str) -> None:
        super().device(name, message)
        self.plain.device(name, message)

    def cell_ended(self, job: object, cell: Cell) -> None:
        super().cell_ended(job, cell)  # type: ignore[arg-type]
        self.plain.cell_ended(job, cell)  # type: ignore[arg-type]


def device(attack: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", attack.lower())


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """All attacks at once, each on its own board, with an honest board among them."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        (folder / "cache").mkdir()
        (folder / "cache" / "wheels").symlink_to(cache_dir() / "wheels")  # expensive, and never change
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        farm = Farm(folder, ["honest", "escapes", "script", *map(device, ATTACKS)])
        try:
            farm.places["honest"].python("time.sleep(1)")
            farm.places["escapes"].python(SHOWN.format("\x1b]0;owned\x07\x1b[2J"))
            farm.places["script"].python(SHOWN.format(SCRIPT))
            for name, attack in ATTACKS.items():
                farm.places[device(name)].python(attack.body, agent=attack.agent)
            run = work(farm.fleet(runtimes=["litert"]), folder / "results")
            told, screen, started = Both(), io.StringIO(), time.monotonic()
            with peak_growth() as grown, contextlib.redirect_stderr(screen):
                run.execute(told)
            yield Attacked(told, run.folder, screen.getvalue(), grown(), time.monotonic() - started)
        finally:
            farm.stop()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_answer_costs_its_own_cell(
    name: str, attacked: Attacked, record_property: Callable[[str, object], None]
) -> None:
    attack = ATTACKS[name]
    assert attacked.told.how(device(name)) == [f"FAILED {attack.code}"], attacked.told.said(device(name))
    reason = attacked.told.said(device(name))
    assert attack.said in reason
    assert len(reason) < 2000
    assert reason.isprintable()
    record_property("hostile", name)
    record_property("outcome", f"FAILED {attack.code}: {reason[:110]}")


def test_the_honest_board_among_them_is_measured(
    attacked: Attacked, record_property: Callable[[str, object], None]
) -> None:
    assert [measured(cell) for cell in attacked.told.cells["honest"]] == [True]
    record_property("hostile", "(an honest board in the same run)")
    record_property("outcome", f"measured; the run took {attacked.seconds:.0f} s")


def test_memory_stays_bounded(attacked: Attacked, record_property: Callable[[str, object], None]) -> None:
    assert attacked.grown_bytes < MEMORY_BYTES
    record_property("hostile", f"({len(ATTACKS)} attacks at once: the controller's memory)")
    record_property("outcome", f"grew by {attacked.grown_bytes / 1e6:.0f} MB at its peak")


def test_a_terminal_sees_no_codes(attacked: Attacked, record_property: Callable[[str, object], None]) -> None:
    assert measured(attacked.told.cells["escapes"][0])
    assert set("\x1b\x07\u202e").isdisjoint(attacked.terminal)
    assert "\x1b" not in " ".join(attacked.told.messages)
    record_property("hostile", "terminal codes in every string")
    record_property("outcome", "shown as replacement characters")


@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # 20 images may leave a class out
def test_the_page_shows_markup_as_text(
    attacked: Attacked, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    made = render([attacked.folder], tmp_path / "report", formats=("svg",))
    assert made.index is not None
    assert "owned" in made.index.read_text()
    for path in (tmp_path / "report").rglob("*"):
        if path.suffix in (".html", ".md", ".svg"):
            page = path.read_text()
            assert not re.search(r"(?<!\\)<(script>alert|img src=x)", page), path  # Markdown escapes by backslash
            assert set("\x1b\x07\u202e").isdisjoint(page), path
    assert "&lt;script&gt;alert(1)" in made.index.read_text()
    record_property("hostile", "HTML and script in every string")
    record_property("outcome", "shown as text in the report")


def test_nothing_was_written_outside(attacked: Attacked) -> None:
    names = {path.name for path in (attacked.folder / "cells").iterdir()}
    assert names == {f"{cell.cell}.json" for cells in attacked.told.cells.values() for cell in cells}
