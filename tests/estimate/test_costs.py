"""Costs of blocks by llvm-mca: of known instructions, of a stored region, and when LLVM answers oddly."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness.core.errors import EstimateError
from harness.estimate import costs as module
from harness.estimate import toolchain
from harness.estimate.costs import Costs
from harness.estimate.estimator import known_core
from harness.estimate.model import estimate
from harness.estimate.regions import instructions, read_region
from harness.estimate.toolchain import Llvm, find_llvm

PI4 = known_core("raspberry-pi-4")
STORED = Path(__file__).parent / "data" / "resvgg19-pruned-fp32-cortex-a72"
NOP, RETURN, SUPERVISOR_CALL = 0xD503201F, 0xD65F03C0, 0xD4000001
ADD = 0x8B010000  # add x0, x0, x1
DIVIDE = 0x1E621820  # fdiv d0, d1, d2
FMLA = 0x4E22CC20  # fmla v0.4s, v1.4s, v2.4s
LOAD = 0x3CC10400  # ldr q0, [x0], #16
UNKNOWN = 0x00000001  # udf: no instruction
UNDEFINED = 0xA9400020  # ldp x0, x0, [x1]


def llvm(least: int = 14) -> Llvm:
    try:
        return find_llvm(least)
    except EstimateError as error:
        pytest.skip(str(error))


def test_what_waits_for_itself_costs_its_latency_and_the_rest_its_share_of_the_core(tmp_path: Path) -> None:
    (cost,) = Costs(llvm(), "cortex-a72", tmp_path).of([(ADD,) * 4])
    assert cost is not None
    assert cost.latency == pytest.approx(4, rel=0.05)  # each waits for the one before
    assert cost.throughput == pytest.approx(2, rel=0.05)  # two integer pipes


def test_a_division_is_dear_and_a_multiplication_is_not(tmp_path: Path) -> None:
    dear, cheap = Costs(llvm(), "cortex-a72", tmp_path).of([(DIVIDE,), (FMLA,)])
    assert dear is not None
    assert cheap is not None
    assert dear.throughput > 5 * cheap.throughput


def test_branches_calls_and_unknown_words_cost_little(tmp_path: Path) -> None:
    found = Costs(llvm(), "cortex-a72", tmp_path).of([(NOP, word) for word in (RETURN, SUPERVISOR_CALL, UNKNOWN)])
    assert all(cost is not None and cost.throughput <= 1 for cost in found)


def test_known_costs_are_kept_and_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [(ADD,) * 2, (FMLA, RETURN)]
    first = Costs(llvm(), "cortex-a72", tmp_path).of(codes)
    monkeypatch.setattr(module, "run", lambda *_args, **_options: pytest.fail("asked again"))
    assert Costs(llvm(), "cortex-a72", tmp_path).of(codes) == first


@pytest.mark.parametrize("damage", ["", "[1", "[]", '{"a": 3}', '{"a": ["x", "y"]}'])
def test_a_damaged_file_of_costs_is_made_again(tmp_path: Path, damage: str) -> None:
    version = llvm()
    first = Costs(version, "cortex-a72", tmp_path).of([(ADD,)])
    (path,) = tmp_path.iterdir()
    path.write_text(damage)
    assert Costs(version, "cortex-a72", tmp_path).of([(ADD,)]) == first
    assert json.loads(path.read_text())


def test_an_unknown_core_is_said(tmp_path: Path) -> None:
    with pytest.raises(EstimateError, match="does not know the core pentium-4"):
        Costs(llvm(), "pentium-4", tmp_path).of([(ADD,)])


@pytest.mark.parametrize(("major", "cycles"), [(14, 753_000), (19, 753_000)])
def test_a_stored_region_costs_what_it_did(major: int, cycles: int, tmp_path: Path) -> None:
    version = Llvm(f"llvm-mc-{major}", f"llvm-mca-{major}", str(major))
    if not all(map(toolchain.shutil.which, (version.mc, version.mca))):
        pytest.skip(f"no LLVM {major} here")
    blocks = read_region(STORED)
    found = estimate(blocks, PI4, Costs(version, PI4.model, tmp_path))
    assert found.instructions == instructions(blocks) == 1_070_178
    assert found.cycles == pytest.approx(cycles, rel=0.01)


def test_one_bad_block_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(argv: list[str], *, stdin: str) -> subprocess.CompletedProcess[str]:
        if "-disassemble" in argv:
            words = "".join(f"\tword{i}\n" for i, _ in enumerate(stdin.splitlines()))
            return subprocess.CompletedProcess(argv, 0, words, "")
        if "word2" in stdin:
            return subprocess.CompletedProcess(argv, 1, "", "error: found an unsupported instruction")
        names = [line.split()[-1] for line in stdin.splitlines() if "BEGIN" in line]
        summary = {"TotalCycles": 150, "Iterations": 50, "BlockRThroughput": 2}
        regions = [{"Name": name, "SummaryView": summary} for name in names]
        return subprocess.CompletedProcess(argv, 0, json.dumps({"CodeRegions": regions}), "")

    monkeypatch.setattr(module, "run", answer)
    found = Costs(Llvm("mc", "mca", "15.0"), "cortex-a72", tmp_path).of([(number,) for number in range(7)])
    assert [cost is None for cost in found] == [number == 2 for number in range(7)]
    assert found[0] == module.Cost(3.0, 2.0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'LLVM ERROR: out of memory' >&2; exit 1", "ended with status 1 .*: LLVM ERROR: out of memory"),
        ("echo 'error: found an unsupported instruction' >&2; kill -9 $$", "ended by signal 9"),
        ('"$MCA" "$@" | head -c 300', "ended with status 0 without costs of all blocks"),
    ],
)
def test_an_analyser_that_fails_gives_no_cost_and_leaves_none(
    body: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = llvm()
    monkeypatch.setenv("MCA", good.mca)
    bad = tmp_path / "llvm-mca"
    bad.write_text(f"#!/bin/sh\n{body}\n")
    bad.chmod(0o755)
    store = tmp_path / "store"
    with pytest.raises(EstimateError, match=said):
        Costs(Llvm(good.mc, str(bad), good.version), "cortex-a72", store).of([(ADD,)])
    (cost,) = Costs(good, "cortex-a72", store).of([(ADD,)])
    assert cost is not None


@pytest.mark.parametrize("major", [14, 19])
def test_an_instruction_of_undefined_effect_costs_only_itself(major: int, tmp_path: Path) -> None:
    version = Llvm(f"llvm-mc-{major}", f"llvm-mca-{major}", str(major))
    if not all(map(toolchain.shutil.which, (version.mc, version.mca))):
        pytest.skip(f"no LLVM {major} here")
    odd, plain = Costs(version, "cortex-a72", tmp_path).of([(UNDEFINED, FMLA), (NOP, FMLA)])
    assert odd == plain is not None


def test_costs_made_another_way_are_not_taken_for_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = llvm()
    Costs(version, "cortex-a72", tmp_path).of([(ADD,)])
    monkeypatch.setattr(module, "_ITERATIONS", 5)
    Costs(version, "cortex-a72", tmp_path).of([(ADD,)])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_missing_llvm_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EstimateError, match=r"llvm-mca 14 or newer, and it is not installed \(sudo apt-get install"):
        find_llvm(14)


def test_an_old_llvm_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("llvm-mc", "llvm-mca"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'Debian LLVM version 14.0.6'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin", prepend=None)
    monkeypatch.setattr(toolchain, "_VERSIONS", ())
    with pytest.raises(EstimateError, match=r"llvm-mca 16 or newer, and only version 14.0.6 of it is installed"):
        find_llvm(16)
