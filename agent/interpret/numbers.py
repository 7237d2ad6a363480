"""Numbers of a question with their units: "300 ml", "half a litre", "between 1 and 2 cm"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.interpret.items import Item
from agent.interpret.lexicon import Group, Lexicon
from agent.interpret.scan_words import as_number

_FRACTIONS = {"half": 0.5, "quarter": 0.25, "third": 1 / 3}
_BEFORE_A = frozenset({"than", "over", "above", "under", "below", "exceed", "exceeds", "least", "most"})
_RANGE = Group(concepts=("EXCEEDS",), comparator="ge", marker=True)


def unit_at(texts: Sequence[str], at: int, lexicon: Lexicon) -> tuple[str, int] | None:
    """The unit named at a word, and one past its last word."""
    for length in range(min(4, len(texts) - at), 0, -1):
        unit = lexicon.unit_of.get(tuple(texts[at : at + length]))
        if unit:
            return unit, at + length
    return None


def number_at(texts: Sequence[str], at: int, lexicon: Lexicon) -> Item | None:
    """A number with its unit, if one follows; number words and fractions only with a unit."""
    value, end = as_number(texts[at]), at + 1
    if value is None:
        return _spoken(texts, at, lexicon)
    if not math.isfinite(value):
        return None
    unit = unit_at(texts, end, lexicon)
    end = unit[1] if unit else end
    return Item("number", at, end, " ".join(texts[at:end]), value=value, unit=unit[0] if unit else None)


def _spoken(texts: Sequence[str], at: int, lexicon: Lexicon) -> Item | None:
    """ "two litres", "half a litre", "a quarter of a litre", "one and a half centimetres"."""
    value, end = lexicon.numbers.get(texts[at]), at + 1
    if texts[at] == "a" and end < len(texts) and texts[end] in _FRACTIONS:
        value, end = _FRACTIONS[texts[end]], end + 1
    elif texts[at] in {"a", "an"} and at and texts[at - 1] in _BEFORE_A:
        value = 1.0
    elif texts[at] in _FRACTIONS:
        value = _FRACTIONS[texts[at]]
    elif value is not None and tuple(texts[end : end + 3]) == ("and", "a", "half"):
        value, end = value + 0.5, end + 3
    elif value is not None and end < len(texts) and texts[end] == "hundred" and value < 10:
        value, end = value * 100, end + 1
    if value is None:
        return None
    if value < 1:
        for words in (("of", "a"), ("a",), ("an",)):
            if tuple(texts[end : end + len(words)]) == words:
                end += len(words)
                break
    unit = unit_at(texts, end, lexicon)
    if unit is None and end == at + 1 and value >= 1 and _compared(texts, at, lexicon):
        return Item("number", at, end, texts[at], value=value)
    if unit is None:
        return None
    return Item("number", at, unit[1], " ".join(texts[at : unit[1]]), value=value, unit=unit[0])


def _compared(texts: Sequence[str], at: int, lexicon: Lexicon) -> bool:
    """Whether a number word is what something is compared with ("more than five lesions", not "three times")."""
    phrases = (tuple(texts[at:end]) for end in range(at + 2, len(texts) + 1))
    return (
        at > 0
        and texts[at - 1] in _BEFORE_A
        and texts[at] not in {"a", "an"}
        and not any(phrase in lexicon.groups_of for phrase in phrases)
    )


def range_at(texts: Sequence[str], at: int, lexicon: Lexicon) -> list[Item] | None:
    """ "between 1000 and 1800 ml", "from 1 to 2 cm": a comparison, and a number with an upper end."""
    if texts[at] not in {"between", "from"} or at + 1 >= len(texts):
        return None
    low = number_at(texts, at + 1, lexicon)
    if low is None or low.end + 1 >= len(texts) or texts[low.end] not in {"and", "to"}:
        return None
    high = number_at(texts, low.end + 1, lexicon)
    if high is None or low.value is None or high.value is None or not low.value < high.value:
        return None
    if low.unit is not None and low.unit != high.unit:
        return None
    text = " ".join(texts[at + 1 : high.end])
    return [
        Item("concept", at, at + 1, texts[at], group=_RANGE),
        Item("number", at + 1, high.end, text, value=low.value, upper=high.value, unit=high.unit),
    ]
