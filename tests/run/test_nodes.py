"""The nodes that a run writes down of a network and its pruned form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.modelfile import read
from harness.records import manifest as manifests
from harness.run.inventory import inventory
from harness.run.nodes import with_nodes
from tests.conftest import MODELS


def test_a_network_and_its_pruned_form_get_their_nodes() -> None:
    names = ("squeezenet", "squeezenet-pruned", "mobilenet-v2")
    shipped = inventory(MODELS, names, ("int8",))
    every = {name: manifests.load(MODELS, name) for name in names}
    found = with_nodes(every, shipped)
    assert found["mobilenet-v2"] == every["mobilenet-v2"], "its pruned form is not in the run"
    for name in names[:2]:
        (int8,) = [a for a in found[name].artifacts if a.filename == "int8.tflite"]
        assert sum(node.macs for node in int8.nodes) == read(MODELS / name / "int8.tflite").macs
        assert int8.nodes[0].kind in ("QUANTIZE", "MUL", "CONV_2D")
        assert not any(a.nodes for a in found[name].artifacts if a.format != "tflite")
        assert manifests.Manifest.model_validate_json(found[name].model_dump_json()) == found[name]


def test_a_file_that_can_not_be_read_has_none(tmp_path: Path) -> None:
    names = ("squeezenet", "squeezenet-pruned")
    broken = tmp_path / "int8.tflite"
    broken.write_bytes(b"1234TFL3" + bytes(40))
    shipped = [replace(each, path=broken) for each in inventory(MODELS, names, ("int8",))]
    every = {name: manifests.load(MODELS, name) for name in names}
    assert with_nodes(every, shipped) == every
