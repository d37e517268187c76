"""What a board does wrong, acted out on the board's side of a loopback SSH server: its own commands, files, libraries.

Nothing here reaches into the harness: the runner is the one that is shipped, and the fakes are what it finds there.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.sshd_fixtures import Sshd

#: The runner is at work once the runtime is mapped: its "before" is read by then, and a warm-up is still to come.
_AT_WORK = "while ! grep -q litert /proc/$$/maps 2>/dev/null; do sleep 0.02; done; sleep 0.2"

#: A TFLite delegate that loads, takes no node and says nothing: what a driver does that falls back silently.
_IDLE_DELEGATE = """
#include <stdlib.h>
struct context;
struct delegate { void *data; int (*prepare)(struct context *, struct delegate *); void *copy[3]; long flags[4]; };
static int prepare(struct context *c, struct delegate *d) { (void)c; (void)d; return 0; }
struct delegate *tflite_plugin_create_delegate(char **k, char **v, size_t n, void (*e)(const char *)) {
  (void)k; (void)v; (void)n; (void)e;
  struct delegate *d = calloc(1, sizeof *d);
  d->prepare = prepare;
  return d;
}
void tflite_plugin_destroy_delegate(struct delegate *d) { free(d); }
"""


def program(sshd: Sshd, name: str, text: str) -> None:
    """A shell script that comes first on the board's PATH."""
    path = sshd.bin / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def python(sshd: Sshd, *, meanwhile: str = "", site: str = "", libraries: Path | None = None) -> None:
    """Put a python3 in front of the board's that runs the runner with something wrong.

    Args:
        meanwhile: a shell command to run while the runner is at work.
        site: Python code that the runner's interpreter runs when it starts (sitecustomize).
        libraries: a folder for the dynamic linker to look in first.
    """
    real = shutil.which("python3")
    lines = ['case "$2" in */objects/*) ;; *) exec ' + f'{real} "$@";; esac']
    if site:
        (sshd.folder / "site").mkdir()
        (sshd.folder / "site/sitecustomize.py").write_text(site)
        lines.append(f'export PYTHONPATH="{sshd.folder}/site:$PYTHONPATH"')
    if libraries:
        lines.append(f"export LD_LIBRARY_PATH={libraries}")
    if meanwhile:
        lines.append(f"({_AT_WORK}; {meanwhile}) </dev/null >/dev/null 2>&1 &")
    program(sshd, "python3", "\n".join([*lines, f'exec {real} "$@"']))


def patched(cls_code: str) -> str:
    """``sitecustomize`` text that changes the runtime's Interpreter class, named ``Interpreter``, once it is loaded."""
    return (
        "import sys, importlib.abc, importlib.machinery\n"
        "def change(Interpreter):\n"
        + "".join(f"    {line}\n" for line in cls_code.splitlines())
        + "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name != 'ai_edge_litert.interpreter': return None\n"
        "        spec = importlib.machinery.PathFinder.find_spec(name, path)\n"
        "        load = spec.loader.exec_module\n"
        "        def run(module): load(module); change(module.Interpreter)\n"
        "        spec.loader.exec_module = run\n"
        "        return spec\n"
        "sys.meta_path.insert(0, Finder())\n"
    )


def idle_delegate(folder: Path) -> Path:
    """Build ``libedgetpu.so.1`` that delegates nothing; returns its folder."""
    folder.mkdir()
    source = folder / "idle.c"
    source.write_text(_IDLE_DELEGATE)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", str(folder / "libedgetpu.so.1"), str(source)], check=True, timeout=60
    )
    return folder


def state_files(root: Path, *, governor: str = "performance", khz: int = 1_500_000) -> Path:
    """A folder whose files stand in for those of /sys: one cpufreq policy. Returns the policy's folder."""
    policy = root / "sys/devices/system/cpu/cpufreq/policy0"
    policy.mkdir(parents=True)
    for name, value in (("scaling_governor", governor), ("scaling_cur_freq", khz), ("scaling_max_freq", khz)):
        (policy / name).write_text(f"{value}\n")
    return policy
