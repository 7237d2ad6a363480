"""Units: conversion there and back, and numbers as people read them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UsageError
from tools.units import convert, dimension, number_text, quantity_text

UNITS = {
    "volume": ("mm3", "cm3", "ml", "cl", "dl", "l"),
    "length": ("mm", "cm", "m"),
    "attenuation": ("HU",),
    "ratio": ("%", "1"),
}


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (1.0, "l", "ml", 1000.0),
        (1.0, "ml", "cm3", 1.0),
        (1.0, "cm3", "mm3", 1000.0),
        (1.0, "dl", "ml", 100.0),
        (1.0, "cl", "ml", 10.0),
        (2.5, "cm", "mm", 25.0),
        (1.0, "m", "cm", 100.0),
        (0.35, "1", "%", 35.0),
    ],
)
def test_conversion(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == pytest.approx(expected)


@given(
    value=st.floats(-1e6, 1e6), pair=st.sampled_from([p for us in UNITS.values() for p in itertools.product(us, us)])
)
def test_there_and_back(value: float, pair: tuple[str, str]) -> None:
    assert convert(convert(value, *pair), *pair[::-1]) == pytest.approx(value)


def test_dimensions_are_kept_apart() -> None:
    for (one, units), (other, others) in itertools.permutations(UNITS.items(), 2):
        assert (dimension(units[0]), dimension(others[0])) == (one, other)
        with pytest.raises(UsageError, match="cannot be given"):
            convert(1.0, units[0], others[0])
    assert dimension("furlong") is None
    with pytest.raises(UsageError):
        convert(1.0, "furlong", "mm")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (261.44, "cm3", "261.4 cm³"),
        (1.234, "cm3", "1.23 cm³"),
        (0.01234, "cm3", "0.0123 cm³"),
        (1500.25, "ml", "1500.2 ml"),
        (0.261437, "l", "0.261 l"),
        (-12.34, "HU", "-12.3 HU"),
        (0.98, "1", "0.980"),
        (3.0, "1", "3"),
        (3, "1", "3"),
        (42.123, "%", "42.1 %"),
        (0.0, "cm3", "0.0 cm³"),
        (176.96, "HU", "177.0 HU"),
        (12345.6, "mm3", "12346 mm³"),
    ],
)
def test_numbers_as_shown(value: float, unit: str, shown: str) -> None:
    assert quantity_text(value, unit) == shown


@given(value=st.floats(1e-3, 1e6), unit=st.sampled_from([u for us in UNITS.values() for u in us]))
def test_what_is_shown_is_the_value_to_three_digits(value: float, unit: str) -> None:
    assert float(number_text(value, unit)) == pytest.approx(value, rel=6e-3)
