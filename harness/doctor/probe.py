"""The one command that collects everything about a board, and the parser that splits its output into sections.

There is one command, since a connection costs more than all of it. It needs only a POSIX shell and changes nothing. A
section is empty where a board lacks its source. Commands that may hang or ask for a password are bounded (``timeout``,
``sudo -n``). Variables name what can be skipped: ``HARNESS_PYTHON=known`` and ``HARNESS_GPU=none``; ``HARNESS_DIR`` is
the folder whose disk counts.
"""

from __future__ import annotations

from harness.boards.registry import SECTIONS as BOARD_SECTIONS

#: Starts the lines that begin a section. A board that prints such a line itself only spoils its own answer.
MARK = "@@harness "

#: A longer output is not an answer to the probe; the connection should cut it off there.
MAX_ANSWER_BYTES = 64 << 10

_SECTIONS = {
    "kernel": "uname -srm",
    "model": "tr -d '\\000' </proc/device-tree/model",
    "os": "grep -E '^(PRETTY_NAME|VERSION_CODENAME)=' /etc/os-release",
    "cpu": "grep -E '^(CPU part|model name)' /proc/cpuinfo | sort | uniq -c",
    "python": (
        '[ "$HARNESS_PYTHON" = known ] || '
        "python3 -c 'import importlib.util,platform,struct,sys;"
        'print("%d.%d.%d"%sys.version_info[:3],struct.calcsize("P")*8,platform.machine(),'
        '"numpy" if importlib.util.find_spec("numpy") else "-")\''
    ),
    "libc": "getconf GNU_LIBC_VERSION || ldd --version 2>&1 | head -n 1",
    "cpufreq": (
        "for d in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do c=${d%/cpufreq}; echo ${c##*/}"
        " $(cat $d/scaling_governor) $(cat $d/scaling_cur_freq) $(cat $d/scaling_min_freq)"
        " $(cat $d/scaling_max_freq) $(cat $d/cpuinfo_max_freq); done"
    ),
    "thermal": "for d in /sys/class/thermal/thermal_zone*; do echo $(cat $d/type) $(cat $d/temp); done",
    **BOARD_SECTIONS,
    "disk": 'df -Pk "${HARNESS_DIR:-$HOME}"',
    "memory": "grep -E '^Mem(Total|Available):' /proc/meminfo",
    "load": "cat /proc/loadavg",
    "clock": "date +%s.%N",
}

#: The shell command to run on the board. Its exit status is 0 whatever is missing there.
PROBE = (
    "export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/opt/vc/bin\n"
    + "".join(f"echo '{MARK}{name}'\n{{ {command}; }} 2>/dev/null\n" for name, command in _SECTIONS.items())
    + f"echo '{MARK}end'\n"
)


def sections(answer: str) -> dict[str, str]:
    """The answer's sections by name, without surrounding blanks; missing ones are ``""``, unknown ones are left out.

    ``end`` is ``"end"`` where the answer is complete, else ``""``: the connection broke or the board cut it short.
    """
    answers = dict.fromkeys(_SECTIONS, "")
    answers["end"] = ""
    name: str | None = None
    lines: list[str] = []
    for line in [*answer[:MAX_ANSWER_BYTES].splitlines(), MARK]:
        if line.startswith(MARK):
            if name in _SECTIONS:
                answers[name] = "\n".join(lines).strip()
            name, lines = line.removeprefix(MARK).strip(), []
            if name == "end":
                answers["end"] = "end"
        else:
            lines.append(line)
    return answers
