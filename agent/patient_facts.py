"""What the facts about a patient can be: numbers within bounds, yes or no, or one of some words.

The rules that take a fact say of which kind it is; only what no rule says stands here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from agent.errors import UsageError
from tools.declared import value_of
from tools.intervals import Interval
from tools.rules.decide import Reading, domain
from tools.rules.model import load_rules
from tools.rules.readings import reading
from tools.rules.table import TableRule
from tools.types import Evidence, State

_WORDS = {"sex": ("F", "M", "O", "female", "male", "other"), "cirrhosis": ("yes", "no", "true", "false")}
"""General facts that no rule need take; sex as DICOM has it (PS3.3, C.7.1.1), or in words."""
_RANGES = {"age": (0.0, 120.0)}
"""By fact; years."""
_LENGTHS_MM = (0.0, 1000.0)
_COUNTS = (0.0, 1000.0)
_YES_OR_NO = "yes or no"
_LONGEST = 40


@dataclass(frozen=True)
class _Use:
    rule: TableRule
    name: str


@cache
def _uses() -> dict[str, tuple[_Use, ...]]:
    """Fact → where it is an input of a rule."""
    found: dict[str, tuple[_Use, ...]] = {}
    tables = [rule for rule in load_rules().values() if isinstance(rule, TableRule)]
    for rule in tables:
        for name, one in rule.inputs.items():
            if one.declared is not None:
                fact = one.declared.strip().lower()
                found[fact] = (*found.get(fact, ()), _Use(rule, name))
    return found


def facts_with_bounds() -> set[str]:
    """Names of the facts that rules take, and of general ones."""
    return {*_WORDS, *_uses()}


def check_fact(fact: str, text: str) -> None:
    """Refuse a value that a fact cannot have.

    Args:
        fact: its name, in lower case.
        text: its value as declared.

    Raises:
        UsageError: naming the values that it can have.
    """
    given = f"{text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''}"
    uses = _uses().get(fact, ())
    if words := _WORDS.get(fact):
        if text.strip().lower() not in {one.lower() for one in words}:
            told = _YES_OR_NO if "yes" in words else _any_of(words)
            raise UsageError(f"--patient {fact} takes {told}, not {given!r}.")
    elif uses:
        readings = [_read(fact, text, use) for use in uses]
        low, high = _range(fact, uses)
        if all(found is None or not _within(found, low, high) for found in readings):
            raise UsageError(f"--patient {fact} takes {_expected(uses, low, high)}, not {given!r}.")


def _read(fact: str, text: str, use: _Use) -> Reading:
    told = Evidence.make(
        tool="declared", version="1", quantity="fact", target=fact, value=value_of(text), state=State.MEASURED,
        method="declared by the user",
    )  # fmt: skip
    return reading(use.rule, use.name, told, whole=False)


def _range(fact: str, uses: tuple[_Use, ...]) -> tuple[float, float]:
    lengths = any(use.rule.inputs[use.name].unit == "mm" for use in uses)
    return _RANGES.get(fact, _LENGTHS_MM if lengths else _COUNTS)


def _within(found: Interval | frozenset[bool | int | float | str], low: float, high: float) -> bool:
    if not isinstance(found, Interval):
        return True
    return math.isfinite(found.low) and math.isfinite(found.high) and low <= found.low and found.high <= high


def _expected(uses: tuple[_Use, ...], low: float, high: float) -> str:
    if any(use.rule.limits(use.name) for use in uses):
        unit = next((one.unit for use in uses if (one := use.rule.inputs[use.name]).unit is not None), None)
        return f"a number from {low:g} to {high:g}{f' (in {unit})' if unit else ''}"
    values = list(dict.fromkeys(value for use in uses for value in domain(use.rule, use.name)))
    if any(isinstance(one, bool) for one in values):
        return _YES_OR_NO
    words = [str(one) for one in values]
    # Categories of several tables: 0, 1, 1a, 2. Words stay in the order of the rules.
    return _any_of(sorted(words) if all(one[:1].isdigit() for one in words) else words)


def _any_of(words: tuple[str, ...] | list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
