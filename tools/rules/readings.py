"""What evidence tells a decision table: a number's interval, the values that are possible, or nothing."""

from __future__ import annotations

import math

from agent.errors import ToolError
from tools.intervals import Interval, interval
from tools.rules.decide import Reading, Word, domain
from tools.rules.table import TableRule
from tools.types import Evidence, State
from tools.units import convert, dimension

_YES = {"yes": True, "true": True, "no": False, "false": False}
SMALL, BOTH = "lesions below the size limit", "uncertainty and lesions below the size limit"
"""What makes a verdict borderline, where it is not the uncertainty of the measurements alone."""
_PRECISION = 9
"""Decimals kept when a unit is converted, so that a value on a limit stays on it."""


def reading(rule: TableRule, name: str, one: Evidence, *, whole: bool, small: bool = False) -> Reading:
    """What is known of an input.

    Args:
        rule: the rule.
        name: name of the input.
        one: the evidence of it.
        whole: whether its uncertainty counts; else its point value is taken where it has one.
        small: whether lesions below the size limit may count as well; only together with its uncertainty.

    Raises:
        ToolError: for evidence that is not of the kind or unit that the rule compares with.
    """
    if rule.limits(name):
        return _number(rule, name, one, whole=whole, small=small)
    values = domain(rule, name)
    # What is borderline only by lesions below the size limit is so only where they may count.
    wide = whole and (small or one.details.get("borderline_by") != SMALL)
    found = _words(one, yes_or_no=bool(values) and isinstance(values[0], bool), whole=wide)
    listed = rule.inputs[name]
    if found is None or not listed.values:
        return found
    fact = listed.declared
    known = frozenset(_listed(str(word), listed.values, fact) if fact else word for word in found)
    # What the rule does not list says nothing: it must not pass for the last of the rows.
    return known if known <= set(listed.values) else None


def _listed(word: str, values: tuple[str, ...], fact: str) -> str:
    """A declared word as the rule writes it: without regard to case, and to a category's letter (N1 for cn=1)."""
    plain = word.strip().lower()
    shorter = (plain.removeprefix(fact[at:]) for at in range(len(fact)))
    same = {value.lower(): value for value in values}
    return next((same[one] for one in (plain, *shorter) if one in same), word)


def _number(rule: TableRule, name: str, one: Evidence, *, whole: bool, small: bool) -> Reading:
    span = _span(rule, name, one)
    if span is None:
        return None
    if span.value is not None and not whole:
        span = Interval(span.value, span.value, span.value)
    counted = one.details.get("with_small")
    if small and isinstance(counted, int | float) and not isinstance(counted, bool):
        margin = one.uncertainty or 0.0
        span = Interval(span.value, min(span.low, counted - margin), max(span.high, counted + margin))
    unit = rule.inputs[name].unit
    if one.unit is None or unit is None or one.unit == unit:
        return span
    if dimension(one.unit) != dimension(unit):
        raise ToolError(f"rule {rule.id} needs the {rule.inputs[name].says} in {unit}, not in {one.unit}")
    low, high = (round(convert(end, one.unit, unit), _PRECISION) for end in (span.low, span.high))
    return Interval(None, low, high)


def _span(rule: TableRule, name: str, one: Evidence) -> Interval | None:
    if isinstance(one.value, str) and rule.inputs[name].declared is not None:
        try:
            number = float(one.value)
        except ValueError:
            return None
        return Interval(number, number, number) if math.isfinite(number) else None
    if isinstance(one.value, bool) and rule.inputs[name].declared is not None:
        return None
    if isinstance(one.value, bool | str):
        raise ToolError(f"rule {rule.id} needs a number as {rule.inputs[name].says}")
    if one.state is State.ABSENT and one.value is not None:
        # Of what was looked for and is not there, the number is nought.
        return Interval(float(one.value), float(one.value), float(one.value))
    return interval(one)


def _words(one: Evidence, *, yes_or_no: bool, whole: bool) -> frozenset[Word] | None:
    possible = one.details.get("possible")
    borderline = one.details.get("borderline")
    found: list[Word] = []
    if one.value is not None and one.state in {State.MEASURED, State.ABSENT}:
        found.append(one.value)
    elif isinstance(possible, list) and possible and not one.details.get("unlisted"):
        found += [item for item in possible if isinstance(item, bool | str)]
    if not found:
        return None
    if whole and isinstance(borderline, list):
        found += [item for item in borderline if isinstance(item, bool | str)]
    if whole and borderline is True and isinstance(one.value, bool):
        found.append(not one.value)
    words = [_word(item, yes_or_no=yes_or_no) for item in found]
    # A word that is neither yes nor no says nothing where the rule asks for one of them.
    return None if any(word is None for word in words) else frozenset(word for word in words if word is not None)


def _word(value: Word, *, yes_or_no: bool) -> Word | None:
    if yes_or_no:
        return value if isinstance(value, bool) else _YES.get(str(value).lower())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"
