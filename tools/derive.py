"""Values derived from evidence by arithmetic: sums, differences, ratios, unit conversion.

These functions are pure: the critic calls the same tools again on the cited evidence and expects the same result.
"""

from __future__ import annotations

import math
from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Ids, amount, cited, interval, joined_targets, one_unit, unmet, why_open
from tools.types import Evidence, State
from tools.units import convert as convert_units
from tools.units import dimension

_BOTH = "The {quantity} of the {in0.target} is {in0.value}, that of the {in1.target} {in1.value}: "
_TOTAL = {
    "measured": "Together, {input_targets} have a {quantity} of {value}{pm}.",
    "not_measurable": "The total for {input_targets} cannot be measured: {reason}.{at_least}",
    "not_assessed": "The total for {input_targets} was not assessed: {reason}.",
}
_UNDECIDED = dict.fromkeys(("not_measurable", "not_assessed", "absent"), "{reason_sentence}")


@tool(
    version="1",
    reads=("evidence",),
    says={"*_total": _TOTAL},
)  # fmt: skip
def total(case: Facts, make: Maker, *, items: Ids) -> list[Evidence]:
    """Sum of several values of one unit; with a lower bound where some are only bounds.

    Args:
        items: evidence ids.
    """
    inputs = [cited(case, item) for item in items]
    quantity, unit = f"{inputs[0].quantity}_total", one_unit(inputs)
    there = [one for one in inputs if one.state is not State.ABSENT]
    common: dict[str, Any] = {"unit": unit, "inputs": tuple(items), "method": "sum of the inputs"}
    missing = unmet(there) if there else (State.ABSENT, "none of them was found")
    known = [found for one in there if (found := interval(one)) is not None]
    if missing is not None:
        return [make(quantity, joined_targets(inputs), state=missing[0], reason=missing[1], **common)]
    if all(one.value is not None for one in known):
        value = sum(one.value for one in known if one.value is not None)
        error = sum(one.high - one.value for one in known if one.value is not None)
        note = "one of them was not found and counts as nothing" if len(there) < len(inputs) else None
        common |= {"uncertainty": round(error, 6), "reason": note}
        return [make(quantity, joined_targets(inputs), state=State.MEASURED, value=round(value, 6), **common)]
    bound = sum(one.value if one.value is not None else one.low for one in known)
    cut = next(one.reason for one in there if one.state is State.NOT_MEASURABLE)
    return [
        make(
            quantity,
            joined_targets(inputs),
            state=State.NOT_MEASURABLE,
            lower_bound=round(bound, 6),
            reason=cut,
            **common,
        )
    ]


@tool(
    version="2",
    reads=("evidence",),
    says={"*_difference": {"measured": _BOTH + "a difference of {value}{pm}.", **_UNDECIDED}},
)  # fmt: skip
def difference(case: Facts, make: Maker, *, first: EvidenceId, second: EvidenceId) -> list[Evidence]:
    """First value minus second value.

    Args:
        first: evidence id.
        second: evidence id.
    """
    inputs = [cited(case, first), cited(case, second)]
    quantity, unit = f"{inputs[0].quantity}_difference", one_unit(inputs)
    common: dict[str, Any] = {"unit": unit, "inputs": (first, second), "method": "first minus second"}
    a, b = (amount(one) for one in inputs)
    if a is None or b is None or a.value is None or b.value is None:
        state, reason = unmet([one for one in inputs if amount(one) is None]) or (
            State.NOT_MEASURABLE,
            why_open(inputs),
        )
        return [make(quantity, joined_targets(inputs), state=state, reason=reason, **common)]
    return [
        make(
            quantity, joined_targets(inputs), state=State.MEASURED, value=round(a.value - b.value, 6),
            uncertainty=round((a.high - a.value) + (b.high - b.value), 6), **common,
        )
    ]  # fmt: skip


@tool(
    version="1",
    reads=("evidence",),
    says={
        "*_ratio": {"measured": _BOTH + "a ratio of {value}{pm}.", **_UNDECIDED},
        "*_share": {"measured": _BOTH + "a share of {value}{pm}.", **_UNDECIDED},
    },
)  # fmt: skip
def ratio(
    case: Facts, make: Maker, *, numerator: EvidenceId, denominator: EvidenceId, percent: bool = False
) -> list[Evidence]:
    """Numerator divided by denominator, or as a percentage.

    Args:
        numerator: evidence id.
        denominator: evidence id of a positive value.
        percent: give 100 × the ratio, in %.
    """
    inputs = [cited(case, numerator), cited(case, denominator)]
    one_unit(inputs)
    quantity = f"{inputs[0].quantity}_{'share' if percent else 'ratio'}"
    common: dict[str, Any] = {
        "unit": "%" if percent else "1",
        "inputs": (numerator, denominator),
        "method": "100 × first / second" if percent else "first / second",
    }
    a, b = (interval(one) for one in inputs)
    if a is None or b is None or a.value is None or b.value is None:
        state, reason = unmet(inputs) or (State.NOT_MEASURABLE, why_open(inputs))
        return [make(quantity, joined_targets(inputs), state=state, reason=reason, **common)]
    if b.low <= 0:
        reason = "the divisor is not clearly above zero"
        return [make(quantity, joined_targets(inputs), state=State.NOT_MEASURABLE, reason=reason, **common)]
    scale = 100.0 if percent else 1.0
    value = a.value / b.value
    relative = math.hypot((a.high - a.value) / b.value, value * (b.high - b.value) / b.value)
    return [
        make(
            quantity, joined_targets(inputs), state=State.MEASURED, value=round(scale * value, 6),
            uncertainty=round(scale * relative, 6), **common,
        )
    ]  # fmt: skip


@tool(version="1", reads=("evidence",))
def convert(case: Facts, make: Maker, *, item: EvidenceId, unit: str) -> list[Evidence]:
    """The same value in another unit.

    Args:
        item: evidence id.
        unit: unit of the same dimension.
    """
    given = cited(case, item)
    if given.unit is None or dimension(given.unit) != dimension(unit):
        raise ToolError(f"a {given.quantity.replace('_', ' ')} cannot be given in {unit}")

    def scaled(number: float | None) -> float | None:
        return None if number is None else round(convert_units(float(number), given.unit or unit, unit), 9)

    value = given.value if isinstance(given.value, int | float) and not isinstance(given.value, bool) else None
    return [
        make(
            given.quantity, given.target, state=given.state, value=scaled(value), unit=unit, reason=given.reason,
            uncertainty=scaled(given.uncertainty), lower_bound=scaled(given.lower_bound), inputs=(item,),
            slice=given.slice, method=f"{given.method}; converted from {given.unit}",
        )
    ]  # fmt: skip
