from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.interpret.scan_words import as_number, tokenise
from tools.text import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Isn't the liver's volume 1,500 cm³?", "is nt the liver volume 1500 cm3 ?"),
        ("below -10 HU", "below -10 hu"),
        ("below −10.5 HU", "below -10.5 hu"),
        ("liver>-10HU", "liver > -10 hu"),
        ("1,5 litres", "1.5 litres"),
        (".5 l", ".5 l"),
        ("1,234,567.8 mm^3", "1234567.8 mm3"),
        ("10–20 and 10-20", "10 20 and 10 20"),
        ("T12-L1 left_kidney", "t12 l1 left kidney"),
        ("what's up\nliver", "what is up . liver"),
        ("печень volume", "печень volume"),
        ("liver 🙂 $", "liver 🙂 $"),
    ],
)
def test_tokens(text: str, expected: str) -> None:
    assert " ".join(token.text for token in tokenise(text)) == expected


@given(st.text(alphabet=string.ascii_letters + " -?,", max_size=80))
def test_plain_words_are_those_of_names_and_phrases(text: str) -> None:
    assert [token.text for token in tokenise(text)] == words(text)


@given(st.text(max_size=120))
def test_no_letter_or_digit_is_lost(text: str) -> None:
    covered = {n for token in tokenise(text) for n in range(token.start, token.end)}
    possessive = {n + 1 for n, char in enumerate(text) if char in "'’"}
    lost = [char for n, char in enumerate(text) if char.isalnum() and n not in covered | possessive]
    assert lost == []


@pytest.mark.parametrize(
    ("token", "value"), [("300", 300.0), ("-1.5", -1.5), (".5", 0.5), ("t1", None), ("1.2.3", None)]
)
def test_numbers(token: str, value: float | None) -> None:
    assert as_number(token) == value
