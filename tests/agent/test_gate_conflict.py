"""Sources that take one lesion for different things are not both told as settled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.critic import judge
from agent.gates.model import Finding, View
from agent.opinions import LABELS, MODEL, SPECIALIST, Opinion, conflicts, models_opinions, opinions
from agent.state import Conclusion, PathologyClaim, RunState
from tests.agent.loop_make import ask, make_case, run
from tests.agent.worlds import failing, truth
from tools.base import Case, CaseSettings
from tools.ontology import load_ontology
from tools.rules.model import load_rules
from tools.rules.table import TableRule
from tools.types import Evidence, State

RULE, SPECIAL = "the rule of knowledge-base", "a classifier"
CYST = (slice(30, 32), slice(5, 7), slice(6, 8))


def dense(level: int = 90, **more: object) -> Case:
    """The case with a kidney cyst of this attenuation."""
    case = make_case(**more)  # type: ignore[arg-type]
    case.scan.hu[CYST] = level
    return case


def found(state: RunState, conclusion: Conclusion, declared: CaseSettings | None = None) -> Finding:
    gates = judge(View(state, conclusion, declared or CaseSettings()))
    return next(finding for gate, finding in gates if gate.name == "conflict")


def opinion(
    source: str, *types: str, organ: str | None = "kidney", kind: str = "lesion", chosen: bool = False
) -> Opinion:
    return Opinion(source, organ, kind, types, chosen)


PAIRS = [
    # one, other, whether they conflict beside labels of a lesion of the left kidney whose type is open
    (("cyst",), ("cyst",), False),
    (("cyst",), ("tumor",), True),
    (("cancer",), ("tumor",), False),
    (("rcc",), ("cancer",), False),
    (("rcc",), ("angiomyolipoma",), True),
    (("rcc",), ("primary_cancer",), False),
    (("metastasis",), ("primary_cancer",), True),
    (("lesion",), ("rcc",), False),
    (("polyp",), ("adenoma",), False),
    (("rcc", "cyst"), ("cyst",), False),
    (("rcc", "oncocytoma"), ("cyst",), True),
]


@pytest.mark.parametrize(("one", "other", "conflict"), PAIRS)
def test_parents_and_alternatives_are_no_conflict(one: tuple[str, ...], other: tuple[str, ...], conflict: bool) -> None:
    shown = opinion(LABELS, "lesion", organ="kidney_left")
    for first, second in ((one, other), (other, one)):
        given = [shown, opinion(RULE, *first, organ="kidney_left"), opinion(SPECIAL, *second)]
        assert bool(list(conflicts(given))) == conflict


def test_different_lesions_are_no_conflict() -> None:
    shown = opinion(LABELS, "lesion")
    elsewhere = [shown, opinion(RULE, "cyst", organ="kidney_left"), opinion(SPECIAL, "rcc", organ="kidney_right")]
    assert not list(conflicts(elsewhere))
    both = [opinion(LABELS, "cyst", "rcc"), opinion(RULE, "cyst"), opinion(SPECIAL, "rcc")]
    assert not list(conflicts(both)), "each may mean another of the two"
    kinds = [shown, opinion(RULE, "mucinous_cyst", kind="cyst"), opinion(SPECIAL, "rcc", kind="tumor")]
    assert not list(conflicts(kinds))
    assert list(conflicts([opinion(LABELS, "cyst", "hcc"), opinion(RULE, "oncocytoma")]))


def test_rules_that_a_question_asks_for_are_told_side_by_side() -> None:
    shown = opinion(LABELS, "cyst")
    rule, sister = (replace(opinion(name, kind), asked=True) for name, kind in ((RULE, "tumor"), ("another", "cyst")))
    assert not list(conflicts([shown, rule, sister]))
    assert len(list(conflicts([shown, rule, replace(sister, asked=False)]))) == 1
    assert list(conflicts([shown, rule, opinion(MODEL, "cyst")]))


def test_a_source_that_the_user_chose_is_followed_but_not_by_the_model() -> None:
    shown, rule = opinion(LABELS, "cyst"), opinion(RULE, "tumor", chosen=True)
    assert not list(conflicts([shown, rule]))
    assert not list(conflicts([shown, rule, opinion(SPECIAL, "cyst")]))
    assert list(conflicts([shown, rule, opinion(MODEL, "cyst")]))


@pytest.mark.slow
def test_labels_and_a_rule_that_differ_are_unresolved_with_both_told(tmp_path: Path) -> None:
    calm = run(make_case(), None, tmp_path)
    assert (calm.report.status, calm.report.rounds) == ("consistent", 1)
    made = run(dense(), None, tmp_path)
    assert made.report.status == "unresolved"
    verdict = next(one for one in made.report.verdicts if one.gate == "conflict")
    assert verdict.outcome == "fail"
    assert LABELS in verdict.reason
    assert RULE in verdict.reason
    assert not any(letter.isdigit() for letter in verdict.reason)
    assert any("have to agree" in one for one in made.report.open)
    texts = [one.text for one in (*made.report.findings, *made.report.impression)]
    assert any("rather a tumor by its attenuation" in text for text in texts)
    assert len(texts) == len(calm.report.findings) + len(calm.report.impression)


def test_who_asks_for_a_rule_gets_what_it_says(tmp_path: Path) -> None:
    made = run(dense(), [ask("lesion_type", "kidney_cyst_right")], tmp_path)
    assert made.report.status == "consistent"
    assert made.report.answer is not None
    assert made.report.answer.value == "tumor"


@pytest.mark.slow
def test_a_source_chosen_by_configuration_stays_consistent(tmp_path: Path) -> None:
    for source in ("knowledge-base", "labels"):
        case = dense(settings=CaseSettings(prefer=(source,)))
        assert run(case, None, tmp_path).report.status == "consistent"


def special(state: RunState, kind: str, target: str = "liver_lesion", odds: float | None = 0.9) -> RunState:
    one = Evidence.make(
        tool="presence", quantity=SPECIALIST, target=target, value=kind, state=State.MEASURED, method="a classifier",
        version="1", details={"type": kind, "source": "a classifier 3", "probability": odds},
    )  # fmt: skip
    return state.model_copy(update={"evidence": {**state.evidence, one.id: one}})


@pytest.mark.parametrize(("said", "differential", "refused"), [
    ("metastasis", ("metastasis",), False), ("metastasis", ("hcc",), True), ("cancer", ("hcc",), False),
    ("metastasis", ("hcc", "metastasis"), False), ("cyst", ("metastasis", "hcc"), True), ("cyst", (), False),
])  # fmt: skip
def test_a_specialised_model_and_the_model_that_differ_are_named(
    everything: RunState, said: str, differential: tuple[str, ...], refused: bool
) -> None:
    state, conclusion = special(everything, said), truth(everything)
    assert conclusion.pathology is not None
    pathology = conclusion.pathology.model_copy(update={"differential": differential})
    made = found(state, conclusion.model_copy(update={"pathology": pathology}))
    assert made.outcome == ("fail" if refused else "pass")
    if refused:
        assert [one.claim for one in made.objections] == ["pathology"]
        assert "a classifier" in made.reason
        assert MODEL in made.reason


def test_an_unlikely_or_unknown_type_is_no_opinion(everything: RunState) -> None:
    known = opinions(everything)
    assert opinions(special(everything, "metastasis", odds=0.3)) == known
    assert opinions(special(everything, "carcinosis")) == known
    assert len(opinions(special(everything, "metastasis", odds=None))) == len(known) + 1


def test_labels_alone_are_not_judged(everything: RunState) -> None:
    rules = [one for one in opinions(everything) if one.source != LABELS]
    assert found(everything, truth(everything)).outcome == ("pass" if rules else "not_applicable")
    assert failing(everything, truth(everything)) == set()


def test_a_models_opinion_is_on_the_lesions_that_it_can_mean(everything: RunState) -> None:
    cited = truth(everything).pathology
    assert cited is not None
    said = models_opinions(PathologyClaim(differential=("metastasis",), evidence=cited.evidence), everything)
    assert {one.organ for one in said} == {"liver"}
    assert models_opinions(PathologyClaim(diagnosis="carcinosis", evidence=cited.evidence), everything) == []


def test_every_opinion_of_a_rule_is_a_type_that_its_organ_can_have() -> None:
    ontology = load_ontology()
    speaking = [rule for rule in load_rules().values() if isinstance(rule, TableRule) and rule.opinions]
    assert {rule.topic for rule in speaking} >= {"lesion_type", "pdac_pnet", "pseudocyst"}
    for rule in speaking:
        for name in rule.opinions.values():
            assert ontology.lesion_types[name].organ in {None, rule.structure}


def test_the_made_cyst_is_one_lesion() -> None:
    assert np.all(dense(90).scan.hu[CYST] == 90)
