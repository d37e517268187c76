"""Coral Edge TPU: the compiler's log, which tells which operators stay on the CPU, and the check for the device.

Format: coral.ai, "Edge TPU Compiler". The log has no machine-readable form. Versions 2 to 16 differ in a few lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.boards.cores import CacheLevel, Core
from harness.boards.family import BoardFamily, BoardGroup, ProbeAnswers, System
from harness.core.check import Check
from harness.core.safetext import clean

#: USB ids of a Coral USB Accelerator: before its first use after power-up, and after (coral.ai, "Get started").
USB_FRESH = "1a6e:089a"
USB_READY = "18d1:9302"

_MAPPED = "Mapped to Edge TPU"
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_OPERATOR = re.compile(r"^([A-Z][A-Z0-9_]{0,60}) +(\d{1,7}) +(\S.{0,199}?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Operator:
    """A row of the log's table: ``count`` operators of one kind, with the compiler's ``status`` text for them."""

    name: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether these operators run on the Edge TPU."""
        return self.status == _MAPPED


@dataclass(frozen=True)
class CompilerLog:
    """The result of ``edgetpu_compiler`` for one model.

    Attributes:
        version: the compiler's version; None if not shown.
        compiled: whether the compiler succeeded.
        subgraphs: number of parts that run on the Edge TPU. With more than 1, each inference transfers data between
            Edge TPU and CPU several times. None if not shown.
        total: number of operators in the model; None if not shown.
        on_tpu, on_cpu: number of operators by where they run, from the table, else from the summary lines.
        on_chip_bytes, off_chip_bytes: parameters kept in the Edge TPU's memory, and parameters sent for each inference.
        operators: the rows of the table in order; empty without the option ``-s`` and without the log file.
    """

    version: str | None
    compiled: bool
    subgraphs: int | None
    total: int | None
    on_tpu: int
    on_cpu: int
    on_chip_bytes: int | None
    off_chip_bytes: int | None
    operators: tuple[Operator, ...]

    @property
    def complete(self) -> bool:
        """Whether the listed operators add up to those of the model."""
        return self.total is None or self.on_tpu + self.on_cpu == self.total


def parse_compiler_log(text: str) -> CompilerLog | None:
    """Parse the compiler's output (with ``-s``) or its ``*_edgetpu.log``; None if the text is neither."""
    version = re.search(r"Edge TPU Compiler version (\S{1,40})", text)
    rows = tuple(Operator(name, int(count), status) for name, count, status in _OPERATOR.findall(text))
    tpu, cpu = _number(r"Number of operations that will run on Edge TPU: *", text), _number(
        r"Number of operations that will run on CPU: *", text
    )  # fmt: skip
    if version is None and not rows and tpu is None:
        return None
    total = _number(r"Total number of operations: *", text)
    if rows:
        tpu = sum(row.count for row in rows if row.mapped)
        cpu = sum(row.count for row in rows if not row.mapped)
    elif tpu is None and total is not None and "not all operations are supported" not in text:
        tpu = total  # the compiler prints no summary lines if all operators are mapped
    failed = re.search(r"Compilation failed|Invalid model|Internal compiler error|Model not quantized", text)
    return CompilerLog(
        version=version[1] if version else None,
        compiled=failed is None and (bool(rows) or tpu is not None),
        subgraphs=_number(r"Number of Edge TPU subgraphs: *", text),
        total=total,
        on_tpu=tpu or 0,
        on_cpu=cpu or 0,
        on_chip_bytes=_size(r"On-chip memory used for caching model parameters: *", text),
        off_chip_bytes=_size(r"Off-chip memory used for streaming uncached model parameters: *", text),
        operators=rows,
    )


def _number(before: str, text: str) -> int | None:
    match = re.search(before + r"(\d{1,7})\b", text)
    return int(match[1]) if match else None


def _size(before: str, text: str) -> int | None:
    match = re.search(before + r"(\d{1,9}(?:\.\d{1,6})?) ?(B|KiB|MiB|GiB)\b", text)
    return round(float(match[1]) * _UNITS[match[2]]) if match else None


def check_compiler_log(text: str) -> list[Check]:
    """Check which operators run on the Edge TPU. No operator there, or a failed compilation, is an error.

    Operators left on the CPU are a warning that names them with the compiler's reason.
    """
    log = parse_compiler_log(text)
    if log is None or not log.compiled:
        shown = clean(next((line for line in text.splitlines() if line.strip()), "nothing"))
        fix = "the model must be full int8 with a fixed batch of 1"
        return [Check("edgetpu-not-compiled", "error", f"edgetpu_compiler did not compile it: {shown}", fix)]
    if log.on_tpu == 0:
        fix = "check that inputs, outputs and weights are int8; the first refused operator ends the Edge TPU's part"
        text = f"all {log.on_cpu} operators stay on the CPU"
        return [Check("edgetpu-none-mapped", "error", text, fix), *_left(log)]
    checks = _left(log)
    if log.subgraphs is not None and log.subgraphs > 1:
        text = f"{log.subgraphs} parts on the Edge TPU: data goes to and fro between it and the CPU"
        checks.append(Check("edgetpu-subgraphs", "warning", text, "avoid the operators that are left on the CPU"))
    if log.off_chip_bytes:
        text = f"{log.off_chip_bytes / (1 << 20):.2f} MiB of parameters are sent again for every inference"
        checks.append(
            Check("edgetpu-streamed", "warning", text, "use a smaller or pruned network (about 8 MB on chip)")
        )
    if not log.complete:
        text = f"the log tells of {log.on_tpu + log.on_cpu} of {log.total} operators"
        checks.append(Check("edgetpu-log-incomplete", "warning", text, "run the compiler again with -s"))
    return checks or [Check("edgetpu-mapped", "ok", f"all {log.on_tpu} operators run on the Edge TPU")]


def _left(log: CompilerLog) -> list[Check]:
    if not log.on_cpu:
        return []
    left = [row for row in log.operators if not row.mapped]
    names = "; ".join(f"{row.count} {row.name}: {clean(row.status)}" for row in left)
    text = f"{log.on_cpu} of {log.on_cpu + log.on_tpu} operators stay on the CPU" + (f" ({names})" if names else "")
    return [Check("edgetpu-partly-mapped", "warning", text, "replace these operators, or accept the slower CPU part")]


def check_device(usb: str, edgetpu: str) -> list[Check]:
    """Check for an Edge TPU on PCIe (``/dev/apex_0``) or USB, and for the library that uses it.

    Args:
        usb: lines ``vendor:product speed``, the speed in Mbit/s.
        edgetpu: names of ``/dev/apex_*`` and of libedgetpu libraries.
    """
    speeds = dict(line.split(maxsplit=1) for line in usb.splitlines() if len(line.split()) == 2)
    accelerators = [name for name in (USB_READY, USB_FRESH) if name in speeds]
    pcie = re.search(r"^/dev/apex_\d+$", edgetpu, re.MULTILINE) is not None
    checks = []
    if not accelerators and not pcie:
        fix = "plug it in, or use another cable; on the Dev Board: is the gasket/apex driver loaded?"
        return [Check("edgetpu-missing", "error", "no Edge TPU on USB or PCIe", fix)]
    if "libedgetpu" not in edgetpu:
        fix = "install libedgetpu1-std from Coral's packages"
        checks.append(Check("edgetpu-library", "error", "libedgetpu is not installed", fix))
    if accelerators and not pcie and speeds[accelerators[0]].strip() in {"480", "12", "1.5"}:
        text = f"the USB Accelerator is connected at {speeds[accelerators[0]].strip()} Mbit/s"
        checks.append(Check("edgetpu-usb2", "warning", text, "use a USB 3 port and cable; USB 2 slows every inference"))
    return checks or [Check("edgetpu", "ok", "Edge TPU and libedgetpu found")]


def check_compiler(here: bool) -> list[Check]:
    """Check for ``edgetpu_compiler`` on the controller. A model that is not compiled runs on the board's CPU."""
    if here:
        return [Check("edgetpu-compiler", "ok", "edgetpu_compiler is installed on this machine")]
    fix = "install edgetpu-compiler from Coral's packages here (x86-64 Linux only), or leave the delegate out"
    return [Check("edgetpu-compiler-missing", "error", "this machine has no edgetpu_compiler", fix)]


#: Sizes and nominal clock: NXP i.MX 8M data sheet IMX8MDQLQCEC, Coral Dev Board data sheet. Associativity: Arm's
#: technical reference manual of the Cortex-A53 (DDI 0500).
_CORE = Core(
    name="Cortex-A53",
    model="cortex-a55",  # LLVM's model of its successor, which is of the same width
    llvm=14,
    in_order=True,
    caches=(CacheLevel(32, 4), CacheLevel(1024, 16)),
    clock_hz=1_500_000_000,
)
_FAMILIES = (
    BoardFamily(
        name="coral-dev",
        title="Coral Dev Board",
        cpu="Cortex-A53",
        cpu_part="0xd03",
        qemu_cpu="cortex-a53",
        delegates=("edgetpu", "cpu"),
        systems=(System("Mendel Linux 5", python="3.7", glibc=(2, 28)),),
        core=_CORE,
    ),
)


def _checks(answers: ProbeAnswers) -> list[Check]:
    """Check the Edge TPU of a Dev Board, or of any board whose delegates name it."""
    if answers.family not in _FAMILIES and "edgetpu" not in answers.delegates:
        return []
    return check_device(answers.sections["usb"], answers.sections["edgetpu"])


GROUP = BoardGroup(
    families=_FAMILIES,
    sections={
        "usb": (
            "for d in /sys/bus/usb/devices/*; do [ -r $d/idVendor ] &&"
            " echo $(cat $d/idVendor):$(cat $d/idProduct) $(cat $d/speed); done"
        ),
        "edgetpu": "ls /dev/apex_* 2>&1; ldconfig -p | grep libedgetpu || ls /usr/lib/*/libedgetpu*",
    },
    checks=_checks,
)
