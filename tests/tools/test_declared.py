"""Declared facts, and what nothing can see."""

from __future__ import annotations

import pytest

from tests.said import said
from tools.base import CaseSettings, Facts
from tools.declared import value_of
from tools.registry import load_tools
from tools.types import Evidence, Scalar, State


def _declared(fact: str, **patient: str) -> Evidence:
    facts = Facts(settings=CaseSettings(patient=tuple(sorted(patient.items()))))
    return load_tools()["declared"].call(facts, {"fact": fact})[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("63", 63), ("63.5", 63.5), ("-4", -4), ("yes", True), ("No", False), ("TRUE", True), ("F", "F"), (" f ", "f"),
     ("1e9", "1e9"), ("nan", "nan"), ("inf", "inf"), ("9" * 30, "9" * 30), ("1,5", "1,5")],
)  # fmt: skip
def test_values_are_what_they_mean(text: str, value: Scalar) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_a_declared_fact_is_told_as_declared() -> None:
    age = _declared("age", age="63", sex="F")
    assert (age.quantity, age.target, age.value, age.state) == ("fact", "age", 63, State.MEASURED)
    assert said(age) == "Declared by the user, not seen in the scan: age: 63."
    assert _declared("AGE ", age="63").value == 63
    assert "yes" in said(_declared("cirrhosis", cirrhosis="yes"))


def test_what_was_not_declared_is_not_assessed() -> None:
    made = _declared("cirrhosis", age="63")
    assert (made.state, made.value) == (State.NOT_ASSESSED, None)
    assert made.reason == "it was not declared (--patient cirrhosis=…)"
    assert said(made)


def test_what_nothing_can_see_is_not_assessed() -> None:
    made = load_tools()["not_looked"].call(Facts(), {"what": "ascites", "why": "no label map shows fluid"})[0]
    assert (made.quantity, made.target, made.state, made.value) == ("seen", "ascites", State.NOT_ASSESSED, None)
    assert said(made) == "This was not assessed: ascites; no label map shows fluid."


def test_both_can_be_made_again_by_anyone() -> None:
    assert load_tools()["declared"].derives
    assert load_tools()["not_looked"].derives
