"""A user who has never used the harness: a fresh home folder, OpenSSH's defaults, and the public commands.

OpenSSH takes the home folder from the user database. nss_wrapper gives a process and its children a separate database,
in which our user is called ``stranger`` and has the fresh home folder. All capabilities are dropped, so that a file
that its owner may not read can't be read, as for any user other than root.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.made import sshd
from benchmarks.strangers.servers import Server, make_key
from harness.core.paths import cache_dir

REPOSITORY = Path(__file__).parents[2]
#: The variables that the machine itself needs to reach a package index; all others are dropped.
_KEPT = ("PIP_", "SSL_", "REQUESTS_", "CURL_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")
#: Tests share their machine with others, and a stranger's test is not about the stability of a series.
LENIENT = dict.fromkeys((*sshd.LENIENT, "stopped_s"))


@dataclass(frozen=True)
class Finding:
    """The outcome for one board."""

    code: str
    text: str
    healthy: bool
    connected: bool


class Findings(dict[str, Finding]):
    """The doctor's findings for each board; ``error`` is its output where it gave no answer."""

    error = ""


class Stranger:
    """One user. ``names`` maps host names to addresses, as in /etc/hosts."""

    def __init__(self, home: Path, names: Mapping[str, str] | None = None) -> None:
        self.home = home
        home.mkdir()
        database = home.with_name(f"{home.name}.nss")
        database.mkdir()
        (database / "passwd").write_text(
            f"stranger:x:{os.geteuid()}:{os.getegid()}::{home}:/bin/bash\n", encoding="utf-8"
        )
        (database / "group").write_text(f"stranger:x:{os.getegid()}:\n", encoding="utf-8")
        (database / "hosts").write_text(
            "".join(f"{address} {name}\n" for name, address in (names or {}).items()), encoding="utf-8"
        )
        library = {"LD_PRELOAD": "libnss_wrapper.so"}
        library |= {f"NSS_WRAPPER_{part.upper()}": str(database / part) for part in ("passwd", "group", "hosts")}
        self.env = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        self.env |= {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
        self.env |= {"USER": "stranger", "LOGNAME": "stranger", "SHELL": "/bin/bash", "PYTHONPATH": str(REPOSITORY)}
        pip = Path("~/.config/pip/pip.conf").expanduser()
        if pip.exists():
            self.env["PIP_CONFIG_FILE"] = str(pip)
        self.env |= library
        self._share_downloads()

    def _share_downloads(self) -> None:
        """Share runtimes, images and golden outputs with this machine, since they are large and never change."""
        own = self.home / ".cache/edge-harness"
        own.mkdir(parents=True)
        for name in ("wheels", "images", "golden"):
            (cache_dir() / name).mkdir(parents=True, exist_ok=True)
            (own / name).symlink_to((cache_dir() / name).resolve())

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the stranger starts it, in the home folder."""
        return subprocess.run(
            ["setpriv", "--bounding-set=-all", *words], cwd=self.home, env={**self.env, **(env or {})}, input=stdin,
            capture_output=True, encoding="utf-8", timeout=timeout, check=False, errors="replace",
        )  # fmt: skip

    def write(self, name: str, content: str | bytes, *, mode: int = 0o600) -> Path:
        """Write a file in the home folder, or in ``~/.ssh`` when the name starts so."""
        path = self.home / name
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o700)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def make_key(self, name: str = "id_ed25519", kind: str = "ed25519", *options: str, passphrase: str = "") -> str:
        """Run ``ssh-keygen`` into ``~/.ssh``; returns the public line."""
        (self.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        return make_key(self.home / ".ssh" / name, kind, *options, passphrase=passphrase)

    def ssh(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run plain ``ssh`` without prompts."""
        return self.run("ssh", "-o", "BatchMode=yes", *words, env=env)

    def log_in_once(self, server: Server, user: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run ``ssh`` once by hand; the option replaces the user who compares the fingerprint and accepts it."""
        port = [] if server.port == 22 else ["-p", str(server.port)]
        return self.ssh("-o", "StrictHostKeyChecking=accept-new", *port, *options, f"{user}@{server.address}", "true")

    def harness(
        self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "harness", *words, env=env, timeout=timeout)

    def list_boards(self, *devices: Mapping[str, object], name: str = "devices.yaml") -> Path:
        """Write the device list."""
        entries = [{"board": "generic", "thresholds": dict(LENIENT), **device} for device in devices]
        return self.write(name, yaml.safe_dump({"devices": entries}, sort_keys=False), mode=0o644)

    def doctor(self, devices: Path, *words: str, env: Mapping[str, str] | None = None) -> Findings:
        """Run ``harness doctor --json``."""
        done = self.harness("doctor", "--devices", str(devices), "--json", *words, env=env, timeout=180)
        findings = Findings()
        try:
            listed = json.loads(done.stdout)["devices"]
        except (ValueError, KeyError):
            findings.error = f"exit {done.returncode}: {done.stderr[-3000:]}"
            return findings
        if "Traceback" in done.stderr:
            findings.error = done.stderr[-3000:]
        for name, checks in listed.items():
            findings[name] = _finding(checks)
        return findings

    def measure(
        self, devices: Path, *words: str, models: Path = REPOSITORY / "models", env: Mapping[str, str] | None = None
    ) -> Findings:
        """Run ``harness run`` with one small network; a finding is healthy where every cell is VALID."""
        results = self.home / "results"
        if results.exists():
            shutil.rmtree(results)
        done = self.harness(
            "run", "--devices", str(devices), "--json", "--quick", "--model", "mobilenet-v3-small", "--variant", "int8",
            "--models", str(models), "--results", str(results), "--reports", str(self.home / "reports"), *words,
            env=env, timeout=1200,
        )  # fmt: skip
        findings = Findings()
        if "Traceback" in done.stderr or done.returncode not in (0, 1):
            findings.error = f"exit {done.returncode}: {done.stderr[-3000:]}"
        for path in sorted(results.glob("*/cells/*.json")):
            cell = json.loads(path.read_text(encoding="utf-8"))
            wrong = cell["reasons"][0] if cell["reasons"] else {"code": "", "text": ""}
            findings[cell["device"]["name"]] = Finding(
                wrong["code"], wrong["text"], cell["status"] == "VALID", cell["status"] != "FAILED"
            )
        return findings


def _finding(checks: Sequence[Mapping[str, Any]]) -> Finding:
    """A board's checks as one finding: the first error, and the text of all errors."""
    errors = [check for check in checks if check["severity"] == "error"]
    said = " / ".join(f"{check['text']} {check['fix']}".strip() for check in errors)
    reached = any(check["code"] == "reachable" and check["severity"] == "ok" for check in checks)
    return Finding(errors[0]["code"] if errors else "", said, not errors, reached)


def as_ssh(device: Mapping[str, object]) -> list[str]:
    """The ``ssh`` command line equivalent to a device of devices.yaml."""
    words: list[str] = []
    for key, option in (("port", "-p"), ("user", "-l"), ("identity_file", "-i"), ("proxy_jump", "-J")):
        if key in device:
            words += [option, str(device[key])]
    if "known_hosts" in device:
        words += ["-o", f"UserKnownHostsFile={shlex.quote(str(device['known_hosts']))}"]
    return [*words, str(device["host"])]
