"""An organ that is not named is meant where it alone has rules on what is asked."""

from __future__ import annotations

import pytest

from agent.interpret import interpret
from agent.interpret.sole_organ import sole_organ
from agent.query import NotUnderstood, load_kinds
from tests.agent.interpret.tables import heading


def test_the_rules_say_which_kinds_are_of_one_organ() -> None:
    meant = {name: [slot.ids for slot in sole_organ(kind)] for name, kind in load_kinds().items()}
    assert meant["steatosis_grade"] == meant["fatty_severity"] == [("liver",)]
    assert meant["splenomegaly_grade"] == [("spleen",)]
    # Rules on several organs, and rules on lesions, single out none.
    assert meant["steatosis"] == meant["enlarged"] == meant["lirads"] == meant["volume"] == []


@pytest.mark.parametrize("text", ["steatosis grade", "What is the steatosis grade?", "Which grade of steatosis?"])
def test_the_grade_is_that_of_the_only_organ_that_is_graded(text: str) -> None:
    assert [heading(one) for one in interpret(text)] == ["steatosis_grade liver"]


@pytest.mark.parametrize("text", ["Is there steatosis?", "What is the steatosis grade of the pancreas?", "grade"])
def test_another_organ_or_several_are_not_replaced_by_it(text: str) -> None:
    assert all(isinstance(one, NotUnderstood) for one in interpret(text))


def test_a_pronoun_keeps_its_organ() -> None:
    _, grade = interpret("How large is the pancreas? What is its steatosis grade?")
    assert isinstance(grade, NotUnderstood)
    _, grade = interpret("How large is the liver? What is its steatosis grade?")
    assert heading(grade) == "steatosis_grade liver"
