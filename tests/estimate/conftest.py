"""What tests of QEMU's plugin need."""

from __future__ import annotations

import pytest

from harness.core.errors import EstimateError
from harness.estimate.plugin import need_programs


@pytest.fixture
def plugin_programs() -> None:
    """Skip where a program that the plugin needs is missing."""
    try:
        need_programs()
    except EstimateError as error:
        pytest.skip(str(error))
