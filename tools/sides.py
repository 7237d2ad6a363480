"""Two sides, or two structures, against each other: which is larger, which bears substantially more disease."""

from __future__ import annotations

import math
from typing import Any

from agent.errors import ToolError
from tools.base import EvidenceId, Facts, Maker, tool
from tools.intervals import Interval, cited, interval, joined_targets, one_unit, unmet, why_open
from tools.ontology import load_ontology
from tools.rules.margins import Margin, margin
from tools.types import Evidence, State

SAME = "about the same"
SYMMETRIC = "symmetric"
NEITHER = "neither has any"
_FIRST, _SECOND, _EVEN = 0, 1, 2
_SIZES = (
    "the {in0.quantity} of the {in0.target} is {in0.value}{in0.bound}, "
    "that of the {in1.target} is {in1.value}{in1.bound}. "
)
_OPEN = dict.fromkeys(("not_measurable", "not_assessed", "absent"), "{reason_sentence}")


@tool(
    version="1",
    reads=("evidence",),
    says={
        "larger_of": {
            "measured": "Larger: {value}; " + _SIZES + "Values that differ by no more than {num.margin_percent} of the "
            "larger one count as the same ({detail.citation}).{borderline}",
            **_OPEN,
        }
    },
)
def same_or_larger(case: Facts, make: Maker, *, first: EvidenceId, second: EvidenceId) -> list[Evidence]:
    """Which of two values is larger, or that they are about the same (rule ``volume-same-margin``).

    A bound that decides, decides.

    Args:
        first: evidence id.
        second: evidence id of the same quantity of another structure.

    Raises:
        ToolError: for values that cannot be compared so.
    """
    inputs = _comparable(case, first, second)
    rule = margin("volume-same-margin")
    known = [interval(one) for one in inputs]
    names = [load_ontology().get(one.target).name for one in inputs] + [SAME]
    found = [[one.target] for one in inputs] + [[one.target for one in inputs]]
    details = {"margin_percent": rule.value, "difference_percent": _difference(inputs)}
    return [
        _judged(
            make, "larger_of", inputs, known, rule, names, found, details,
            factor=1.0 / (1.0 - rule.value / 100.0), strict=True,
        )
    ]  # fmt: skip


@tool(
    version="1",
    reads=("evidence",),
    says={
        "asymmetry": {
            "measured": "Substantially more: {value}; " + _SIZES + "Substantially more is at least {num.factor} times "
            "as much ({detail.citation}).{borderline}",
            **_OPEN,
        }
    },
)
def asymmetry(case: Facts, make: Maker, *, first: EvidenceId, second: EvidenceId) -> list[Evidence]:
    """Which of two sides bears substantially more, "symmetric", or "neither has any".

    The factor is that of the rule ``lesion-burden-asymmetry``. What was looked for and is absent counts as none; what
    nobody looked for leaves it open.

    Args:
        first: evidence id of a burden (volume or count) on one side.
        second: evidence id of the same on the other side.

    Raises:
        ToolError: for values that cannot be compared so.
    """
    inputs = _comparable(case, first, second)
    rule = margin("lesion-burden-asymmetry")
    none = Interval(0.0, 0.0, 0.0)
    known = [none if one.state is State.ABSENT else interval(one) for one in inputs]
    ontology = load_ontology()
    places = [ontology.get(one.target).organ or one.target for one in inputs]
    empty = all(span is not None and span.value == 0 for span in known)
    names = [ontology.get(place).name for place in places] + [NEITHER if empty else SYMMETRIC]
    found = [*([place] for place in places), [] if empty else places]
    return [
        _judged(
            make, "asymmetry", inputs, known, rule, names, found, {"factor": rule.value},
            factor=rule.value, strict=False,
        )
    ]  # fmt: skip


def _comparable(case: Facts, first: str, second: str) -> list[Evidence]:
    inputs = [cited(case, first), cited(case, second)]
    if inputs[0].quantity != inputs[1].quantity:
        raise ToolError("two sides can be compared in one quantity only")
    one_unit([one for one in inputs if one.state is not State.ABSENT] or inputs)
    if any((span := interval(one)) is not None and span.value is not None and span.value < 0 for one in inputs):
        raise ToolError("only sizes and counts can be compared by a margin or a factor")
    return inputs


def _difference(inputs: list[Evidence]) -> float | None:
    """Difference in percent of the larger value; None unless both are known."""
    known = [interval(one) for one in inputs]
    values = [span.value for span in known if span is not None and span.value is not None]
    if len(values) < 2:
        return None
    return round(100 * abs(values[0] - values[1]) / max(values), 4) if max(values) > 0 else 0.0


def _judged(
    make: Maker, quantity: str, inputs: list[Evidence], known: list[Interval | None], rule: Margin,
    names: list[str], found: list[list[str]], details: dict[str, Any], *, factor: float, strict: bool,
) -> Evidence:  # fmt: skip
    """Evidence of the outcome: the first has more, the second has, or neither; open where bounds don't decide."""
    common: dict[str, Any] = {
        "inputs": tuple(one.id for one in inputs),
        "method": f"{rule.note.rstrip('.')} (rule {rule.id})",
    }
    target = joined_targets(inputs)
    open_ = [one for one, span in zip(inputs, known, strict=True) if span is None]
    a, b = known
    if a is None or b is None:
        state, reason = unmet(open_) or (State.NOT_MEASURABLE, why_open(open_))
        return make(quantity, target, state=state, reason=reason, **common)
    readings = _outcomes(a, b, factor, strict=strict)
    if a.value is not None and b.value is not None:
        chosen = next(iter(_outcomes(_point(a.value), _point(b.value), factor, strict=strict)))
    elif len(readings) == 1:
        chosen = readings[0]
    else:
        return make(quantity, target, state=State.NOT_MEASURABLE, reason=why_open(inputs), **common)
    details |= {
        **rule.details,
        "structures": list(found[chosen]),
        "borderline": [names[one] for one in readings] if len(readings) > 1 else [],
    }
    return make(quantity, target, state=State.MEASURED, value=names[chosen], details=details, **common)


def _point(value: float) -> Interval:
    return Interval(value, value, value)


def _outcomes(a: Interval, b: Interval, factor: float, *, strict: bool) -> list[int]:
    """Every outcome that some pair of values within the intervals has."""

    def exceeds(most: float, least: float) -> bool:
        if math.isinf(most) or math.isinf(least):
            return math.isinf(most)
        gap, slack = most - factor * max(least, 0.0), 1e-9 * max(abs(most), abs(least))
        return most > 0 and (gap > slack if strict else gap >= -slack)

    outcomes = [_FIRST] if exceeds(a.high, b.low) else []
    outcomes += [_SECOND] if exceeds(b.high, a.low) else []
    if not exceeds(a.low, b.high) and not exceeds(b.low, a.high):
        outcomes.append(_EVEN)
    return outcomes
