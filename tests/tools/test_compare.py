"""Comparisons: by value, by a bound that decides, and never by one that does not."""

from __future__ import annotations

import operator
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ToolError
from tests.evidence_make import at_least, derive, measured, missing
from tools.compare import holds
from tools.intervals import Interval
from tools.types import Evidence, State

Comparator = Literal["gt", "lt", "ge", "le"]
COMPARATORS: tuple[Comparator, ...] = ("gt", "lt", "ge", "le")
INF = float("inf")


def truth(a: float, b: float, comparator: Comparator) -> bool:
    return bool({"gt": operator.gt, "lt": operator.lt, "ge": operator.ge, "le": operator.le}[comparator](a, b))


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("value", [314.49, 314.5, 314.51])
def test_values_at_below_and_above(value: float, comparator: Comparator) -> None:
    made = derive("compare_number", item=measured("volume", "spleen", value), comparator=comparator, number=314.5)
    assert (made.state, made.value) == (State.MEASURED, truth(value, 314.5, comparator))
    other = measured("volume", "liver", 314.5)
    paired = derive("compare", first=measured("volume", "spleen", value), second=other, comparator=comparator)
    assert paired.value == made.value


@pytest.mark.parametrize(
    ("bound", "limit", "comparator", "verdict"),
    [
        (1900, 1800, "gt", True), (1900, 1800, "ge", True), (1900, 1800, "lt", False), (1900, 1800, "le", False),
        (261, 314.5, "gt", None), (261, 314.5, "ge", None), (261, 314.5, "lt", None), (261, 314.5, "le", None),
        # exactly the limit: at least 1800 is not more than 1800, but it is at least 1800
        (1800, 1800, "gt", None), (1800, 1800, "ge", True), (1800, 1800, "lt", False), (1800, 1800, "le", None),
    ],
)  # fmt: skip
def test_a_bound_that_decides_decides(bound: float, limit: float, comparator: str, verdict: bool | None) -> None:
    made = derive("compare_number", item=at_least("volume", "liver", bound), comparator=comparator, number=float(limit))
    assert made.value is verdict
    assert made.state is (State.NOT_MEASURABLE if verdict is None else State.MEASURED)
    if verdict is None:
        assert "cut off" in str(made.reason)


_value = st.one_of(st.integers(-50, 50).map(float), st.floats(-50, 50))


@pytest.mark.slow
@given(a=_value, more=st.floats(0, 100), b=_value, margin=st.floats(0, 5), comparator=st.sampled_from(COMPARATORS))
@settings(deadline=None, max_examples=400)
def test_a_bound_never_contradicts_any_true_value(
    a: float, more: float, b: float, margin: float, comparator: Comparator
) -> None:
    """Whatever is decided from "at least a" holds for every value from a upwards, on either side."""
    bound, number = Interval(None, a, INF), Interval(b, b - margin, b + margin)
    for verdict, expected in (
        (holds(bound, number, comparator), truth(a + more, b, comparator)),
        (holds(number, bound, comparator), truth(b, a + more, comparator)),
    ):
        assert verdict is None or verdict is expected


@given(a=_value, b=_value, comparator=st.sampled_from(COMPARATORS))
def test_a_bound_far_from_the_limit_is_not_wasted(a: float, b: float, comparator: Comparator) -> None:
    verdict = holds(Interval(None, a, INF), Interval(b, b, b), comparator)
    assert (verdict is not None) == (a > b or (a == b and comparator in {"ge", "lt"}))


def test_two_bounds_decide_nothing() -> None:
    for comparator in COMPARATORS:
        assert holds(Interval(None, 5, INF), Interval(None, 900, INF), comparator) is None


@pytest.mark.parametrize(
    ("margins", "borderline"), [((1.0, 1.0), False), ((6.0, 6.0), True), ((0.0, 0.0), False), ((5.0, 5.0), True)]
)
def test_borderline_where_the_uncertainties_overlap(margins: tuple[float, float], borderline: bool) -> None:
    x, y = measured("volume", "liver", 100.0, margin=margins[0]), measured("volume", "spleen", 110.0, margin=margins[1])
    made = derive("compare", first=x, second=y, comparator="lt")
    assert (made.value, made.details["borderline"]) == (True, borderline)
    number = derive("compare_number", item=x, comparator="lt", number=105.0)
    assert number.details["borderline"] is (margins[0] >= 5)


def test_equal_counts_are_not_borderline() -> None:
    two, as_many = measured("lesion_count", "liver_lesion", 2, "1"), measured("lesion_count", "kidney_lesion", 2, "1")
    made = derive("compare_number", item=two, comparator="gt", number=2)
    assert (made.value, made.details["borderline"]) == (False, False)
    assert derive("compare", first=two, second=as_many, comparator="ge").details["borderline"] is False


def test_numbers_are_compared_in_their_own_unit() -> None:
    spleen = measured("volume", "spleen", 314.5)
    assert derive("compare_number", item=spleen, comparator="gt", number=0.3, unit="l").value is True
    assert derive("compare_number", item=spleen, comparator="gt", number=314.5, unit="ml").value is False
    assert derive("compare_number", item=spleen, comparator="lt", number=314501.0, unit="mm3").value is True
    axis = measured("long_axis", "liver_lesion", 20.0, "mm")
    assert derive("compare_number", item=axis, comparator="ge", number=2.0, unit="cm").value is True
    with pytest.raises(ToolError, match="compared"):
        derive("compare_number", item=spleen, comparator="gt", number=3.0, unit="cm")
    with pytest.raises(ToolError, match="compared"):
        derive("compare_number", item=spleen, comparator="gt", number=3.0, unit="parsec")


@pytest.mark.parametrize("number", [float("nan"), INF, -INF, "314", None, True])
def test_what_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(ValidationError):
        derive("compare_number", item=measured("volume", "spleen", 1.0), comparator="gt", number=number)
    with pytest.raises(ValidationError):
        derive("compare_number", item=measured("volume", "spleen", 1.0), comparator=">", number=1.0)


@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE])
def test_nothing_known_nothing_decided(state: State) -> None:
    made = derive("compare_number", item=missing("volume", "spleen", state), comparator="gt", number=1.0)
    assert (made.state, made.value, made.reason) == (state, None, "reason for spleen")


def volumes(*values: float | None) -> list[Evidence]:
    names = ("liver", "spleen", "pancreas", "stomach")
    return [
        measured("volume", name, value) if value is not None else at_least("volume", name, 500.0)
        for name, value in zip(names, values, strict=False)
    ]


def test_the_greatest_and_the_least() -> None:
    items = volumes(10, 30, 20)
    for order in (items, items[::-1]):
        most = derive("extreme", items=order, comparator="gt")
        assert (most.value, most.details["structure"]) == ("spleen", "spleen")
        assert derive("extreme", items=order, comparator="lt").value == "liver"


def test_a_bound_may_win_but_never_lose() -> None:
    assert derive("extreme", items=volumes(10, None, 20), comparator="gt").value == "spleen"
    assert derive("extreme", items=volumes(10, None, 20), comparator="lt").value == "liver"
    open_ = derive("extreme", items=volumes(10, None, 600), comparator="gt")
    assert (open_.state, open_.value) == (State.NOT_MEASURABLE, None)
    assert "spleen: it is cut off" in str(open_.reason)
    assert derive("extreme", items=volumes(None, None), comparator="gt").state is State.NOT_MEASURABLE


def test_equals_have_no_extreme() -> None:
    made = derive("extreme", items=volumes(10, 10), comparator="gt")
    assert (made.state, made.reason) == (State.NOT_MEASURABLE, "they are equal")
    assert derive("extreme", items=volumes(10, 10, 5), comparator="lt").value == "pancreas"


def test_lesions_that_are_absent_count_as_none_beside_others() -> None:
    absent = missing("volume", "kidney_lesion", State.ABSENT)
    there = measured("volume", "liver_lesion", 12.0)
    assert derive("extreme", items=[absent, there], comparator="gt").value == "liver lesion"
    assert derive("extreme", items=[absent, there], comparator="lt").value == "kidney lesion"
    assert derive("extreme", items=[absent], comparator="gt").state is State.ABSENT
    unseen = missing("volume", "kidney_lesion", State.NOT_ASSESSED)
    assert derive("extreme", items=[unseen, there], comparator="gt").state is State.NOT_ASSESSED
    # an organ that is absent has no volume to compare
    organ = missing("volume", "spleen", State.ABSENT)
    assert derive("extreme", items=[organ, there], comparator="gt").state is State.ABSENT


def test_the_greatest_share_is_told_by_its_organ() -> None:
    shares = [
        measured("volume_share", f"{lesion}+{organ}", value, unit="%")
        for lesion, organ, value in (("liver_lesion", "liver", 1.0), ("pancreas_lesion", "pancreas", 8.0))
    ]
    made = derive("extreme", items=shares, comparator="gt")
    assert (made.value, made.details["structure"]) == ("pancreas", "pancreas")


def test_a_close_race_is_borderline() -> None:
    x, y = measured("volume", "liver", 100.0, margin=2.0), measured("volume", "spleen", 101.0, margin=2.0)
    assert derive("extreme", items=[x, y], comparator="gt").details["borderline"] is True
    far = measured("volume", "spleen", 201.0, margin=2.0)
    assert derive("extreme", items=[x, far], comparator="gt").details["borderline"] is False


@pytest.mark.parametrize(
    ("quantity", "unit", "comparator", "limit", "verdict"),
    [
        ("lesion_count", "1", "gt", 2.0, False), ("lesion_count", "1", "lt", 2.0, True),
        ("lesion_count", "1", "ge", 1.0, False), ("lesion_count", "1", "le", 0.0, True),
        ("longest_lesion_axis", "mm", "gt", 20.0, False), ("longest_lesion_axis", "mm", "ge", 20.0, False),
        # no lesion is shorter than 20 mm either: there is nothing that could be
        ("longest_lesion_axis", "mm", "lt", 20.0, None), ("volume", "cm3", "gt", 20.0, None),
    ],
)  # fmt: skip
def test_of_lesions_that_are_not_there_their_number_is_known(
    quantity: str, unit: str, comparator: str, limit: float, verdict: bool | None
) -> None:
    none = missing(quantity, "liver_lesion", State.ABSENT, unit)
    made = derive("compare_number", item=none, comparator=comparator, number=limit)
    assert (made.state, made.value) == (State.ABSENT, verdict)


@pytest.mark.parametrize("state", [State.NOT_ASSESSED, State.NOT_MEASURABLE])
@pytest.mark.parametrize("quantity", ["lesion_count", "longest_lesion_axis"])
def test_what_was_not_seen_is_not_taken_for_none(quantity: str, state: State) -> None:
    made = derive("compare_number", item=missing(quantity, "liver_lesion", state, "1"), comparator="gt", number=1.0)
    assert (made.state, made.value) == (state, None)
