"""Counting listed lesions by size, against counting by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ToolError
from tools.base import Facts
from tools.count_lesions import count_lesions
from tools.types import Evidence, State


def _made(quantity: str, target: str, **more: Any) -> Evidence:
    return Evidence.make(
        tool="lesion_table", version="1", arguments={}, quantity=quantity, target=target, method="listed", **more
    )


def _rows(sizes: list[tuple[float, float, bool]], **table: Any) -> list[Evidence]:
    """A table with lesions of a long axis in mm and a volume in cm³, whole or cut off."""
    more = {"state": State.MEASURED, "value": len(sizes), "unit": "1", **table}
    rows = [_made("lesion_table", "liver_lesion", **more)]
    for number, (axis, volume, whole) in enumerate(sizes, start=1):
        state = State.MEASURED if whole else State.NOT_MEASURABLE
        known = {"value": volume} if whole else {"lower_bound": volume, "reason": "it is cut off"}
        details = {"long_axis_mm": axis, "long_axis_pm_mm": 1.0}
        rows.append(
            _made("lesion", f"liver_lesion#{number}", unit="cm3", state=state, uncertainty=0.1 if whole else None,
                  details=details, **known)
        )  # fmt: skip
    return rows


def _count(rows: list[Evidence], **arguments: Any) -> Evidence:
    facts = Facts(evidence={one.id: one for one in rows})
    given_ = {"comparator": "gt", "number": 20.0, "unit": "mm", "items": [one.id for one in rows], **arguments}
    return count_lesions.call(facts, given_)[-1]


WHOLE = [(35.0, 17.0, True), (20.0, 4.0, True), (12.0, 1.0, True)]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, 1),
        ({"number": 2.0, "unit": "cm"}, 1),
        ({"comparator": "ge"}, 2),
        ({"comparator": "lt"}, 1),
        ({"comparator": "le"}, 2),
        ({"number": 20.0, "unit": None}, 1),
        ({"number": 19.999}, 2),
        ({"number": 20.001, "comparator": "ge"}, 1),
        ({"number": 4.0, "unit": "ml"}, 1),
        ({"number": 0.001, "unit": "l", "comparator": "ge"}, 3),
        ({"number": 10.0, "comparator": "ge", "upper": 20.0}, 2),
        ({"number": 1.0, "unit": "cm", "comparator": "ge", "upper": 1.5}, 1),
        ({"number": 100.0}, 0),
    ],
)
def test_counts(arguments: dict[str, Any], wanted: int) -> None:
    found = _count(_rows(WHOLE), **arguments)
    assert (found.state, found.value, found.unit) == (State.MEASURED, wanted, "1")


def test_a_size_within_the_uncertainty_of_the_limit_is_borderline() -> None:
    assert _count(_rows(WHOLE)).details["borderline"] is True
    assert _count(_rows(WHOLE), number=25.0).details["borderline"] is False


def test_what_is_seen_of_a_lesion_that_is_cut_off_may_decide() -> None:
    rows = _rows([(35.0, 17.0, False), (12.0, 1.0, True)])
    assert _count(rows).value == 1
    open_ = _count(rows, number=40.0)
    assert (open_.state, open_.value, open_.lower_bound) == (State.NOT_MEASURABLE, None, 0.0)
    assert _count(rows, comparator="lt").value == 1
    assert _count(rows, comparator="lt", number=40.0).lower_bound == 1.0


@pytest.mark.parametrize(
    ("state", "value", "wanted"),
    [(State.ABSENT, 0, 0), (State.NOT_ASSESSED, None, None), (State.NOT_MEASURABLE, None, None)],
)
def test_states_are_kept(state: State, value: Any, wanted: Any) -> None:
    found = _count(_rows([], state=state, value=value, reason="so it is"))
    assert (found.state, found.value, found.reason) == (state, wanted, "so it is")


def test_lesions_that_are_not_listed_leave_it_open() -> None:
    found = _count(_rows(WHOLE, details={"unlisted": 5}))
    assert (found.state, found.lower_bound) == (State.NOT_MEASURABLE, 1.0)


def test_what_cannot_be_counted_so() -> None:
    with pytest.raises(ToolError, match="compared with a number in HU"):
        _count(_rows(WHOLE), unit="HU")
    with pytest.raises(ToolError, match="only from a list"):
        _count(_rows(WHOLE)[1:])


@pytest.mark.slow
@given(st.lists(st.floats(1.0, 99.0), max_size=12), st.floats(1.0, 99.0), st.floats(0.0, 50.0))
def test_every_lesion_is_counted_once(sizes: list[float], limit: float, width: float) -> None:
    rows = _rows([(size, 1.0, True) for size in sizes])
    below, beyond = _count(rows, comparator="le", number=limit), _count(rows, comparator="gt", number=limit)
    assert int(str(below.value)) + int(str(beyond.value)) == len(sizes)
    between = _count(rows, comparator="ge", number=limit, upper=limit + width)
    assert between.value == sum(limit <= size <= limit + width for size in sizes)
