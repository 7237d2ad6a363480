"""Evaluation of decision tables on inputs of which some are only known in part, or not at all.

Every input has finitely many cells that the rule can tell apart: between and at its limits for a number, one per value
for the rest. What is known of an input is a set of cells. The table is walked row by row; where a condition holds for
some of the cells that are left and not for others, both ways are followed. The result is exact: a verdict is possible
if and only if some combination of values that fits what is known leads to it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.intervals import Interval
from tools.rules.table import Condition, Row, TableRule, Verdict

Word = bool | int | float | str
Reading = Interval | frozenset[Word] | None
"""What is known of an input: where its number lies, which values it may have, or nothing."""

_MOST_BRANCHES = 20_000


@dataclass(frozen=True)
class Outcome:
    """What a table says.

    Attributes:
        verdicts: every verdict that is possible, in the order of the rows.
        no_row: whether it is possible that no row holds.
        open: inputs on which it depends which verdict it is, in the order of the rule.
    """

    verdicts: tuple[Verdict, ...]
    no_row: bool
    open: tuple[str, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, if only one is possible."""
        return self.verdicts[0] if len(self.verdicts) == 1 and not self.no_row else None


def evaluate(rule: TableRule, readings: Mapping[str, Reading]) -> Outcome:
    """All verdicts that fit what is known.

    Args:
        rule: the rule.
        readings: what is known, by input; an input that is not there is not known.

    Raises:
        ValueError: for a reading that is no number where the rule compares with numbers, or the reverse, and for
            a table of more branches than can be followed.
    """
    walk = _Walk(rule, given=frozenset(name for name in rule.inputs if readings.get(name) is not None))
    found = walk.possible(0, {name: cells(rule, name, readings.get(name)) for name in rule.inputs})
    return Outcome(
        verdicts=tuple(verdict for verdict in rule.verdicts if verdict in found),
        no_row=None in found,
        open=tuple(name for name in rule.inputs if name in walk.open),
    )


def holds(rule: TableRule, condition: Condition, reading: Reading) -> bool | None:
    """Whether a condition holds for all that is possible (True), for none of it (False), or depends (None)."""
    if condition.known is not None:
        return condition.known is (reading is not None)
    known = cells(rule, condition.input, reading)
    fitting = known & fulfilling(rule, condition)
    return True if fitting == known else None if fitting else False


def cells(rule: TableRule, name: str, reading: Reading) -> frozenset[int]:
    """Cells that an input may be in.

    Numbers: cell 2i lies below limit i, cell 2i + 1 is limit i itself, the last one lies above all. Values: one cell
    each, in the order of `domain`, and a last one for anything else.

    Raises:
        ValueError: for a reading of the wrong kind.
    """
    limits = rule.limits(name)
    if limits:
        if reading is None:
            return frozenset(range(2 * len(limits) + 1))
        span = _span(rule, name, reading)
        return frozenset(range(_cell(limits, span.low), _cell(limits, span.high) + 1))
    values = domain(rule, name)
    if isinstance(reading, Interval):
        if values:
            raise ValueError(f"rule {rule.id} needs a word or a yes or no as {name}, not a number")
        return frozenset({0})
    if reading is None:
        open_ended = not (isinstance(values[0], bool) if values else False) and not rule.inputs[name].values
        return frozenset(range(len(values) + open_ended))
    if values and any(isinstance(one, bool) != isinstance(values[0], bool) for one in reading):
        raise ValueError(f"rule {rule.id} needs another kind of value as {name}")
    return frozenset(values.index(one) if one in values else len(values) for one in reading)


def fulfilling(rule: TableRule, condition: Condition) -> frozenset[int]:
    """Cells in which a condition on the value of its input holds."""
    limits = rule.limits(condition.input)
    if not limits:
        values = domain(rule, condition.input)
        return frozenset(values.index(one) for one in condition.operands)
    every = range(2 * len(limits) + 1)
    at = {2 * limits.index(float(one)) + 1 for one in condition.operands}
    edge = min(at)
    match condition.operator:
        case "gt":
            return frozenset(cell for cell in every if cell > edge)
        case "ge":
            return frozenset(cell for cell in every if cell >= edge)
        case "lt":
            return frozenset(cell for cell in every if cell < edge)
        case "le":
            return frozenset(cell for cell in every if cell <= edge)
        case _:
            return frozenset(at)


def domain(rule: TableRule, name: str) -> tuple[Word, ...]:
    """Values that an input which is no number can have, as far as the rule knows them."""
    named: list[Word] = [one for c in rule.conditions if c.input == name for one in c.operands]
    if any(isinstance(one, bool) for one in named):
        return (True, False)
    return tuple(dict.fromkeys([*rule.inputs[name].values, *named]))


def _span(rule: TableRule, name: str, reading: Interval | frozenset[Word]) -> Interval:
    if isinstance(reading, Interval):
        return reading
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in reading):
        numbers = [float(one) for one in reading]
        return Interval(None, min(numbers), max(numbers))
    raise ValueError(f"rule {rule.id} needs a number as {name}")


def _cell(limits: tuple[float, ...], value: float) -> int:
    if math.isnan(value):
        raise ValueError("not a number")
    at = bisect_left(limits, value)
    return 2 * at + (at < len(limits) and limits[at] == value)


@dataclass
class _Walk:
    rule: TableRule
    given: frozenset[str]
    open: set[str] = field(default_factory=set)
    branches: int = 0
    known: dict[int, frozenset[int]] = field(default_factory=dict)

    def possible(self, first: int, state: Mapping[str, frozenset[int]]) -> frozenset[Verdict | None]:
        """Verdicts that the rows from `first` on lead to; None for "no row holds"."""
        for number in range(first, len(self.rule.rows)):
            row = self.rule.rows[number]
            held = self._row(row, state)
            if held is False:
                continue
            if held is True:
                return frozenset({row.verdict})
            self.branches += 1
            if self.branches > _MOST_BRANCHES:
                raise ValueError(f"rule {self.rule.id} has more branches than can be followed")
            left, right = (self.possible(number, {**state, held.input: part}) for part in self._split(held, state))
            if left != right:
                self.open.add(held.input)
            return left | right
        return frozenset({None})

    def _row(self, row: Row, state: Mapping[str, frozenset[int]]) -> bool | Condition:
        """Whether the row holds, or the first condition on which that depends."""
        depends: Condition | None = None
        for condition in row.all:
            fitting, other = self._split(condition, state)
            if not fitting:
                return False
            if other and depends is None:
                depends = condition
        maybe: Condition | None = None
        for condition in row.any:
            fitting, other = self._split(condition, state)
            if not other:
                return depends or True
            if fitting and maybe is None:
                maybe = condition
        if row.any and maybe is None:
            return False
        return depends or maybe or True

    def _split(
        self, condition: Condition, state: Mapping[str, frozenset[int]]
    ) -> tuple[frozenset[int], frozenset[int]]:
        """The cells left in which the condition holds, and those in which it does not."""
        if condition.known is not None:
            every, none = state[condition.input], frozenset[int]()
            return (every, none) if condition.known is (condition.input in self.given) else (none, every)
        key = id(condition)
        if key not in self.known:
            self.known[key] = fulfilling(self.rule, condition)
        here = state[condition.input]
        return here & self.known[key], here - self.known[key]
