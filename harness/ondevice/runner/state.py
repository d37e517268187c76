"""Reads the board's raw state. The job names the sources, and the controller parses the texts."""

import os
import re
import shutil
import subprocess
import time
from typing import Dict, List, Sequence

from .clock import now_ns
from .files import names_in, read
from .process import own_use
from .shapes import Json

#: Linux's clock that continues while the machine sleeps. Python has a name for it since 3.7.
CLOCK_BOOTTIME = 7


class Board(object):
    """Reads the board's state.

    ``sources`` is :class:`harness.records.order.Sources` as JSON. ``root`` (for tests) is a folder whose files replace
    those of /proc and /sys, and whose ``bin`` comes first in the search path.
    """

    def __init__(self, root: str, sources: Json) -> None:
        self.root = root
        self.sources = sources
        self.files = list(sources.get("files", ())) + self._sensors()
        self.repeated: List[List[str]] = []

    def at(self, path: str) -> str:
        return self.root + path if self.root and os.path.exists(self.root + path) else path

    def names(self, folder: str) -> List[str]:
        return names_in(self.at(folder))[:256]

    def entries(self, folder: str, prefix: str, names: Sequence[str]) -> Dict[str, str]:
        """{path: text} of small files such as /sys/class/thermal/thermal_zone*/temp."""
        texts: Dict[str, str] = {}
        for entry in [name for name in self.names(folder) if name.startswith(prefix)][:64]:
            for name in names:
                path = os.path.join(folder, entry, name)
                text = read(self.at(path))
                if text is not None:
                    texts[path] = text
        return texts

    def _folders(self, base: str, patterns: Sequence[str]) -> List[str]:
        """The folders below ``base`` whose names match one pattern each, level by level."""
        folders = [base]
        for pattern in patterns:
            matches = re.compile(pattern).match
            folders = [os.path.join(folder, name) for folder in folders for name in self.names(folder) if matches(name)]
        return folders

    def _sensors(self) -> List[str]:
        """At most 64 files with power, energy, or both voltage and current of a channel."""
        is_sensor = re.compile("|".join(self.sources.get("sensor_files", ()))).fullmatch
        is_channel = re.compile(self.sources.get("sensor_channels", "")).fullmatch
        paths: List[str] = []
        for base, patterns in self.sources.get("sensor_folders", ()):
            for folder in self._folders(base, patterns):
                names = self.names(folder)
                chosen = [name for name in names if is_sensor(name)]
                for name in names:
                    match = is_channel(name)
                    if match and "curr%s_input" % match.group(2) in names and "in%s_input" % match.group(2) in names:
                        chosen.append(name)
                if any(name not in ("name", "label") for name in chosen):
                    paths += [os.path.join(folder, name) for name in chosen]
        return paths[:64]

    def state(self) -> Dict[str, str]:
        """The board's present state, and the resources of this process. It takes about a millisecond."""
        state: Dict[str, str] = {}
        for path in self.files:
            text = read(self.at(path))
            if text is not None:
                state[path] = text
        for folder, prefix, names in self.sources.get("entries", ()):
            state.update(self.entries(folder, prefix, names))
        for words in self.repeated:
            state.update(command(*words, root=self.root))
        state["/proc/stat cpu"] = (read("/proc/stat") or "").split("\n")[0]
        state["wall_s"] = repr(time.time())
        state["monotonic_ns"] = str(now_ns())
        try:
            state["boottime_ns"] = str(int(time.clock_gettime(CLOCK_BOOTTIME) * 1e9))
        except (OSError, ValueError):
            pass
        state.update(own_use())
        return state

    def full_state(self) -> Dict[str, str]:
        """The state, and the answers of all commands.

        Commands start processes, so only the repeated ones run between passes.
        """
        state: Dict[str, str] = {}
        for words in self.sources.get("commands", ()):
            state.update(command(*words, root=self.root))
        self.repeated = [words for words in self.sources.get("repeated", ()) if " ".join(words) in state]
        state.update(self.state())
        return state


def command(*words: str, root: str = "") -> Dict[str, str]:
    """{"vcgencmd get_throttled": its answer}; empty if the command is missing or fails."""
    path = (root + "/bin:" if root else "") + os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/opt/vc/bin"
    if not shutil.which(words[0], path=path):  # starting what isn't there costs milliseconds
        return {}
    try:
        done = subprocess.run(
            list(words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, env=dict(os.environ, PATH=path)
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    text = done.stdout[:4000].decode("ascii", "replace").strip()
    return {" ".join(words): text} if text and done.returncode == 0 else {}


def cpuinfo() -> List[str]:
    """The lines of /proc/cpuinfo that identify the processor, without repetitions."""
    keep = (
        "model name",
        "Model",
        "Hardware",
        "CPU implementer",
        "CPU part",
        "CPU revision",
        "CPU variant",
        "CPU architecture",
    )
    lines: List[str] = []
    for line in (read("/proc/cpuinfo", 1 << 18) or "").splitlines():
        if line.split("\t")[0].split(":")[0].strip() in keep and line not in lines:
            lines.append(line)
    return lines[:64]
