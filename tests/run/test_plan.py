"""Which cells a run has, and what it leaves out on purpose."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from harness.config.devices import parse
from harness.core.errors import ArtifactError, UsageError
from harness.records import manifest as manifests
from harness.records.cell import Reason
from harness.run.inventory import Shipped, inventory
from harness.run.plan import HEAVY_MACS, Options, Plan, for_runtime, make
from tests.conftest import MODELS

NET = "mobilenet-v3-small"
FLEET = parse(
    "devices:\n- {name: em, board: coral-dev, emulate: true, threads: [1, 2]}\n"
    "- {name: here, board: generic, local: true}\n"
    "- {name: tpu, board: coral-dev, host: h, delegates: [edgetpu, cpu], runtimes: [litert], samples: 30}\n"
)


def test_cells_are_the_product_of_what_fits() -> None:
    shipped = inventory(MODELS, [NET], ["int8"])
    plan = make(FLEET, shipped, Options(models=(NET,)))
    formats = {item.artifact.format for item in shipped}
    assert {(j.runtime, j.delegate) for j in plan.jobs["tpu"]} == {("litert", "edgetpu"), ("litert", "cpu")}
    assert len(plan.jobs["em"]) == 2 * len(formats)
    assert {j.threads for j in plan.jobs["em"]} == {1, 2}
    assert all(j.samples == 30 for j in plan.jobs["tpu"])
    assert len(set(plan.cells)) == len(plan.cells)
    assert all("+" in cell and "/" not in cell for cell in plan.cells)


def test_what_is_named_twice_is_measured_once() -> None:
    """Else the second result is written over the first, which may have been the good one."""
    twice = "threads: [1, 1], runtimes: [litert, litert]"
    fleet = parse(f"devices:\n- {{name: here, board: generic, local: true, {twice}}}\n")
    shipped = inventory(MODELS, [NET, NET], ["int8", "int8"])
    cells = make(fleet, shipped, Options(models=(NET, NET))).cells
    assert len(cells) == len(set(cells)) == 1
    assert len(make(fleet, shipped, Options(threads=(2, 2, 1))).cells) == 2


def test_the_order_is_shuffled_and_repeatable() -> None:
    shipped = inventory(MODELS, [], [])
    options = Options(threads=(1, 2, 3, 4))
    assert make(FLEET, shipped, options).cells == make(FLEET, shipped, options).cells
    assert make(FLEET, shipped, options).cells != make(FLEET, shipped, Options(threads=(1, 2, 3, 4), seed=1)).cells


def test_a_heavy_network_is_left_out_of_emulated_boards_and_that_is_said() -> None:
    light = inventory(MODELS, [NET], ["int8"])[0]
    heavy = Shipped(light.manifest.model_copy(update={"macs": HEAVY_MACS + 1}), light.artifact, light.path)
    plan = make(FLEET, [heavy], Options())
    assert plan.jobs["em"] == []
    assert plan.jobs["here"]
    assert [r.code for r in plan.skipped] == ["left-out"]
    assert f"--model {NET}" in plan.skipped[0].text
    assert make(FLEET, [heavy], Options(models=(NET,))).jobs["em"]


def labels(plan: Plan, device: str) -> set[str]:
    return {job.shipped.label for job in plan.jobs[device]}


def test_an_emulated_board_shows_less_and_says_so() -> None:
    """Heavy networks, pruned forms of those that are run, further variants and forms; each line says how to ask."""
    shipped = inventory(MODELS, [], [])
    plan = make(FLEET, shipped, Options())
    heavy = ("efficientnet-lite0", "ghostnet", "mnasnet", "mobilenet-v1", "mobilenet-v2", "mobilenet-v3-large")
    stand_ins = {f"{name}-pruned/int8.tflite" for name in (*heavy, "squeezenet")}
    whole = {"mobilenet-v3-small/int8.tflite", "shufflenet-v2/int8.tflite"}
    assert labels(plan, "em") == stand_ins | whole | {f"resvgg19-pruned/{v}.tflite" for v in ("fp32", "int8")}
    assert labels(plan, "here") == {item.label for item in shipped}
    left = [reason.text for reason in plan.skipped if reason.text.startswith("em: ")]
    for label in {item.label for item in shipped} - labels(plan, "em"):
        network = label.split("/")[0]
        assert any(label in text or re.search(rf" {network}[,:]", text) for text in left), label
    for text in left:
        option, asked = text.rpartition("ask for it with ")[2].split()
        values = tuple(asked.split(","))
        given = Options(models=values) if option == "--model" else Options(variants=values)
        chosen = inventory(MODELS, given.models, given.variants)
        assert labels(make(FLEET, chosen, given), "em") >= {i.label for i in chosen if i.label in text}


def test_what_is_named_is_run_whole() -> None:
    shipped = inventory(MODELS, ["mobilenet-v3-small", "mobilenet-v3-small-pruned", "mobilenet-v1"], [])
    asked = Options(models=("mobilenet-v3-small", "mobilenet-v3-small-pruned", "mobilenet-v1"))
    assert labels(make(FLEET, shipped, asked), "em") == {item.label for item in shipped}
    listed = parse("devices: [{name: em, board: coral-dev, emulate: true, models: [mobilenet-v1]}]")
    assert labels(make(listed, shipped, Options()), "em") == {"mobilenet-v1/int8.tflite"}
    everything = make(FLEET, inventory(MODELS, [], []), Options(), everything=True)
    assert labels(everything, "em") == labels(everything, "here")


def test_devices_that_leave_out_the_same_share_a_line() -> None:
    two = parse("devices: [{name: a, board: coral-dev, emulate: true}, {name: b, board: jetson-nano, emulate: true}]")
    skipped = make(two, inventory(MODELS, [], []), Options()).skipped
    assert skipped
    assert all(reason.text.startswith("a, b: ") for reason in skipped)


def test_a_changed_artifact_is_refused(tmp_path: Path) -> None:
    shutil.copytree(MODELS / NET, tmp_path / NET)
    path = tmp_path / NET / "int8.tflite"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        inventory(tmp_path, [NET], [])


def _damage(folder: Path, how: str) -> None:
    path = folder / "manifest.json"
    whole = path.read_text(encoding="utf-8")
    if how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "a link to nothing":
        path.unlink()
        path.symlink_to("nothing")
    elif how == "another network's":
        path.write_text(whole.replace(f'"name": "{NET}"', '"name": "other"'), encoding="utf-8")
    elif how == "another file":
        for artifact in (*folder.glob("*.tflite"), *folder.glob("*.onnx")):
            artifact.write_bytes(artifact.read_bytes() + b"x")
    else:
        content = {
            "empty": "", "no JSON": "hello", "cut short": whole[:500], "a list": "[]", "an empty object": "{}",
            "a wrong value": whole.replace('"macs": ', '"macs": "many", "was": '), "no UTF-8": "\udcff",
        }[how]  # fmt: skip
        path.write_bytes(content.encode("utf-8", "surrogateescape"))


DAMAGES = ("a folder", "a pipe", "a link to nothing", "another network's", "another file", "empty", "no JSON",
           "cut short", "a list", "an empty object", "a wrong value", "no UTF-8")  # fmt: skip


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_network_beside_good_ones_is_left_out_and_named_in_one_line(tmp_path: Path, how: str) -> None:
    for name in (NET, "squeezenet"):
        shutil.copytree(MODELS / name, tmp_path / name)
    _damage(tmp_path / NET, how)
    left_out: list[Reason] = []
    found = inventory(tmp_path, [], ["int8"], left_out)
    assert {item.manifest.name for item in found} == {"squeezenet"}
    if how == "a link to nothing":  # then there is no manifest
        return
    assert left_out
    for reason in left_out:
        assert reason.code == "artifact"
        assert f"{NET}/" in reason.text
        assert f"(harness build {NET})" in reason.text
        assert "\n" not in reason.text
        assert "pydantic" not in reason.text
        assert "http" not in reason.text
        assert "Input should" not in reason.text


@pytest.mark.parametrize("how", [how for how in DAMAGES if how != "a link to nothing"])
def test_a_damaged_network_that_was_asked_for_is_an_error(tmp_path: Path, how: str) -> None:
    for name in (NET, "squeezenet"):
        shutil.copytree(MODELS / name, tmp_path / name)
    _damage(tmp_path / NET, how)
    with pytest.raises(ArtifactError, match=f"harness build {NET}"):
        inventory(tmp_path, [NET], ["int8"])
    shutil.rmtree(tmp_path / "squeezenet")
    with pytest.raises(ArtifactError, match=f"harness build {NET}"):
        inventory(tmp_path, [], ["int8"])


def test_networks_of_different_splits_are_not_compared(tmp_path: Path) -> None:
    shutil.copytree(MODELS / NET, tmp_path / NET)
    record = manifests.load(MODELS, NET)
    other = record.model_copy(update={"name": "other", "split": record.split.model_copy(update={"sha256": "f" * 64})})
    manifests.save(tmp_path, other)
    shutil.copy(MODELS / NET / "int8.tflite", tmp_path / "other" / "int8.tflite")
    with pytest.raises(UsageError, match="different splits"):
        inventory(tmp_path, [], ["int8"])


def test_what_is_not_here_names_the_command() -> None:
    with pytest.raises(UsageError, match="harness build nothing"):
        inventory(MODELS, ["nothing"], [])


def test_no_models_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="harness build"):
        inventory(tmp_path, [], [])


def test_releases_are_cells_of_their_own_and_a_plain_name_keeps_its_name() -> None:
    fleet = parse("devices:\n- {name: here, board: generic, local: true, runtimes: [litert, litert==2.1.0]}\n")
    plan = make(fleet, inventory(MODELS, [NET], ["int8"]), Options(models=(NET,)))
    parts = {job.cell.split("+")[3]: job for job in plan.jobs["here"]}
    assert set(parts) == {"litert", "litert-2.1.0"}
    assert (parts["litert-2.1.0"].runtime, parts["litert-2.1.0"].release) == ("litert", "2.1.0")
    assert for_runtime(parts["litert-2.1.0"], "tflite").cell.split("+")[3] == "tflite-2.1.0"
    assert for_runtime(parts["litert"], "tflite").cell.split("+")[3] == "tflite"
