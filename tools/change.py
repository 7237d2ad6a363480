"""Change of a value since an earlier scan."""

from __future__ import annotations

import math
from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Interval, cited, interval, one_unit, unmet, why_open
from tools.types import Evidence, State

PRIOR = "prior_"
"""What the quantities of an earlier scan begin with."""
_SIZES = ("volume", "axis", "lesion_count")
_OPEN = "How the {in0.quantity} of the {target} has changed "


@tool(
    version="1",
    reads=("evidence",),
    says={
        "*_change": {
            "measured": "The {in0.quantity} of the {target} has changed by {value}{pm}: it was {in1.value} in the "
            "earlier scan and is {in0.value} now.{note}",
            "not_measurable": _OPEN + "cannot be measured: {reason}.{at_least}{at_most}",
            "not_assessed": _OPEN + "was not assessed: {reason}.",
            "absent": _OPEN + "cannot be said: {reason}.",
        }
    },
)
def percent_change(case: Facts, make: Maker, *, now: EvidenceId, before: EvidenceId) -> list[Evidence]:
    """Change of a value since an earlier scan, in percent of the earlier value.

    A structure that is no longer found has lost all of its size. A lower bound on either side gives a bound of the
    change.

    Args:
        now: evidence id of the value.
        before: evidence id of the same quantity in the earlier scan.

    Raises:
        ToolError: for two different quantities or structures.
    """
    inputs = [cited(case, now), cited(case, before)]
    new, old = inputs
    if old.quantity.removeprefix(PRIOR) != new.quantity or old.target != new.target:
        raise ToolError("a change needs the same quantity of the same structure in both scans")
    one_unit([one for one in inputs if one.state is not State.ABSENT] or inputs)
    quantity = f"{new.quantity}_change"
    common: dict[str, Any] = {
        "unit": "%",
        "inputs": (now, before),
        "method": "first minus second, in percent of the second",
    }
    b = interval(old)
    a = interval(new)
    if new.state is State.ABSENT and new.quantity.endswith(_SIZES) and b is not None and b.low > 0:
        note = "it is no longer found"
        return [make(quantity, new.target, state=State.MEASURED, value=-100.0, uncertainty=0.0, reason=note, **common)]
    if a is None or b is None:
        state, reason = unmet(inputs) or (State.NOT_MEASURABLE, why_open(inputs))
        if unmet([new]) is None and unmet([old]) is not None:
            reason = f"in the earlier scan, {reason}"
        return [make(quantity, new.target, state=state, reason=reason, **common)]
    if b.low <= 0 or a.low < 0:
        reason = "the values are not clearly above zero"
        return [make(quantity, new.target, state=State.NOT_MEASURABLE, reason=reason, **common)]
    if a.value is None or b.value is None:
        return [_bounded(make, quantity, new, why_open(inputs), _bounds(a, b), common)]
    ratio = a.value / b.value
    error = math.hypot((a.high - a.value) / b.value, ratio * (b.high - b.value) / b.value)
    return [
        make(
            quantity, new.target, state=State.MEASURED, value=round(100 * (ratio - 1), 6),
            uncertainty=round(100 * error, 6), **common,
        )
    ]  # fmt: skip


def _bounds(a: Interval, b: Interval) -> tuple[float, float]:
    """Least and greatest change in percent."""
    least = -100.0 if math.isinf(b.high) else 100 * (a.low / b.high - 1)
    greatest = math.inf if math.isinf(a.high) else 100 * (a.high / b.low - 1)
    return least, greatest


def _bounded(
    make: Maker, quantity: str, new: Evidence, reason: str, bounds: tuple[float, float], common: dict[str, Any]
) -> Evidence:
    low, high = bounds
    details = {} if math.isinf(high) else {"upper_bound": round(high, 6)}
    # Nothing can lose more than all of it: alone, that bound says nothing.
    known = round(low, 6) if low > -100.0 or details else None
    return make(
        quantity, new.target, state=State.NOT_MEASURABLE, reason=reason, lower_bound=known, details=details, **common
    )
