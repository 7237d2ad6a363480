"""Facts that the user declares: their form, contradictions, and words that no rule can read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UsageError
from agent.patient import known_facts, parse_patient
from tools.rules.decide import domain
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
        if not isinstance(rule, TableRule):
            continue
        for name, one in rule.inputs.items():
            if one.declared is None:
                continue
            values = [1, 0] if rule.limits(name) else list(domain(rule, name))
            for value in values:
                word = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
                assert parse_patient(f"{one.declared}={word}") == ((one.declared, word),)


@pytest.mark.parametrize(
    "text",
    [
        "age=0", "age=120", "age=63.5", "age=+63", "sex=F", "sex=m", "sex=Female", "cirrhosis=YES", "aphe=true",
        "cn=N1",
        "cn=cN2a", "cn=3B", "cm=M0", "cm=1a", "risk=HIGH", "depth=Serosa", "wall_mm=0", "wall_mm=2.5", "septa=4",
        "nodule_mm=0", "benign=none", "nontarget=stable", "growth=False",
    ],
)  # fmt: skip
def test_values_that_facts_can_have(text: str) -> None:
    ((fact, value),) = parse_patient(text)
    assert f"{fact}={value}" == text


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("age=-5", "a number from 0 to 120"), ("age=121", "a number from 0 to 120"),
        ("age=63 years", "a number from 0"),
        ("age=nan", "a number from 0"), ("age=inf", "a number from 0"), ("age=1e400", "a number from 0"),
        ("age=yes", "a number from 0"), ("age=6e1000", "a number from 0"),
        ("sex=7", "F, M, O, female, male or other"), ("cirrhosis=maybe", "yes or no"),
        ("aphe=1", "yes or no"), ("washout=perhaps", "yes or no"), ("multiphase=-1", "yes or no"),
        ("cn=9", "0, 1, 1a, "), ("cn=-1", "0, 1, "), ("cm=2", "0, 1, "), ("risk=medium", "low or high"),
        ("risk=yes", "low or high"), ("histology=sarcoma", "adenocarcinoma or squamous"),
        ("wall_mm=-1", r"a number from 0 to 1000 \(in mm\)"), ("nodule_mm=thick", r"a number from 0 to 1000 \(in mm\)"),
        ("septa=-3", "a number from 0 to 1000"), ("septa=" + "9" * 300, "a number from 0 to 1000"),
    ],
)  # fmt: skip
def test_values_that_facts_cannot_have(text: str, takes: str) -> None:
    fact = text.partition("=")[0]
    with pytest.raises(UsageError, match=rf"^--patient {fact} takes {takes}.*, not '[^']*'\.$") as caught:
        parse_patient(f"cm=0,{text}" if fact != "cm" else text)
    assert len(str(caught.value)) < 200


@given(st.text(alphabet="-+.0123456789eEnaif ", max_size=12))
def test_an_age_that_is_taken_is_one(text: str) -> None:
    with suppress(UsageError):
        ((_, age),) = parse_patient(f"age={text}")
        assert 0 <= float(age) <= 120
