"""Facts that the user declares: their form, contradictions, and words that no rule can read."""

from __future__ import annotations

import pytest

from agent.errors import UsageError
from agent.patient import known_facts, parse_patient
from tools.rules.model import load_rules
from tools.rules.table import TableRule


def test_pairs_are_sorted_and_names_are_in_lower_case() -> None:
    assert parse_patient(" Sex=F, AGE = 63 ") == (("age", "63"), ("sex", "F"))
    assert parse_patient(None) == parse_patient("") == ()
    assert parse_patient("cm=0,CM=0") == (("cm", "0"),)


@pytest.mark.parametrize("text", ["sixty-three", "=", "age=", ",", "age=63,", "a b=1", "../x=1", "age=" + "6" * 600])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--patient takes"):
        parse_patient(text)


def test_a_contradiction_is_refused() -> None:
    with pytest.raises(UsageError, match="declares 'cm' twice"):
        parse_patient("cm=0,cn=1,CM=1")


@pytest.mark.parametrize(("text", "meant"), [("agee=63", "age"), ("hihg_risk=yes", "high_risk"), ("Ages=63", "age")])
def test_a_misspelt_name_is_refused_with_the_nearest_one(text: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"perhaps '{meant}' was meant") as caught:
        parse_patient(f"cm=0,{text}")
    assert all(fact in str(caught.value) for fact in known_facts())


def test_a_strange_name_is_refused_without_a_guess() -> None:
    with pytest.raises(UsageError, match=r"knows no fact 'shoe_size'; it takes age, "):
        parse_patient("shoe_size=44")


def test_every_fact_that_a_rule_takes_can_be_declared() -> None:
    for rule in load_rules().values():
        for one in rule.inputs.values() if isinstance(rule, TableRule) else ():
            if one.declared is not None:
                assert parse_patient(f"{one.declared}=1") == ((one.declared, "1"),)
