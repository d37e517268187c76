"""What every form of data and every metric of a task must have, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.data.findings import FaultLog
from harness.tasks.forms.registry import FORMS, Form, FormKeys
from harness.tasks.metrics.registry import METRICS
from harness.tasks.schema import parse
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "your-own-data.md").read_text()


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_a_form_has_keys_that_refuse_others_and_is_on_the_page(form: Form) -> None:
    assert issubclass(form.keys, FormKeys)
    assert form.keys.__doc__
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{form.name}` |")]
    for key in form.keys.model_fields:
        assert f"`{key}`" in row or form.name == "faces", f"{form.name}: key '{key}' is not on the page"
    with pytest.raises(HarnessError, match="unknown key 'nonsense' in data"):
        parse(f"data: {{form: {form.name}, nonsense: 1}}\n", file="t.yaml")


@pytest.mark.parametrize("form", [f for f in FORMS.values() if f.module is not None], ids=lambda form: form.name)
def test_data_that_are_not_there_are_an_error(form: Form, tmp_path: Path) -> None:
    keys = form.keys(path="nowhere")  # type: ignore[call-arg]
    with pytest.raises(HarnessError, match="nowhere"):
        form.read(keys, tmp_path, FaultLog())


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE
