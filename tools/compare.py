"""Comparisons of evidence: with each other, with a number, and the extreme of several.

These functions are pure: the critic calls the same tools again on the cited evidence and expects the same result.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Ids, Interval, amount, cited, interval, joined_targets, one_unit, unmet, why_open
from tools.ontology import load_ontology
from tools.types import Evidence, State
from tools.units import convert as convert_units
from tools.units import dimension

Comparator = Literal["gt", "lt", "ge", "le"]
_TEXT = {"gt": "greater than", "lt": "less than", "ge": "at least", "le": "at most"}
_IS = "The {quantity_of_input} of the {in0.target} ({in0.value}{in0.bound}) is "
_THAT = "{comparator} that of the {in1.target} ({in1.value}{in1.bound}).{borderline}"
_NUMBER = "{comparator} {in1.value}.{borderline}"
_EXTREME = "Of {input_list}, the {superlative} {quantity_of_input} is that of the {value}.{borderline}"
_UNDECIDED = dict.fromkeys(("not_measurable", "not_assessed", "absent"), "{reason_sentence}")


def holds(first: Interval, second: Interval, comparator: Comparator) -> bool | None:
    """Whether ``first comparator second`` holds by the point values, or by the bounds where they decide; else None."""
    if first.value is not None and second.value is not None:
        a, b = first.value, second.value
        return {"gt": a > b, "lt": a < b, "ge": a >= b, "le": a <= b}[comparator]
    if comparator in {"gt", "ge"}:
        if first.low > second.high or (comparator == "ge" and first.low >= second.high):
            return True
        if first.high < second.low or (comparator == "gt" and first.high <= second.low):
            return False
        return None
    return holds(second, first, "gt" if comparator == "lt" else "ge")


def _overlap(first: Interval, second: Interval) -> bool:
    return (
        first.value is not None and second.value is not None and first.low <= second.high and second.low <= first.high
    )


def _exact(first: Interval, second: Interval) -> bool:
    """Whether neither has an uncertainty: two lesions are not more than two, and not nearly so."""
    return first.low == first.high and second.low == second.high


@tool(
    version="2",
    reads=("evidence",),
    says={
        "comparison": {
            "true": _IS + _THAT,
            "false": _IS + "not " + _THAT,
            **_UNDECIDED,
        }
    },
)  # fmt: skip
def compare(
    case: Facts, make: Maker, *, first: EvidenceId, second: EvidenceId, comparator: Comparator
) -> list[Evidence]:
    """Whether the first value is greater or less than the second; a bound that decides, decides.

    Args:
        first: evidence id.
        second: evidence id.
        comparator: gt, lt, ge or le.
    """
    inputs = [cited(case, first), cited(case, second)]
    one_unit(inputs)
    common: dict[str, Any] = {"inputs": (first, second), "method": f"first is {_TEXT[comparator]} second"}
    a, b = (amount(one) for one in inputs)
    if a is None or b is None:
        state, reason = unmet([one for one in inputs if amount(one) is None]) or (
            State.NOT_MEASURABLE,
            why_open(inputs),
        )
        return [make("comparison", joined_targets(inputs), state=state, reason=reason, **common)]
    verdict = holds(a, b, comparator)
    if verdict is None:
        return [
            make("comparison", joined_targets(inputs), state=State.NOT_MEASURABLE, reason=why_open(inputs), **common)
        ]
    details = {"borderline": _overlap(a, b) and not _exact(a, b), "comparator": comparator}
    return [make("comparison", joined_targets(inputs), state=State.MEASURED, value=verdict, details=details, **common)]


def _of_none(given: Evidence, limit: float, comparator: Comparator) -> bool | None:
    """What is certain of lesions that are not there: their number is zero, and none of them is longer than a length."""
    if given.quantity == "lesion_count":
        return holds(Interval(0.0, 0.0, 0.0), Interval(limit, limit, limit), comparator)
    return False if given.quantity == "longest_lesion_axis" and comparator in {"gt", "ge"} and limit > 0 else None


@tool(
    version="2",
    reads=("evidence",),
    says={
        "threshold": {"measured": "The number to compare with is {value}."},
        "comparison": {
            "true": _IS + _NUMBER,
            "false": _IS + "not " + _NUMBER,
            **_UNDECIDED,
        },
    },
)  # fmt: skip
def compare_number(
    case: Facts,
    make: Maker,
    *,
    item: EvidenceId,
    comparator: Comparator,
    number: Annotated[float, Field(allow_inf_nan=False)],
    unit: str | None = None,
) -> list[Evidence]:
    """Whether a value is greater or less than a number that the user named.

    Args:
        item: evidence id.
        comparator: gt, lt, ge or le.
        number: the number.
        unit: its unit; None takes the unit of the item.
    """
    given = cited(case, item)
    if unit is not None and given.unit is not None and dimension(unit) != dimension(given.unit):
        raise ToolError(f"a value in {given.unit} cannot be compared with a number in {unit}")
    own = unit or given.unit
    asked = make(
        "threshold", given.target, state=State.MEASURED, value=number, unit=own, method="named in the question",
        reason=None if unit else "the question names no unit, the unit of the measurement is taken",
    )  # fmt: skip
    limit = convert_units(number, own, given.unit) if own and given.unit else number
    common: dict[str, Any] = {"inputs": (item, asked.id), "method": f"value is {_TEXT[comparator]} the number"}
    a = interval(given)
    if a is None:
        state, reason = unmet([given]) or (State.NOT_MEASURABLE, why_open([given]))
        value = _of_none(given, limit, comparator) if state is State.ABSENT else None
        return [asked, make("comparison", given.target, state=state, value=value, reason=reason, **common)]
    b = Interval(limit, limit, limit)
    verdict = holds(a, b, comparator)
    if verdict is None:
        reason = given.reason or "only a lower bound is known, which does not decide"
        return [asked, make("comparison", given.target, state=State.NOT_MEASURABLE, reason=reason, **common)]
    details = {"borderline": _overlap(a, b) and not _exact(a, b), "comparator": comparator}
    return [asked, make("comparison", given.target, state=State.MEASURED, value=verdict, details=details, **common)]


@tool(
    version="2",
    reads=("evidence",),
    says={"extreme": {"measured": _EXTREME, **_UNDECIDED}},
)  # fmt: skip
def extreme(case: Facts, make: Maker, *, items: Ids, comparator: Comparator) -> list[Evidence]:
    """Which of several values is the greatest (gt) or the least (lt); the answer is the structure's name.

    Lesions that were looked for and are absent count as none, where any are there; a share is told by its whole.

    Args:
        items: evidence ids.
        comparator: gt for the greatest, lt for the least.
    """
    inputs = [cited(case, item) for item in items]
    one_unit(inputs)
    common: dict[str, Any] = {"inputs": tuple(items), "method": f"pairwise comparison ({comparator})"}
    known = [amount(one) for one in inputs]
    none = all(one.state is State.ABSENT for one in inputs)
    if none or any(one is None for one in known):
        open_ = [one for one, span in zip(inputs, known, strict=True) if none or span is None]
        state, reason = unmet(open_) or (State.NOT_MEASURABLE, why_open(inputs))
        return [make("extreme", joined_targets(inputs), state=state, reason=reason, **common)]
    intervals = [one for one in known if one is not None]
    for index, one in enumerate(intervals):
        rivals = [other for at, other in enumerate(intervals) if at != index]
        if all(holds(one, other, comparator) for other in rivals):
            details = {
                "borderline": any(_overlap(one, other) for other in rivals),
                "comparator": comparator,
                "structure": (place := inputs[index].target.rpartition("+")[2]),
            }
            name = load_ontology().get(place).name
            return [
                make("extreme", joined_targets(inputs), state=State.MEASURED, value=name, details=details, **common)
            ]
    equal = all(one.value is not None for one in intervals)
    reason = "they are equal" if equal else why_open(inputs)
    details = {"equal": True} if equal else {}
    return [
        make("extreme", joined_targets(inputs), state=State.NOT_MEASURABLE, reason=reason, details=details, **common)
    ]


_JOINED = {"*": dict.fromkeys(("true", "false", "not_measurable", "not_assessed", "absent"), "{input_sentences}")}


@tool(version="1", reads=("evidence",), says=_JOINED)
def any_of(case: Facts, make: Maker, *, items: Ids) -> list[Evidence]:
    """Whether at least one of several yes/no results is yes.

    Args:
        items: evidence ids of boolean values.
    """
    return _joined(case, make, items, decides=True, method="yes if any input is yes")


@tool(version="1", reads=("evidence",), says=_JOINED)
def all_of(case: Facts, make: Maker, *, items: Ids) -> list[Evidence]:
    """Whether every one of several yes/no results is yes.

    Args:
        items: evidence ids of boolean values.
    """
    return _joined(case, make, items, decides=False, method="yes if every input is yes")


def _joined(case: Facts, make: Maker, items: list[str], *, decides: bool, method: str) -> list[Evidence]:
    """One yes or no of several; a single input that says `decides` settles it."""
    inputs = [cited(case, item) for item in items]
    common: dict[str, Any] = {"inputs": tuple(items), "method": method}
    quantity, target = inputs[0].quantity, joined_targets(inputs)
    if any(one.value is decides for one in inputs):
        deciding = [one for one in inputs if one.value is decides]
        state = State.MEASURED if any(one.state is State.MEASURED for one in deciding) else State.ABSENT
        return [make(quantity, target, state=state, value=decides, **common)]
    if all(one.value is (not decides) for one in inputs):
        state = State.MEASURED if any(one.state is State.MEASURED for one in inputs) else State.ABSENT
        return [make(quantity, target, state=state, value=not decides, **common)]
    open_ = [one for one in inputs if one.value is None]
    worst = State.NOT_ASSESSED if any(one.state is State.NOT_ASSESSED for one in open_) else open_[0].state
    reason = next(one.reason for one in open_ if one.state is worst)
    return [make(quantity, target, state=worst, reason=reason, **common)]
