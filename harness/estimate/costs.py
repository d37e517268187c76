"""Costs of code blocks on a core, from LLVM's machine code analyser, with a cache of earlier answers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import EstimateError, StoreError
from harness.core.files import sha256_bytes, write_atomic
from harness.core.paths import cache_dir
from harness.core.safetext import clean
from harness.estimate.toolchain import Llvm, run

Code = tuple[int, ...]

#: A superset of the features of these boards' cores; an instruction that a core lacks is never executed on it.
_FEATURES = "-mattr=+v8.4a,+dotprod,+crypto,+fullfp16,+lse,+rdm"
#: Repetitions of a block in the analyser; its start and end then make up a fiftieth of the figure at most.
_ITERATIONS = 50
#: Blocks in one call of the analyser.
_BATCH = 200
#: Calls, returns, branches and exceptions are replaced by a branch to the next instruction: the analyser assumes that
#: they are predicted, and rejects or overestimates some of them.
_BRANCHES = frozenset({"b", "bl", "blr", "br", "ret", "svc", "hvc", "smc", "hlt", "brk", "eret"})
#: What the analyser says of a block that it does not accept. Any other failure is its own, and says nothing of a block.
_REFUSAL = re.compile(
    r"^<stdin>:\d+:\d+: error: |^error: (found an unsupported instruction|no assembly instructions found"
    r"|Assembly input parsing had errors)",
    re.MULTILINE,
)
#: Raise this number when costs are made another way than the values above tell.
_RECIPE = 2


@dataclass(frozen=True)
class Cost:
    """The cost of one execution of a block, in cycles.

    Attributes:
        latency: executions in sequence, each waiting for its inputs from the one before.
        throughput: independent executions, limited by the busiest of the core's units.
    """

    latency: float
    throughput: float


class Costs:
    """Costs of blocks on one scheduling model of one LLVM. Known costs are stored in a file under ``folder``."""

    def __init__(self, llvm: Llvm, model: str, folder: Path | None = None) -> None:
        self._llvm, self._model = llvm, model
        self._file = (folder or cache_dir() / "estimate") / f"costs-{model}-llvm-{llvm.version}-{_recipe()}.json"
        self._known: dict[str, tuple[float, float] | None] = self._read()
        self._text: dict[int, str] = {}

    def of(self, codes: Sequence[Code]) -> list[Cost | None]:
        """The cost of each block; None where the analyser accepts none of it.

        Raises:
            EstimateError: LLVM can't be run or fails, or lacks the scheduling model.
        """
        keys = [_key(code) for code in codes]
        missing = {key: code for key, code in zip(keys, codes, strict=True) if key not in self._known}
        if missing:
            self._disassemble({word for code in missing.values() for word in code})
            entries = list(missing.items())
            for start in range(0, len(entries), _BATCH):
                self._analyse(entries[start : start + _BATCH])
            self._write()
        found = [self._known[key] for key in keys]
        return [Cost(*cost) if cost else None for cost in found]

    def _analyse(self, entries: list[tuple[str, Code]]) -> None:
        """Analyse some blocks at once; if that fails, analyse each half, so that one bad block costs only itself."""
        lines = []
        for number, (_, code) in enumerate(entries):
            lines += [f"# LLVM-MCA-BEGIN r{number}", *(self._text[word] for word in code), f"# LLVM-MCA-END r{number}"]
        argv = [self._llvm.mca, "-mtriple=aarch64", f"-mcpu={self._model}", _FEATURES, "--json"]
        argv += [f"-iterations={_ITERATIONS}"]
        if self._llvm.major >= 19:
            argv += ["--skip-unsupported-instructions=any"]
        done = run(argv, stdin="\n".join(lines) + "\n")
        refused = done.returncode >= 0 and _REFUSAL.search(done.stderr) is not None
        costs = _summaries(done.stdout)
        if "not a recognized processor" in done.stderr:
            raise EstimateError(f"llvm-mca {self._llvm.version} does not know the core {self._model}")
        if not refused:
            if done.returncode or costs.keys() != {f"r{number}" for number in range(len(entries))}:
                raise _failure("llvm-mca", self._llvm.version, done)
            self._known.update((key, costs[f"r{number}"]) for number, (key, _) in enumerate(entries))
        elif len(entries) == 1:
            self._known[entries[0][0]] = None
        else:
            half = len(entries) // 2
            self._analyse(entries[:half])
            self._analyse(entries[half:])

    def _disassemble(self, words: Iterable[int]) -> None:
        """Fill ``_text`` with the assembler text of instructions. One that LLVM doesn't know becomes ``nop``, and so
        does one whose effect is undefined, since the analyser rejects its text.
        """
        new = sorted(set(words) - self._text.keys())
        argv = [self._llvm.mc, "-disassemble", "-triple=aarch64", _FEATURES]
        # one line an instruction; an unknown one gives a warning "<stdin>:LINE:1" and no line
        done = run(argv, stdin="".join(f"{_bytes(word)}\n" for word in new))
        if done.returncode:
            raise _failure("llvm-mc", self._llvm.version, done)
        warned = re.findall(r"^<stdin>:(\d+):\d+: warning: (invalid|potentially undefined)", done.stderr, re.MULTILINE)
        unknown = {int(line) for line, why in warned if why == "invalid"}
        undefined = {int(line) for line, why in warned if why != "invalid"}
        texts = [text for line in done.stdout.splitlines() if (text := line.strip()) and not text.startswith(".text")]
        known = [word for line, word in enumerate(new, start=1) if line not in unknown]
        if len(texts) != len(known):
            raise EstimateError(f"llvm-mc {self._llvm.version} disassembled {len(texts)} of {len(known)} instructions")
        self._text.update(dict.fromkeys(new, "nop"))
        self._text.update((word, _without_target(text)) for word, text in zip(known, texts, strict=True))
        self._text.update((new[line - 1], "nop") for line in undefined)

    def _read(self) -> dict[str, tuple[float, float] | None]:
        """The stored costs; empty where the file is damaged."""
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            return {key: (float(cost[0]), float(cost[1])) if cost else None for key, cost in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError, IndexError):
            return {}

    def _write(self) -> None:
        """Store the costs. A folder that can't be written to costs time, not the estimate."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, json.dumps(self._known), durable=False)
        except (OSError, StoreError):
            return


def _summaries(answer: str) -> dict[str, tuple[float, float]]:
    """Region name -> cycles by latency and by throughput, from llvm-mca's JSON; empty where the text is not JSON."""
    try:
        regions = json.loads(answer)["CodeRegions"]
        return {
            region["Name"]: (
                region["SummaryView"]["TotalCycles"] / region["SummaryView"]["Iterations"],
                float(region["SummaryView"]["BlockRThroughput"]),
            )
            for region in regions
        }
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        return {}


def _failure(program: str, version: str, done: subprocess.CompletedProcess[str]) -> EstimateError:
    """The error of a program that failed for a reason of its own, such as a lack of memory."""
    end = f"by signal {-done.returncode}" if done.returncode < 0 else f"with status {done.returncode}"
    said = clean(done.stderr.strip(), 500) or "it said nothing"
    return EstimateError(
        f"{program} {version} ended {end} without costs of all blocks: {said}",
        fix="run again when more memory is free; if that does not help, install LLVM again",
    )


def _recipe() -> str:
    """A name for all that costs depend on beside the core and LLVM's version."""
    parts = (str(_RECIPE), _FEATURES, str(_ITERATIONS), *sorted(_BRANCHES))
    return sha256_bytes("\0".join(parts).encode())[:8]


def _key(code: Code) -> str:
    return sha256_bytes(b"".join(word.to_bytes(4, "little") for word in code))[:32]


def _bytes(word: int) -> str:
    return " ".join(f"0x{byte:02x}" for byte in word.to_bytes(4, "little"))


def _without_target(text: str) -> str:
    """The instruction in the form for the analyser, without the target of a branch."""
    return "b #4" if text.split()[0] in _BRANCHES else text
