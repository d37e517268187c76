"""A registry refuses a name that is taken."""

from __future__ import annotations

import pytest

from harness.core.named import by_name


def test_names_keep_their_order_and_stand_for_one_thing() -> None:
    assert list(by_name([("b", 1), ("a", 2)]).items()) == [("b", 1), ("a", 2)]
    with pytest.raises(ValueError, match="'a' is registered twice"):
        by_name([("a", 1), ("b", 2), ("a", 3)])
