"""What the options of a multiple choice say: a number or range, a yes or no, a structure, "cannot be told"."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from agent.interpret.items import Item
from agent.interpret.lexicon import load_lexicon
from agent.interpret.reading import read
from agent.interpret.scan_words import tokenise
from agent.query import Comparator

Silence = Literal["any", "not_measurable", "not_assessed"]
_LABEL = re.compile(r"^\s*\(?[A-Za-z][).:]\s+")
_NUMERIC_WORDS = frozenset(
    {"between", "to", "from", "and", "approximately", "approx", "about", "around", "roughly", "ca"}
)
_COUNTS = {"zero": 0.0, "none": 0.0, "no": 0.0, "one": 1.0, "single": 1.0, "solitary": 1.0}
# Factor to the first unit of each dimension; a share is a ratio.
_FACTORS = {
    "cm3": ("volume", 1.0), "ml": ("volume", 1.0), "l": ("volume", 1000.0), "mm3": ("volume", 1e-3),
    "mm": ("length", 1.0), "cm": ("length", 10.0), "HU": ("attenuation", 1.0), "1": ("ratio", 1.0),
    "%": ("ratio", 0.01),
}  # fmt: skip
_SILENT: dict[Silence, frozenset[str]] = {
    "any": frozenset({
        "cannot be determined", "can not be determined", "cannot determine", "indeterminate", "undetermined",
        "insufficient information", "not enough information", "insufficient data", "not enough data",
        "unable to determine", "impossible to determine", "cannot tell", "can not tell", "cannot say", "unknown",
        "cannot be told", "not determinable", "cannot be assessed", "uncertain", "unclear", "inconclusive",
        "cannot be determined from this scan", "cannot be determined from the scan", "i do not know",
        "cannot be answered", "not possible to determine", "it cannot be determined", "undeterminable",
        "cannot be concluded", "insufficient evidence", "cannot be determined from the image",
    }),
    "not_measurable": frozenset({
        "not measurable", "cannot be measured", "can not be measured", "unmeasurable", "not measured", "cut off",
        "truncated", "immeasurable", "impossible to measure",
    }),
    "not_assessed": frozenset({
        "not assessed", "not evaluated", "not examined", "was not assessed", "not assessable", "unassessed",
    }),
}  # fmt: skip
_NONE = frozenset({
    "none of the above", "none of these", "none of them", "none of the other options", "none of the options",
    "neither of these", "none of those", "no option applies", "other", "none of the others",
})  # fmt: skip
_YES = frozenset(
    {"yes", "true", "y", "present", "positive", "correct", "affirmative", "it is", "yes it is", "yes there is"}
)
_NO = frozenset({
    "no", "false", "n", "absent", "negative", "not present", "incorrect", "it is not", "no it is not", "not true",
    "no there is not",
})  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """Numbers that an option covers, in the base unit of its dimension; `step` is half its last decimal."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False
    step: float = 0.0
    dimension: str | None = None

    @property
    def single(self) -> bool:
        """Whether it is one number and no range."""
        return self.low == self.high

    def holds(self, value: float) -> bool:
        """Whether a number lies in it."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


def plain(option: str) -> str:
    """An option's words, without a leading "A)" and end marks."""
    return " ".join(t.text for t in tokenise(_LABEL.sub("", option)) if t.text not in set("?.!,;:"))


def unlabelled(option: str) -> str:
    """An option without a leading "A)"."""
    return _LABEL.sub("", option).strip()


def silence(option: str) -> Silence | None:
    """Whether an option says that nothing can be said, and for which state."""
    said = plain(option)
    return next((kind for kind, phrases in _SILENT.items() if said in phrases), None)


def is_none_of_these(option: str) -> bool:
    """Whether an option stands for everything that the others don't say."""
    return plain(option) in _NONE


def yes_or_no(option: str) -> bool | None:
    """True or False for an option that says yes or no, alone or before a comma; else None."""
    said = plain(option)
    if said in _YES | _NO:
        return said in _YES
    head = re.match(r"(yes|no|true|false)\s*[,;:–—-]", unlabelled(option), re.IGNORECASE)
    return head.group(1).lower() in _YES if head else None


def base_value(value: float, unit: str | None) -> tuple[float, str | None]:
    """A value in the base unit of its dimension, and the dimension (None for units that are not known)."""
    dimension, factor = _FACTORS.get(unit or "1", (None, 1.0))
    return value * factor, dimension


def interval(option: str, default_unit: str | None, *, count: bool = False) -> Interval | None:
    """The number or range that an option names, or None where it has other or unclear content.

    Args:
        option: its text.
        default_unit: unit of numbers that have none.
        count: number words ("none", "one", "two") count.
    """
    text = unlabelled(option)
    if count and (spoken := {**load_lexicon().numbers, **_COUNTS}.get(plain(option).split(" ")[0])) is not None:
        rest = plain(option).split(" ")[1:]
        known = all(item.role == "structure" for item in read(tokenise(" ".join(rest)), {}))
        return Interval(spoken, spoken, dimension="ratio") if known else None
    items = read(tokenise(text), {})
    numbers = [item for item in items if item.role == "number"]
    if not numbers or len(numbers) > 2 or not all(map(_belongs, items)):
        return None
    units = {item.unit for item in numbers if item.unit}
    if len(units) > 1 and len(numbers) == 2 and any(item.unit is None for item in numbers):
        return None
    shared = next(iter(units)) if len(units) == 1 else default_unit
    ends = [base_value(float(item.value or 0.0), item.unit or shared) for item in numbers]
    if len({dimension for _, dimension in ends}) > 1:
        return None
    comparators = {i.group.comparator for i in items if i.group and i.group.comparator}
    step = 0.5 * _last_place(numbers[0].text) * _FACTORS.get(numbers[0].unit or shared or "1", ("", 1.0))[1]
    return _bounded([value for value, _ in ends], comparators, ends[0][1], step)


def _bounded(
    values: list[float], comparators: Collection[Comparator], dimension: str | None, step: float
) -> Interval | None:
    if len(values) == 2:
        low, high = values
        return Interval(low, high, dimension=dimension) if low < high and not comparators else None
    value = values[0]
    if not comparators:
        return Interval(value, value, step=step, dimension=dimension)
    if len(comparators) > 1:
        return None
    comparator = next(iter(comparators))
    if comparator in {"gt", "ge"}:
        return Interval(value, math.inf, low_open=comparator == "gt", dimension=dimension)
    return Interval(-math.inf, value, high_open=comparator == "lt", dimension=dimension)


def _belongs(item: Item) -> bool:
    """Words that may stand beside a number without changing it."""
    if item.group:
        return not item.group.negates and item.group.concepts not in {("NOT",), ("NT",)}
    return item.role in {"number", "structure", "unit", "filler"} or item.text in _NUMERIC_WORDS


def _last_place(text: str) -> float:
    decimals = re.match(r"-?\d*(?:\.(\d+))?", text)
    return 10.0 ** -len(decimals.group(1) or "") if decimals else 1.0
