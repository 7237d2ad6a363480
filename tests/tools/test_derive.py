"""Sums, differences, ratios and conversions, and how states pass through them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured, missing
from tools.intervals import Interval, interval
from tools.types import Evidence, State

A = measured("volume", "kidney_left", 150.0, margin=6.0)
B = measured("volume", "kidney_right", 170.0, margin=8.0)
CUT = at_least("volume", "kidney_right", 90.0)
WORST_FIRST = (State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE)


def test_intervals() -> None:
    assert interval(A) == Interval(150.0, 144.0, 156.0)
    assert interval(CUT) == Interval(None, 90.0, math.inf)
    assert interval(missing("volume", "liver", State.NOT_MEASURABLE)) is None
    assert interval(missing("volume", "liver", State.NOT_ASSESSED)) is None
    assert interval(measured("side", "kidney_tumor", "left", None)) is None


@pytest.mark.parametrize("value", [True, False])
def test_a_yes_or_no_is_not_a_number(value: bool) -> None:
    yes = measured("exists", "liver", value, None)
    assert interval(yes) is None
    made = derive("compare", first=yes, second=measured("exists", "spleen", 0, None), comparator="gt")
    assert made.state is State.NOT_MEASURABLE


def test_a_sum_adds_values_and_margins() -> None:
    made = derive("total", items=[A, B])
    assert (made.quantity, made.target, made.unit) == ("volume_total", "kidney_left+kidney_right", "cm3")
    assert made.value == 320.0
    assert made.uncertainty == 14.0
    assert made.inputs == (A.id, B.id)


def test_a_sum_with_a_bound_is_a_bound() -> None:
    made = derive("total", items=[A, CUT])
    assert (made.state, made.value, made.lower_bound) == (State.NOT_MEASURABLE, None, 240.0)
    assert made.reason == "it is cut off"


def test_what_is_absent_adds_nothing_but_is_said() -> None:
    gone = missing("volume", "kidney_right", State.ABSENT)
    made = derive("total", items=[A, gone])
    assert (made.state, made.value) == (State.MEASURED, 150.0)
    assert "not found" in str(made.reason)
    none = derive("total", items=[gone, missing("volume", "kidney_left", State.ABSENT)])
    assert (none.state, none.value) == (State.ABSENT, None)


@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.NOT_MEASURABLE])
def test_a_sum_with_an_unknown_part_is_unknown(state: State) -> None:
    made = derive("total", items=[A, missing("volume", "kidney_right", state)])
    assert (made.state, made.value, made.lower_bound) == (state, None, None)


def test_a_difference_has_its_sign() -> None:
    assert derive("difference", first=A, second=B).value == -20.0
    assert derive("difference", first=B, second=A).value == 20.0
    assert derive("difference", first=A, second=B).uncertainty == 14.0
    cut = derive("difference", first=A, second=CUT)
    assert (cut.state, cut.value, cut.lower_bound) == (State.NOT_MEASURABLE, None, None)


def test_a_ratio_and_a_share() -> None:
    liver, spleen = measured("hu_mean", "liver", 45.0, "HU", 3.0), measured("hu_mean", "spleen", 50.0, "HU", 2.0)
    made = derive("ratio", numerator=liver, denominator=spleen)
    assert (made.quantity, made.target, made.unit, made.value) == ("hu_mean_ratio", "liver+spleen", "1", 0.9)
    assert made.uncertainty == pytest.approx(0.9 * math.hypot(3 / 45, 2 / 50), abs=1e-6)
    assert made.uncertainty is not None
    share = derive("ratio", numerator=liver, denominator=spleen, percent=True)
    assert (share.quantity, share.unit, share.value) == ("hu_mean_share", "%", 90.0)
    assert share.uncertainty == pytest.approx(100 * made.uncertainty, abs=1e-4)


@pytest.mark.parametrize(("value", "margin"), [(0.0, 0.0), (-12.0, 1.0), (1.0, 1.0), (1.0, 2.0)])
def test_a_divisor_that_may_be_zero_or_less_is_refused(value: float, margin: float) -> None:
    top, bottom = measured("hu_mean", "liver", 45.0, "HU"), measured("hu_mean", "spleen", value, "HU", margin)
    made = derive("ratio", numerator=top, denominator=bottom)
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)
    assert "zero" in str(made.reason)


def test_a_negative_numerator_is_fine() -> None:
    top, bottom = measured("hu_mean", "liver", -20.0, "HU"), measured("hu_mean", "spleen", 40.0, "HU")
    assert derive("ratio", numerator=top, denominator=bottom).value == -0.5


@pytest.mark.parametrize("tool", ["total", "difference", "ratio", "compare", "extreme"])
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(WORST_FIRST, 2)))
def test_the_graver_state_wins(tool: str, one: State, other: State) -> None:
    x, y = missing("volume", "liver", one), missing("volume", "spleen", other)
    calls: dict[str, dict[str, Any]] = {
        "total": {"items": [x, y]},
        "difference": {"first": x, "second": y},
        "ratio": {"numerator": x, "denominator": y},
        "compare": {"first": x, "second": y, "comparator": "gt"},
        "extreme": {"items": [x, y], "comparator": "gt"},
    }
    made = derive(tool, **calls[tool])
    graver = min(one, other, key=WORST_FIRST.index)
    if tool == "total" and graver is State.ABSENT:  # what is absent adds nothing
        graver = State.NOT_MEASURABLE
    assert made.state is graver
    assert made.value is None
    named = "liver" if one is graver else "spleen"
    assert made.reason == f"reason for {named}"


@pytest.mark.parametrize("tool", ["total", "difference", "ratio", "compare", "extreme"])
def test_units_are_never_mixed(tool: str) -> None:
    x, y = measured("volume", "liver", 1.0, "cm3"), measured("long_axis", "spleen", 1.0, "mm")
    calls: dict[str, dict[str, Any]] = {
        "total": {"items": [x, y]},
        "difference": {"first": x, "second": y},
        "ratio": {"numerator": x, "denominator": y},
        "compare": {"first": x, "second": y, "comparator": "gt"},
        "extreme": {"items": [x, y], "comparator": "gt"},
    }
    with pytest.raises(ToolError, match="different units"):
        derive(tool, **calls[tool])


def test_evidence_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ToolError, match="does not exist"):
        derive("total", items=["volume.liver.0123456789"])
    with pytest.raises(ValidationError):
        derive("total", items=[])
    with pytest.raises(ValidationError):
        derive("total", items=[A] * 65)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_carry_never_becomes_evidence(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        measured("volume", "liver", value)
    with pytest.raises(ValueError, match="JSON"):
        at_least("volume", "liver", value)


@pytest.mark.parametrize(
    ("unit", "value", "margin"), [("ml", 150.0, 6.0), ("l", 0.15, 0.006), ("mm3", 150000.0, 6000.0)]
)
def test_conversion_scales_all_numbers(unit: str, value: float, margin: float) -> None:
    made = derive("convert", item=A, unit=unit)
    assert made.value == pytest.approx(value)
    assert made.uncertainty == pytest.approx(margin)
    assert made.unit == unit
    assert (made.quantity, made.target) == ("volume", "kidney_left")
    cut = derive("convert", item=CUT, unit="l")
    assert (cut.value, cut.state) == (None, State.NOT_MEASURABLE)
    assert cut.lower_bound == pytest.approx(0.09)
    assert cut.reason == CUT.reason


@pytest.mark.parametrize("unit", ["mm", "HU", "furlong", ""])
def test_conversion_between_dimensions_is_refused(unit: str) -> None:
    with pytest.raises(ToolError):
        derive("convert", item=A, unit=unit)
    with pytest.raises(ToolError):
        derive("convert", item=measured("exists", "liver", True, None), unit="ml")


_number = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@given(a=_number, b=_number, c=_number)
@settings(deadline=None, max_examples=60)
def test_arithmetic_laws(a: float, b: float, c: float) -> None:
    x, y, z = (measured("volume", name, v) for name, v in (("liver", a), ("spleen", b), ("pancreas", c)))
    assert derive("total", items=[x, y, z]).value == pytest.approx(a + b + c, abs=1e-4)
    one, other = derive("difference", first=x, second=y).value, derive("difference", first=y, second=x).value
    assert isinstance(one, float)
    assert isinstance(other, float)
    assert one == -other
    if b > 0:
        assert derive("ratio", numerator=x, denominator=y).value == pytest.approx(a / b, rel=1e-5, abs=1e-6)


def test_any_of() -> None:
    def verdict(value: bool | None, state: State = State.MEASURED, target: str = "kidney_left") -> Evidence:
        made = measured("verdict", target, value, None)
        return made if value is not None else missing("verdict", target, state, None)

    yes, no = verdict(True), verdict(False, target="kidney_right")
    for unknown in WORST_FIRST:
        open_ = verdict(None, unknown, "kidney_right")
        assert derive("any_of", items=[open_, yes]).value is True
        made = derive("any_of", items=[verdict(False), open_])
        assert (made.value, made.state, made.reason) == (None, unknown, "reason for kidney_right")
    assert derive("any_of", items=[no, yes]).value is True
    made = derive("any_of", items=[no, verdict(False)])
    assert (made.value, made.state) == (False, State.MEASURED)
