"""Options of a multiple choice: the right one among wrong ones, in an order drawn by the seed."""

from __future__ import annotations

import random

from evals.questions_model import NONE_OPTION, UNDECIDABLE_OPTION, Item

NEAREST, FARTHEST = 0.05, 0.50
"""Range of the relative distance of a wrong number from the truth."""
CLEAR = 0.25
"""The same where no option is right: farther away than any tolerance."""
UNITS = {"cm3": " cm³", "mm": " mm", "HU": " HU", "%": " %", "1": ""}
CHOICES = 4


def options_of(item: Item, rng: random.Random, *, none_right: bool = False, say_undecidable: bool = False,
               scale: float = 1.0) -> tuple[tuple[str, ...], int | None]:  # fmt: skip
    """Texts of the options and the place of the right one (None where none is right).

    Args:
        item: what is asked.
        rng: source of wrong numbers and of the order.
        none_right: leave the right number out, so that "None of the above" is right.
        say_undecidable: for an undecidable question, offer an option that says so (and is right).
        scale: size of an undecidable number, for options that look likely.
    """
    expected = item.expected
    if not expected.decidable:
        wrong = _numbers(scale, expected.unit, rng, CHOICES - 1) if expected.form == "number" else list(item.wrong)
        return _ordered(wrong[: CHOICES - 1], UNDECIDABLE_OPTION if say_undecidable else None, rng)
    if expected.form != "number":
        wrong = list(item.wrong)
        rng.shuffle(wrong)
        return _ordered(wrong[: CHOICES - 1], item.right or str(expected.value), rng)
    assert isinstance(expected.value, int | float)
    if none_right:
        wrong = _numbers(expected.value, expected.unit, rng, CHOICES - 1, CLEAR)
        return (*wrong, NONE_OPTION), len(wrong)
    said = _said(expected.value, expected.unit, whole=isinstance(expected.value, int))
    return _ordered(_numbers(expected.value, expected.unit, rng, CHOICES - 1), said, rng)


def _ordered(wrong: list[str], right: str | None, rng: random.Random) -> tuple[tuple[str, ...], int | None]:
    texts = [*wrong, *([right] if right is not None else [])]
    rng.shuffle(texts)
    return tuple(texts), None if right is None else texts.index(right)


def _numbers(value: float, unit: str | None, rng: random.Random, count: int, nearest: float = NEAREST) -> list[str]:
    """Wrong numbers at 5 to 50 % from the truth on either side; whole numbers at least one away."""
    whole = isinstance(value, int)
    right = _said(value, unit, whole=whole)
    found: list[str] = []
    for attempt in range(200):
        away = rng.uniform(nearest, FARTHEST) * rng.choice((-1, 1))
        if whole:
            wrong: float = value + (rng.choice((-3, -2, -1, 1, 2, 3)) if abs(value) < 12 else round(value * away))
            if wrong < 0 or wrong == value:
                continue
        else:
            wrong = value * (1 + away)
        said = _said(wrong, unit, whole=whole)
        apart = all(abs(_number(said) - _number(one)) > 0.02 * abs(value) for one in found)
        far = whole or abs(_number(said) - _number(right)) >= 0.99 * nearest * abs(value)
        if said != right and said not in found and far and (apart or attempt > 100):
            found.append(said)
        if len(found) == count:
            break
    return found


def _said(value: float, unit: str | None, *, whole: bool) -> str:
    """A number with three significant digits (never fewer than its whole part) and its unit."""
    if whole:
        return f"{value:d}{UNITS[unit or '1']}"
    size = abs(value)
    decimals = 3 if size < 1 else 2 if size < 10 else 1
    return f"{value:.{decimals}f}{UNITS[unit or '1']}"


def _number(text: str) -> float:
    return float(text.split(" ", maxsplit=1)[0])
