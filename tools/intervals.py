"""What a piece of evidence leaves open: a value with its uncertainty, a lower bound, or nothing.

"A bound that already decides, decides": every comparison and rule works on these intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from agent.errors import ToolError
from tools.base import EvidenceId, Facts
from tools.ontology import load_ontology
from tools.types import Evidence, State

_OF_LESIONS = frozenset({"lesion_count", "volume", "volume_share"})
Ids = Annotated[list[EvidenceId], Field(min_length=1, max_length=64)]


@dataclass(frozen=True)
class Interval:
    """Where a quantity lies.

    Attributes:
        value: point value, None where there is only a bound.
        low: smallest value that is possible.
        high: largest value that is possible (infinite where only a lower bound is known).
    """

    value: float | None
    low: float
    high: float


def interval(evidence: Evidence) -> Interval | None:
    """Interval of a numeric evidence; None where nothing is known of its size (a yes or no is no number)."""
    if isinstance(evidence.value, bool):
        return None
    if evidence.state is State.MEASURED and isinstance(evidence.value, int | float):
        value, margin = float(evidence.value), evidence.uncertainty or 0.0
        return Interval(value, value - margin, value + margin)
    if evidence.state is State.NOT_MEASURABLE:
        low, high = evidence.lower_bound, upper_bound(evidence)
        if low is not None or high is not None:
            # Only lengths and angles have upper bounds, and they cannot be negative.
            return Interval(None, 0.0 if low is None else low, math.inf if high is None else high)
    return None


def amount(evidence: Evidence) -> Interval | None:
    """Interval of a numeric evidence, where the number or volume of lesions that are absent is nothing."""
    none = evidence.state is State.ABSENT and evidence.quantity in _OF_LESIONS
    if none and load_ontology().get(evidence.target.partition("+")[0]).kind == "lesion":
        return Interval(0.0, 0.0, 0.0)
    return interval(evidence)


def upper_bound(evidence: Evidence) -> float | None:
    """What a quantity that is not measurable cannot exceed, in its unit: a distance to what is cut off."""
    found = evidence.details.get("upper_bound")
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def unmet(inputs: Sequence[Evidence]) -> tuple[State, str] | None:
    """State and reason of a result whose inputs are not all numbers or bounds; None if they are.

    Not assessed outweighs absent, absent outweighs not measurable: what nobody looked at can't be concluded from.
    """
    for state in (State.NOT_ASSESSED, State.ABSENT, State.NOT_MEASURABLE):
        for one in inputs:
            if one.state is state and interval(one) is None:
                return state, one.reason or f"an input is {state.value.replace('_', ' ')}"
    return None


def cited(case: Facts, ident: str) -> Evidence:
    """The evidence of this id.

    Raises:
        ToolError: if it does not exist.
    """
    try:
        return case.evidence[ident]
    except KeyError:
        raise ToolError(f"evidence {ident} does not exist") from None


def one_unit(items: Sequence[Evidence]) -> str | None:
    """The unit that all values share.

    Raises:
        ToolError: if they don't.
    """
    units = {item.unit for item in items}
    if len(units) > 1:
        raise ToolError("values of different units cannot be combined")
    return units.pop()


def joined_targets(items: Sequence[Evidence]) -> str:
    """Targets of several pieces of evidence as one target."""
    return "+".join(item.target for item in items)


def why_open(inputs: Sequence[Evidence]) -> str:
    """Why known bounds leave a question open, naming each structure that has only a bound."""
    reasons = {
        f"{load_ontology().get(one.target).name}: {one.reason}"
        for one in inputs
        if one.reason and interval(one) and one.value is None
    }
    return "; ".join(sorted(reasons)) or "the bounds that are known do not decide it"
