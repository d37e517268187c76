"""docs/real-board.md, word by word, with a fresh home folder and an emulated board that is reached as a real one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks.strangers import Stranger, World
from benchmarks.strangers.stranger import LENIENT
from harness.emulate import requirements
from tests.conftest import MODELS, REPOSITORY
from tests.strange.by_hand import type_in

PAGE = REPOSITORY / "docs/real-board.md"
#: The way from nothing to the first cell ends here: what follows takes an emulated board hours.
LAST = "harness run .* --quick"
STEPS = ["ssh-keygen", "ssh-copy-id", "ssh", "harness", "harness"]


def commands() -> list[str]:
    """The page's commands, in order, up to the first cell."""
    found: list[str] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        found += [line.strip()[2:] for line in block.splitlines() if line.strip().startswith("$ ")]
    (last,) = [number for number, command in enumerate(found) if re.match(LAST, command)]
    return found[: last + 1]


def device() -> dict[str, object]:
    """The page's device."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (found,) = yaml.safe_load(blocks[0])["devices"]
    return dict(found)


def test_the_page_has_these_steps() -> None:
    assert [command.split()[0] for command in commands()] == STEPS
    line = device()
    assert {f"{line['user']}@{line['host']}"} == {
        word for command in commands() for word in command.split() if "@" in word
    }


@dataclass(frozen=True)
class Emulated:
    """The board, and how its maker gets in."""

    port: int
    user: str
    identity_file: str
    host_key: str

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -lf`` shows it on the board's own screen."""
        digest = hashlib.sha256(base64.b64decode(self.host_key.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@pytest.fixture
def emulated(tmp_path: Path, cache: Path) -> Iterator[Emulated]:
    """A Raspberry Pi 4 with a wall clock, on for as long as the test."""
    if requirements():
        pytest.skip(f"missing: {', '.join(requirements())}")
    listed = tmp_path / "emulated.yaml"
    name = f"guide-{os.getpid()}"
    listed.write_text(yaml.safe_dump({"devices": [{"name": name, "board": "raspberry-pi-4", "emulate": True}]}))

    def emulate(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "emulate", *words], cwd=tmp_path, capture_output=True, text=True,
            timeout=900, check=False, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    emulate("up", name, "--devices", str(listed), "--clock", "wall")
    try:
        state = json.loads((cache / "emulated" / f"{name}.json").read_text())
        yield Emulated(state["port"], state["user"], state["identity_file"], state["host_key"])
    finally:
        emulate("down", name)


def here(command: str, line: dict[str, object], board: Emulated) -> str:
    """A command of the page for this board: its user, and its port, which the page tells how to give."""
    command = command.replace(f"{line['user']}@{line['host']}", f"{board.user}@{line['host']}")
    program, rest = command.split(" ", 1)
    if program == "ssh":
        return f"ssh -p {board.port} {rest}"
    if program == "ssh-copy-id":
        # The board has no password; the key of the board's maker stands for it. With that key everything would seem to
        # be there already, so -f leaves this question out.
        return f"ssh-copy-id -f -p {board.port} -o IdentityFile={shlex.quote(board.identity_file)} {rest}"
    if program == "harness":
        extra = f" --models {shlex.quote(str(MODELS))}" if rest.startswith("run") else ""
        return f"{shlex.quote(sys.executable)} -m harness {rest}{extra}"
    return command


@pytest.mark.slow
@pytest.mark.qemu
def test_word_by_word(world: World, emulated: Emulated) -> None:
    line = device()
    stranger: Stranger = world.stranger({str(line["host"]): "127.0.0.1"})
    (stranger.home / ".ssh").mkdir(mode=0o700)
    answers = [
        (r"\(y/n\)\? $|overwrite", "n\n"),
        (r"(?i)passphrase.*: ?$", "\n"),
        (r"\(yes/no/\[fingerprint\]\)\? $", "yes\n"),
        (r"[$#] $", "exit\n"),
        (r"(?i)password: $", "\x03"),
    ]
    # whether numbers are steady is not what is tested here, and an emulated board's wall clock is not
    entry = {**line, "user": emulated.user, "port": emulated.port, "thresholds": {**LENIENT, "clock_step_s": None}}
    (stranger.home / "devices.yaml").write_text(yaml.safe_dump({"devices": [entry]}))
    asked = 0
    for command in commands():
        code, shown = type_in(stranger, here(command, line, emulated), answers, timeout=900)
        assert code == 0, f"{command}\n{shown}"
        assert "Traceback" not in shown, shown
        assert not re.search("(?i)password:", shown), shown
        if "(yes/no/" in shown:
            asked += 1
            assert emulated.fingerprint in shown, shown
    assert asked == 1
    cells = [json.loads(path.read_text()) for path in stranger.home.glob("results/*/cells/*.json")]
    assert cells
    assert {cell["status"] for cell in cells} == {"VALID"}, [cell["reasons"] for cell in cells]
    assert (stranger.home / "reports/index.html").is_file()
