"""Boards that misbehave: many loopback "boards" behind real SSH servers, and stand-ins for their ``python3``.

Each board has its own port, home folder and ``bin``, and so its own store, lease and programs. A stand-in replaces
``python3`` on that board's PATH: the controller sees a real SSH server and a real process that answers as the stand-in
decides.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made.answers import good
from benchmarks.made.sshd import LENIENT, SSHD, free_port, make_key
from harness.config import devices as config

#: The interpreter behind the stand-ins: the base one, as on a board; it starts faster than that of an environment.
PYTHON = str(getattr(sys, "_base_executable", sys.executable))

#: The stand-in's frame. The agent is real except for "have": everything counts as sent, so that a board is ready at
#: once. ``job`` is the runner's order, ``answer`` a correct answer to it, ``write`` puts an answer where it belongs.
FRAME = """#!{python} -S
import json, os, sys, time
HERE = os.path.dirname(os.path.abspath(__file__))
def count(name):
    with open(os.path.join(HERE, name), "a") as handle:
        handle.write("x")
        return handle.tell()
def real():
    os.execv({python!r}, ["python3"] + sys.argv[1:])
if sys.argv[1] == "-c":
    command = sys.argv[3]
    {agent}
    if command == "have" and {ready}:
        sys.exit(print(json.dumps({{"have": sys.argv[5:]}})))
    real()
result = sys.argv[sys.argv.index("--result") + 1]
cells = count("cells")
if {use_real}:
    {runner}
    real()
job = json.loads(sys.stdin.readline())
answer = json.load(open(os.path.join(HERE, "good.json")))
n = {n}
answer.update(cell=job["cell"], model_sha256=job["model_sha256"], inputs_sha256=job["inputs_sha256"],
              predictions=[0] * n, latency_ns=[1000000] * (3 * n))
def write(answer):
    raw(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
def raw(data):
    os.makedirs(os.path.dirname(result), exist_ok=True)
    with open(result, "wb") as handle:
        handle.write(data)
{body}
write(answer)
"""


def indented(code: str, by: int) -> str:
    return code.strip().replace("\n", "\n" + " " * by) or "pass"


@dataclass(frozen=True)
class Place:
    """One board: its port, its home folder, and the folder at the front of its PATH."""

    name: str
    port: int
    home: Path
    bin: Path

    @property
    def root(self) -> Path:
        return self.home / ".cache" / "harness"

    def python(self, body: str = "", *, agent: str = "", runner: str = "", real: bool = False, n: int = 20) -> None:
        """Put a stand-in at the front of this board's PATH.

        ``body`` answers as the runner; ``runner`` with ``real`` runs before the real runner takes over; ``agent`` runs
        before the agent's part, and can use its ``command``.
        """
        text = FRAME.format(
            python=PYTHON, body=body.strip(), agent=indented(agent, 4), runner=indented(runner, 4),
            use_real=real, ready=not real, n=n,
        )  # fmt: skip
        (self.bin / "good.json").write_text(json.dumps(good()), encoding="utf-8")
        part = self.bin / ".python3"
        part.write_text(text, encoding="utf-8")
        part.chmod(0o755)
        part.replace(self.bin / "python3")

    def cells_started(self) -> int:
        with contextlib.suppress(OSError):
            return (self.bin / "cells").stat().st_size
        return 0


class Farm:
    """Loopback boards, each with its own sshd (one process each; they share keys and known_hosts)."""

    def __init__(self, folder: Path, names: list[str], *, address: str = "127.0.0.1", netns: str | None = None) -> None:
        self.folder, self.address, self.netns = folder, address, netns
        self.places = {n: Place(n, free_port(), folder / n / "home", folder / n / "bin") for n in names}
        for place in self.places.values():
            place.home.mkdir(parents=True)
            place.bin.mkdir()
        self.client_key, self.known_hosts = folder / "client", folder / "known_hosts"
        (folder / "authorized").write_text(make_key(self.client_key) + "\n", encoding="utf-8")
        kind, body = make_key(folder / "host").split()[:2]
        pinned = (f"[{address}]:{place.port} {kind} {body}\n" for place in self.places.values())
        self.known_hosts.write_text("".join(pinned), encoding="utf-8")
        Path("/run/sshd").mkdir(exist_ok=True)
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        for name in names:
            self.start(name)
        for name in names:
            self.wait(name)

    def start(self, name: str, *, host_key: str = "host") -> None:
        place, log = self.places[name], self.folder / name / "log"
        path = f"{place.bin}:{os.environ['PATH']}"
        (self.folder / name / "sshd_config").write_text(
            f"Port {place.port}\nListenAddress {self.address}\nHostKey {self.folder}/{host_key}\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f'SetEnv "HOME={place.home}" "PATH={path}"\nPermitRootLogin yes\n',
            encoding="utf-8",
        )
        inside = ["ip", "netns", "exec", self.netns] if self.netns else []
        with log.open("wb") as handle:
            self.servers[name] = subprocess.Popen(
                [*inside, str(SSHD), "-D", "-e", "-f", str(self.folder / name / "sshd_config")],
                stdout=handle, stderr=handle, start_new_session=True,
            )  # fmt: skip

    def wait(self, name: str) -> None:
        """Wait until the server listens."""
        log = self.folder / name / "log"
        for _ in range(400):
            if b"Server listening" in log.read_bytes():
                return
            if self.servers[name].poll() is not None:
                break
            threading.Event().wait(0.05)
        raise AssertionError(log.read_text(encoding="utf-8"))

    def kill(self, name: str) -> None:
        """Kill a board's server and all that it started, at once and silently."""
        server = self.servers.pop(name)
        below = descendants(server.pid)
        for pid in (server.pid, *below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait(10)

    def stop(self) -> None:
        for name in list(self.servers):
            self.kill(name)

    def entry(self, name: str, **more: object) -> dict[str, object]:
        """A board as an entry of devices.yaml."""
        return {
            "name": name,
            "board": "generic",
            "host": self.address,
            "port": self.places[name].port,
            "user": getpass.getuser(),
            "identity_file": str(self.client_key),
            "known_hosts": str(self.known_hosts),
            "rounds": 1,  # these tests look at one round; tests/run/test_round_robin.py has several
            # a stand-in runner answers arbitrarily, so its predictions are not the artifact's
            "thresholds": {**LENIENT, "predictions": None, "drift": None, "dispersion": None},
            **more,
        }

    def fleet(self, *names: str, **more: object) -> config.Fleet:
        return fleet(*(self.entry(name, **more) for name in names or self.places))


def fleet(*devices: dict[str, object]) -> config.Fleet:
    """Entries of devices.yaml, read as the harness reads them."""
    return config.parse(json.dumps({"devices": list(devices)}))  # JSON is YAML, without anchors


def descendants(pid: int) -> list[int]:
    """Processes below ``pid``, deepest last."""
    found = []
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, encoding="utf-8", check=False)
    for child in map(int, done.stdout.split()):
        found += [child, *descendants(child)]
    return found
