"""Price lists: a staircase is kept as it is, and goes on above its last step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.records.prices import Priced, Work

WORK = Work(kind="CONV_2D", size=(48, 48), kernel=(3, 3))
INTO, OUT = (2, 8, 16), (2, 3, 8, 9, 16, 17, 24, 25, 32)


def bunches(into: float, out: float) -> float:
    """A kernel that computes eight output channels at once."""
    return 100.0 + 20.0 * math.ceil(out / 8) * (into * 8 + 80)


STAIRCASE = Priced(work=WORK, into=INTO, out=OUT, cycles=tuple(tuple(bunches(i, o) for o in OUT) for i in INTO))


@given(st.integers(2, 2000), st.integers(3, 2000))
def test_a_staircase_is_kept_and_goes_on_above_its_last_step(into: int, out: int) -> None:
    assert STAIRCASE.at(into, out) == pytest.approx(bunches(into, out))


@given(st.integers(1, 600), st.integers(1, 600))
def test_no_price_is_below_nothing(into: int, out: int) -> None:
    assert STAIRCASE.at(into, out) >= 0


def test_one_point_is_the_price_of_all() -> None:
    one = Priced(work=WORK, into=(1,), out=(7,), cycles=((5.0,),))
    assert one.at(1, 7) == one.at(3, 9) == 5.0


@pytest.mark.parametrize(
    ("into", "out", "cycles", "said"),
    [
        ((4, 2), (1,), ((1.0,), (1.0,)), "ascend"),
        ((2, 2), (1,), ((1.0,), (1.0,)), "ascend"),
        ((2, 4), (1,), ((1.0,),), "missing"),
        ((2,), (1, 2), ((1.0,),), "missing"),
        ((2,), (1,), ((-1.0,),), "greater than"),
        ((2,), (1,), ((float("nan"),),), "finite"),
        ((), (1,), (), "at least 1"),
    ],
)
def test_prices_that_are_none_are_refused(into: object, out: object, cycles: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Priced.model_validate({"work": WORK, "into": into, "out": out, "cycles": cycles})
