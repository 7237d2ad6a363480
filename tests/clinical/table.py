"""How expectations on decision tables are written down, and how a rule is asked for its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tools.intervals import Interval
from tools.rules.decide import Outcome, Reading, evaluate
from tools.rules.model import table_rule

Fact = bool | float | str
Facts = Mapping[str, Fact]


class Expected(NamedTuple):
    """What a source says of some facts.

    Attributes:
        rule: identifier of the rule.
        facts: inputs by name; what is not in it is not known.
        verdict: the verdict, or all that are possible where the facts leave it open.
    """

    rule: str
    facts: Facts
    verdict: bool | str | frozenset[bool | str]


def sweep(rule: str, name: str, rows: Iterable[tuple[Fact, bool | str]], **rest: Fact) -> list[Expected]:
    """One input over several values, the others as they are."""
    return [Expected(rule, {**rest, name: value}, verdict) for value, verdict in rows]


def grid(rule: str, text: str, **rest: Fact) -> list[Expected]:
    """A stage table as it is printed: first line the N categories, then a T category and a group for each N."""
    first, *lines = [line.split() for line in text.strip().splitlines()]
    return [
        Expected(rule, {**rest, "t": t, "n": n}, group)
        for t, *groups in lines
        for n, group in zip(first, groups, strict=True)
    ]


def any_of(rule: str, verdicts: Iterable[bool | str], **facts: Fact) -> Expected:
    """Facts that leave several verdicts open."""
    return Expected(rule, facts, frozenset(verdicts))


def outcome(rule: str, facts: Facts) -> Outcome:
    """What a rule says of these facts."""
    return evaluate(table_rule(rule), {name: reading(value) for name, value in facts.items()})


def reading(value: Fact) -> Reading:
    """A fact that is known exactly."""
    if isinstance(value, bool | str):
        return frozenset({value})
    return Interval(float(value), float(value), float(value))
