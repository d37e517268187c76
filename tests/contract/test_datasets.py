"""What every registered data set must be and do; a new one passes without a change here."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from harness.core.errors import DataError
from harness.data import registry, splits
from harness.data.findings import DataFindings, render, to_json
from harness.data.registry import SOURCES
from harness.data.size import SIDE
from harness.data.spec import DataSpec

registered = pytest.mark.parametrize("name", SOURCES)


def example(name: str, folder: Path) -> DataSpec:
    """Something that loads: the data set itself, or a made-up copy that ``tests/support/NAME_writer.py`` writes."""
    if not SOURCES[name].needs_path:
        return DataSpec(name)
    if importlib.util.find_spec(f"tests.support.{name}_writer") is None:
        pytest.skip(f"nothing writes a made-up copy of {name}")
    write = importlib.import_module(f"tests.support.{name}_writer").write_example
    return DataSpec(name, str(cast("Callable[[Path], Path]", write)(folder)))


def shown(findings: DataFindings) -> str:
    """The findings as text, after a look whether they can be shown and stored."""
    json.dumps(to_json(findings))
    text = render(findings)
    assert all(character.isprintable() or character == "\n" for character in text)
    return text


@registered
def test_it_is_described(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert source.title
    assert set(source.choices) <= {"frames", "crop"}


@registered
def test_it_is_named_as_it_is_chosen(name: str) -> None:
    spec = DataSpec(name, "/some/where" if SOURCES[name].needs_path else None)
    assert registry.choose(str(spec)) == spec
    assert registry.choose(f"{name}:/some/where" if spec.path else name) == spec


@registered
def test_images_are_what_networks_take(name: str, tmp_path: Path) -> None:
    dataset, findings = registry.load_with_findings(example(name, tmp_path))
    count = len(dataset.labels)
    assert dataset.images.shape == (count, SIDE, SIDE)
    assert (dataset.images.dtype, dataset.labels.dtype) == (np.uint8, np.int64)
    assert set(dataset.labels.tolist()) <= set(range(len(dataset.classes)))
    assert len(set(dataset.classes)) == len(dataset.classes) >= 2
    for people in (dataset.subjects, dataset.sequences):
        assert people is None or len(people) == count
    assert (findings.images, findings.fatal) == (count, None)
    assert f"{count} images can be used" in shown(findings)
    assert registry.summary(dataset, findings)[0].startswith(f"data {dataset.name}: {count} images")


@registered
def test_it_is_the_same_each_time_and_can_be_split(name: str, tmp_path: Path) -> None:
    spec = example(name, tmp_path)
    first, second = registry.load(spec), registry.load(spec)
    assert first.sha256 == second.sha256
    split = splits.split(first)
    assert sorted([*split.train, *split.validation, *split.test]) == list(range(len(first.labels)))


@registered
def test_what_is_not_there_or_something_else_is_refused(name: str, tmp_path: Path) -> None:
    if not SOURCES[name].needs_path:
        pytest.skip("it lies nowhere")
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "\x1b[31mred").write_bytes(b"\0\xff" * 50)
    for path in (tmp_path / "nothing", tmp_path / "else"):
        spec = DataSpec(name, str(path))
        with pytest.raises(DataError) as caught:
            registry.load(spec)
        assert caught.value.fix
        findings = registry.check(spec)
        assert findings.fatal is not None
        assert findings.errors
        assert "can't be used" in shown(findings)
