"""Units of quantities and their conversion."""

from __future__ import annotations

from agent.errors import UsageError

# factor to the dimension's base unit: mm³ for volumes, mm for lengths
_FACTORS: dict[str, tuple[str, float]] = {
    "mm3": ("volume", 1.0),
    "cm3": ("volume", 1e3),
    "ml": ("volume", 1e3),
    "cl": ("volume", 1e4),
    "dl": ("volume", 1e5),
    "l": ("volume", 1e6),
    "mm": ("length", 1.0),
    "cm": ("length", 10.0),
    "m": ("length", 1000.0),
    "HU": ("attenuation", 1.0),
    "%": ("ratio", 0.01),
    "1": ("ratio", 1.0),
    "deg": ("angle", 1.0),
    "HU/mm": ("gradient", 1.0),
}

# how many decimals are shown; never fewer than three significant digits
_DECIMALS = {
    "mm3": 0,
    "cm3": 1,
    "ml": 1,
    "cl": 2,
    "dl": 3,
    "l": 3,
    "mm": 1,
    "cm": 2,
    "m": 4,
    "HU": 1,
    "%": 1,
    "1": 2,
    "deg": 0,
    "HU/mm": 1,
}
_SYMBOLS = {"mm3": "mm³", "cm3": "cm³", "1": "", "deg": "°"}


def dimension(unit: str) -> str | None:
    """The dimension of a unit ("volume", "length", "attenuation", "ratio"), None for an unknown unit."""
    row = _FACTORS.get(unit)
    return row[0] if row else None


def convert(value: float, unit: str, to: str) -> float:
    """Value in another unit of the same dimension.

    Raises:
        UsageError: if the units don't measure the same thing.
    """
    if unit == to:
        return value
    if unit not in _FACTORS or to not in _FACTORS or _FACTORS[unit][0] != _FACTORS[to][0]:
        raise UsageError(f"A value in {symbol(unit) or 'no unit'} cannot be given in {symbol(to) or 'no unit'}.")
    return value * _FACTORS[unit][1] / _FACTORS[to][1]


def symbol(unit: str | None) -> str:
    """How a unit is written in text."""
    return "" if unit is None else _SYMBOLS.get(unit, unit)


def number_text(value: float, unit: str | None) -> str:
    """A number as shown to people: fixed decimals by unit, at least three significant digits when small."""
    if isinstance(value, int) or (unit in {None, "1"} and float(value).is_integer() and abs(value) >= 2):
        return str(int(value))
    decimals = _DECIMALS.get(unit or "1", 2)
    magnitude = abs(value)
    while 0 < magnitude < 10 ** (2 - decimals) and decimals < 6:
        decimals += 1
    return f"{value:.{decimals}f}"


def quantity_text(value: float, unit: str | None) -> str:
    """Number and unit ("261.4 cm³", "1.02", "43 %")."""
    return with_unit(number_text(value, unit), unit)


def with_unit(shown: str, unit: str | None) -> str:
    """A number as shown with its unit; the degree sign stands close."""
    sign = symbol(unit)
    return f"{shown}{sign}" if sign == "°" else f"{shown} {sign}".rstrip()
