"""The table of faults and their outcomes, and of hostile answers: ``python benchmarks/faults.py [--out FILE]``.

It runs the tests that produce each fault (tests/run/test_faults*.py, tests/remote/test_hostile.py) and prints their
observations. A fault that can't be produced on this machine (no root, no QEMU) is shown as skipped, with the reason.
About five minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
FAULTS = {
    "test_a_board_is_powered_off": "board powered off in a cell",
    "test_the_network_is_cut_and_back": "network cut and back",
    "test_the_network_is_cut_for_good": "network cut for good",
    "test_sshd_killed_and_back": "sshd killed",
    "test_the_runner_hangs": "runner hung",
    "test_the_oom_killer": "runner killed by the OOM killer",
    "test_the_boards_disk_is_full": "board's disk full",
    "test_an_upload_is_corrupted": "upload corrupted",
    "test_the_host_key_changes_on_the_way": "host key changed",
    "test_two_controllers": "two controllers on one board",
    "test_the_controller_is_killed": "controller killed -9, then --resume",
    "test_the_controllers_disk_is_full": "controller's disk full",
    "test_the_boards_clock_is_stepped": "board's clock stepped by years",
}


class Collector:
    """Records each test's observations and outcome."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self.faults: list[tuple[str, str, str]] = []
        self.hostile: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        if report.when == "call" or report.outcome != "passed":
            skipped = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
            if self.ended.get(name) in (None, "passed"):
                self.ended[name] = f"{report.outcome} {skipped}".strip()
        if report.when == "call" and report.passed:
            said = {key: str(value) for key, value in report.user_properties}
            if "fault" in said:
                self.faults.append((said["fault"], said["produced"], said["outcome"]))
            elif "hostile" in said:
                self.hostile.append((said["hostile"], said["outcome"]))


def table(collector: Collector) -> str:
    """The table as Markdown."""
    there = {fault: (how, outcome) for fault, how, outcome in collector.faults}
    lines = ["| fault | really produced by | outcome |", "|---|---|---|"]
    for test, fault in FAULTS.items():
        how, outcome = there.pop(fault, ("-", collector.ended.get(test, "not run").upper()))
        lines.append(f"| {fault} | {how} | {outcome} |")
    shown = sum(collector.ended.get(test) == "passed" for test in FAULTS)
    lines += [f"| {fault} | {how} | {outcome} |" for fault, (how, outcome) in there.items()]
    lines += ["", f"{shown}/{len(FAULTS)} faults end as specified.", "", "| hostile answer | outcome |", "|---|---|"]
    lines += [f"| {name} | {outcome} |".replace("<", "&lt;") for name, outcome in collector.hostile]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="also write the table here")
    options = parser.parse_args()
    collector = Collector()
    tests = [*(REPOSITORY / "tests/run").glob("test_faults*.py"), REPOSITORY / "tests/remote/test_hostile.py"]
    code = pytest.main(["-q", "--rootdir", str(REPOSITORY), *map(str, tests)], plugins=[collector])
    text = table(collector)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    sys.exit(main())
