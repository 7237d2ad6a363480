"""Clinical rules from the labels to the verdict and its sentence: planned, measured and applied on small made scans."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest

from agent.rule_chain import Tasks, rule_task
from agent.state import FAILURE, Ref
from agent.wording import describe
from tests.case_make import Ellipsoid, affine_of, case_of, paint
from tools.base import Case, CaseSettings
from tools.registry import load_tools
from tools.rules.model import get_rule, load_rules
from tools.rules.table import ANY_ORGAN, TableRule
from tools.types import Evidence, State

SIZE, SPACING = (72, 56, 40), (4.0, 4.0, 5.0)
# Left is −x. Sizes are far from every limit, so that the coarse grid doesn't matter.
BODY = (
    Ellipsoid("liver", (60, 10, 20), (55, 55, 50), hu=60),
    Ellipsoid("spleen", (-80, 0, 30), (25, 30, 35), hu=50),
    Ellipsoid("pancreas", (-10, 10, -10), (50, 22, 22), hu=45),
    Ellipsoid("kidney_left", (-60, -50, -30), (25, 25, 45), hu=35),
    Ellipsoid("kidney_right", (60, -62, -40), (25, 25, 40), hu=35),
    Ellipsoid("superior_mesenteric_artery", (-10, -40, -10), (6, 6, 60), hu=200),
    Ellipsoid("celiac_trunk", (-10, -60, 40), (6, 12, 6), hu=200),
    Ellipsoid("common_hepatic_artery", (20, -60, 45), (14, 6, 6), hu=200),
    Ellipsoid("superior_mesenteric_vein", (20, -40, -20), (7, 7, 45), hu=120),
    Ellipsoid("portal_vein", (40, -50, 45), (14, 7, 7), hu=120),
    Ellipsoid("inferior_vena_cava", (25, -75, 0), (9, 9, 80), hu=120),
    Ellipsoid("pancreas_pdac", (-20, 14, -10), (15, 13, 13), hu=20),
    Ellipsoid("liver_hcc", (70, 10, 30), (34, 30, 30), hu=95),
    Ellipsoid("liver_hcc", (40, 30, -12), (9, 9, 9), hu=95),
    Ellipsoid("kidney_cyst_left", (-62, -50, -35), (14, 14, 14), hu=5),
)


@cache
def body() -> Case:
    affine = affine_of(SPACING, SIZE)
    hu, labels, numbers = paint(BODY, SIZE, affine)
    return case_of(hu, labels, affine, numbers)


def scan(*declared: tuple[str, str], phase: str | None = "portal") -> Case:
    return replace(body(), settings=CaseSettings(patient=declared, phase=phase))


def judged(case: Case, ident: str, structure: str) -> tuple[Evidence, dict[str, Evidence]]:
    """Verdict of a rule, and all the evidence that was made for it."""
    tasks: Tasks = {}
    last = rule_task(tasks, get_rule(ident), structure)
    made: dict[str, list[Evidence]] = {}
    known: dict[str, Evidence] = {}

    def found(ref: Ref) -> str:
        every = made[ref.task]
        if ref.quantity.startswith("#"):
            return every[int(ref.quantity[1:])].id
        one = next((one for one in every if one.quantity == ref.quantity), None)
        assert one is not None, (ref.quantity, [one.quantity for one in every])
        return one.id

    waiting = dict(tasks)
    while waiting:
        for task in [one for one in waiting.values() if one.needs() <= made.keys()]:
            del waiting[task.id]
            arguments = dict(task.args) | {name: found(ref) for name, ref in task.refs.items()}
            arguments |= {name: [found(ref) for ref in refs] for name, refs in task.ref_lists.items()}
            made[task.id] = load_tools()[task.tool].call(replace(case, evidence=known), arguments)
            known = known | {one.id: one for one in made[task.id]}
    (verdict,) = made[last.id]
    return verdict, known


def verdict(ident: str, structure: str, **facts: str) -> Evidence:
    return judged(scan(*sorted(facts.items())), ident, structure)[0]


@pytest.mark.parametrize("ident", sorted(one for one, rule in load_rules().items() if isinstance(rule, TableRule)))
def test_every_table_can_be_applied_and_told(ident: str) -> None:
    rule = get_rule(ident)
    assert isinstance(rule, TableRule)
    organ = "liver_lesion" if rule.structure == ANY_ORGAN else rule.structure
    structure = f"{organ}_left" if organ in {"kidney", "lung"} else organ
    one, known = judged(scan(), ident, structure)
    assert one.quantity == rule.quantity
    assert not [each for each in known.values() if each.quantity == FAILURE]
    told = describe(one, known)
    assert rule.citation in told.text
    assert rule.source in told.text
    assert not re.search(r"\{|\}| ,|\.\.|  ", told.text.replace(rule.citation, "")), told.text


def test_the_pancreas() -> None:
    one = verdict("pancreas-t-ajcc8", "pancreas")
    assert (one.value, one.details["borderline"]) == ("T2", [])
    assert verdict("pancreas-t-deeptumorvqa", "pancreas_pdac").value == "T2"
    assert verdict("pancreas-resectability-nccn", "pancreas").value == "resectable"
    assert verdict("pancreas-resectability-radgpt", "pancreas").value == "resectable"
    assert verdict("pancreas-pdac-pnet-cues", "pancreas").value == "PDAC"
    for what, unknown in (("n", "NX"), ("m", "MX")):
        one = verdict(f"pancreas-{what}-ajcc8", "pancreas")
        assert (one.state, one.value, one.details["unknown"]) == (State.NOT_ASSESSED, None, unknown)
    one = verdict("pancreas-stage-ajcc8", "pancreas")
    assert (one.state, one.value) == (State.NOT_ASSESSED, None)
    assert one.details["at_least"] == "IB"
    assert verdict("pancreas-stage-ajcc8", "pancreas", cn="0", cm="0").value == "IB"
    assert verdict("pancreas-stage-ajcc8", "pancreas", cn="2", cm="0").value == "III"
    assert verdict("pancreas-stage-ajcc8", "pancreas", cm="1").value == "IV"


def test_the_liver() -> None:
    one = verdict("liver-t-ajcc8", "liver")
    assert (one.value, one.details["at_least"]) == (None, "T3")
    assert one.details["possible"] == ["T4", "T3"]
    clear = {"vascular_invasion": "none", "extrahepatic_invasion": "no"}
    assert verdict("liver-t-ajcc8", "liver", **clear).value == "T3"
    assert verdict("liver-stage-ajcc8", "liver_hcc", **clear, cn="0", cm="0").value == "IIIA"
    assert verdict("any-outlier-knowledge-base", "liver_hcc").value is False
    assert verdict("any-measurable-recist", "liver_hcc").value is True
    refused = verdict("liver-lirads-2018", "liver")
    assert (refused.state, refused.value, refused.details["refused"]) == (State.NOT_ASSESSED, None, True)
    facts = {"high_risk": "yes", "multiphase": "yes", "age": "61", "tumor_in_vein": "no", "benign": "none",
             "targetoid": "no", "aphe": "yes", "washout": "yes"}  # fmt: skip
    assert verdict("liver-lirads-2018", "liver", **facts).value == "LR-5"
    assert verdict("liver-lirads-2018", "liver", **{**facts, "high_risk": "no"}).state is State.NOT_MEASURABLE


def test_the_kidney() -> None:
    assert verdict("kidney-lesion-type-knowledge-base", "kidney_cyst_left").value == "cyst"
    refused = verdict("kidney-hu-bands", "kidney_cyst_left")
    assert (refused.state, refused.value) == (State.NOT_MEASURABLE, None)
    for phase in ("native", None):
        made, _ = judged(scan(phase=phase), "kidney-hu-bands", "kidney_cyst_left")
        assert made.value == "simple cyst"
    bosniak = verdict("kidney-bosniak-2019", "kidney_left")
    assert (bosniak.value, bosniak.details["refused"]) == (None, True)
    none = verdict("kidney-lesion-type-knowledge-base", "kidney_cyst_right")
    assert none.value is None


def test_what_is_not_labelled_is_not_assessed() -> None:
    for ident, structure in (("lung-fleischner-2017", "lung_left"), ("colon-t-ajcc8", "colon")):
        assert verdict(ident, structure).state is State.NOT_ASSESSED
    assert verdict("liver-portal-hypertension-signs", "liver").value is None
    response = verdict("scan-response-recist", "scan")
    assert (response.state, response.value) == (State.NOT_ASSESSED, None)


@pytest.mark.parametrize(("declared", "value"), [("1", "N1"), ("N1", "N1"), ("cN2", "N2"), ("n0", "N0"), ("0", "N0")])
def test_a_category_may_be_declared_with_its_letter(declared: str, value: str) -> None:
    assert verdict("pancreas-n-ajcc8", "pancreas", cn=declared).value == value


@pytest.mark.parametrize("declared", ["positive", "7", "-1", "yes", "N"])
def test_a_declared_word_that_no_rule_lists_says_nothing(declared: str) -> None:
    one, known = judged(scan(("cn", declared)), "pancreas-n-ajcc8", "pancreas")
    assert (one.value, one.details["possible"]) == (None, ["N2", "N1", "N0"])
    assert one.details["missing"] == ["cn"]
    text = describe(one, known).text
    assert declared in text
    assert "which is no value that the rule knows" in text


def test_a_declared_word_that_a_rule_lists_is_not_called_unknown() -> None:
    one, known = judged(scan(("cn", "N1")), "pancreas-n-ajcc8", "pancreas")
    assert "no value that the rule knows" not in describe(one, known).text


@pytest.mark.parametrize("age", ["nan", "inf", "-inf", "1e999", "old"])
def test_an_age_that_is_no_number_says_nothing(age: str) -> None:
    facts = (("age", age), ("immunosuppressed", "no"), ("known_cancer", "no"))
    one, known = judged(scan(*facts), "lung-fleischner-2017", "lung_left")
    assert (one.value, one.details["refused"]) == (None, True)
    assert f"the declared age is {age}, which is no value that the rule knows" in describe(one, known).text


def test_one_of_several_tumors_above_the_limit_decides_though_another_is_larger() -> None:
    """A thin tumor of more than 5 cm beside a bulky one of less is T3."""
    affine = affine_of((2.0, 2.0, 2.0), (80, 60, 50))
    shapes = (
        Ellipsoid("liver", (0, 0, 0), (74, 54, 44), hu=60),
        Ellipsoid("liver_hcc", (0, 25, 0), (20, 20, 20), hu=95),
        Ellipsoid("liver_hcc", (0, -20, 0), (35, 6, 6), hu=95),
    )
    hu, labels, numbers = paint(shapes, (80, 60, 50), affine)
    facts = (("extrahepatic_invasion", "no"), ("vascular_invasion", "none"))
    case = case_of(hu, labels, affine, numbers, settings=CaseSettings(patient=facts))
    assert judged(case, "liver-t-ajcc8", "liver")[0].value == "T3"


@pytest.mark.parametrize("labelled", ["liver_metastasis", "liver_hemangioma"])
def test_lesions_that_the_labels_call_something_else_are_not_staged(labelled: str) -> None:
    shapes = [one if one.name != "liver_hcc" else replace(one, name=labelled) for one in BODY]
    affine = affine_of(SPACING, SIZE)
    hu, labels, numbers = paint(shapes, SIZE, affine)
    case = replace(case_of(hu, labels, affine, numbers), settings=CaseSettings(phase="portal"))
    verdict, _ = judged(case, "liver-t-ajcc8", "liver_tumor")
    assert (verdict.state, verdict.value) == (State.NOT_ASSESSED, None)
    assert "another kind" in str(verdict.reason)
