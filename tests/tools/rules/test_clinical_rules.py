"""Every decision table at, just below and just above every limit, against tables that stand apart from its file."""

from __future__ import annotations

import re

import pytest

from tests.clinical import gut, kidney, liver, lung, pancreas, response, whatever_organ
from tests.clinical.table import Expected, Fact, outcome, reading
from tests.rule_make import ATTENUATION, KODAMA, RATIOS, SEVERITY, VOLUMES
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.rules.decide import domain, holds
from tools.rules.margins import load_margins
from tools.rules.model import load_rules, quantity_of, rules_for
from tools.rules.subject import SCAN
from tools.rules.table import ANY_ORGAN, TableRule
from tools.units import dimension

CASES: list[Expected] = [
    *pancreas.CASES, *liver.CASES, *kidney.CASES, *lung.CASES, *gut.CASES, *whatever_organ.CASES,
    *response.CASES,
]  # fmt: skip
TABLES = {ident: rule for ident, rule in load_rules().items() if isinstance(rule, TableRule)}
RULES = sorted(TABLES)


def of(ident: str) -> list[Expected]:
    return [case for case in CASES if case.rule == ident]


@pytest.mark.parametrize("ident", RULES)
def test_every_case_is_decided_as_its_source_says(ident: str) -> None:
    for case in of(ident):
        found = outcome(ident, case.facts)
        if isinstance(case.verdict, frozenset):
            assert set(found.verdicts) == set(case.verdict), case
            assert found.verdict is None, case
            assert found.open, case
        else:
            assert found.verdict == case.verdict and type(found.verdict) is type(case.verdict), (case, found)
        assert not found.no_row, case


def _beside(value: float, limit: float, unit: str | None) -> bool:
    """Next to a limit: a hundredth, or half a step of what is counted."""
    return 0 < abs(value - limit) <= (0.5 if unit is None else 0.0101)


@pytest.mark.parametrize("ident", RULES)
def test_every_limit_has_cases_at_below_and_above(ident: str) -> None:
    """Fails for a rule that has none: nothing is encoded without a boundary test."""
    rule = TABLES[ident]
    for name in rule.inputs:
        given = [v for case in of(ident) if isinstance(v := case.facts.get(name), int | float) and type(v) is not bool]
        for limit in rule.limits(name):
            if name in {need.input for need in rule.needs} and limit not in given:
                continue  # conditions of validity have their own test
            assert limit in given, (name, limit)
            near = [value for value in given if _beside(value, limit, rule.inputs[name].unit)]
            lowest = (limit, rule.inputs[name].unit) == (0, "deg")  # there is nothing below
            assert lowest or any(value < limit for value in near), (name, limit)
            assert any(value > limit for value in near), (name, limit)


@pytest.mark.parametrize("ident", RULES)
def test_every_verdict_word_and_unknown_is_tried(ident: str) -> None:
    rule, cases = TABLES[ident], of(ident)
    assert {case.verdict for case in cases if not isinstance(case.verdict, frozenset)} == set(rule.verdicts)
    assert any(isinstance(case.verdict, frozenset) for case in cases), "nothing missing is tried"
    needed = {need.input for need in rule.needs}
    for name, one in rule.inputs.items():
        if rule.limits(name) or name in needed or one.unseen:
            continue
        tried = {case.facts[name] for case in cases if name in case.facts}
        assert set(domain(rule, name)) <= tried | ({"none"} if one.declared else set()), name


@pytest.mark.parametrize("ident", RULES)
def test_nothing_known_decides_nothing(ident: str) -> None:
    found = outcome(ident, {})
    assert found.verdict is None
    assert len(found.verdicts) > 1 or found.no_row


# -- validity -----------------------------------------------------------------------------------------------------

NEEDS: dict[str, list[tuple[str, list[tuple[Fact, bool]]]]] = {
    "liver-lirads-2018": [
        ("high_risk", [(True, True), (False, False)]), ("multiphase", [(True, True), (False, False)]),
        ("age", [(17, False), (17.99, False), (18, True), (18.01, True)]),
    ],
    "kidney-bosniak-2019": [("protocol", [(True, True), (False, False)])],
    "kidney-hu-bands": [("phase", [("native", True), ("arterial", False), ("portal", False), ("delayed", False)])],
    **{
        f"lung-fleischner-2017{by}": [
            ("cancer", [(True, False), (False, True)]), ("immune", [(True, False), (False, True)]),
            ("age", [(34, False), (34.99, False), (35, True), (35.01, True)]),
        ]
        for by in ("", "-volume")
    },
}  # fmt: skip


def test_every_condition_of_validity_is_tried() -> None:
    assert {ident for ident, rule in TABLES.items() if rule.needs} == set(NEEDS)
    for ident, rows in NEEDS.items():
        rule = TABLES[ident]
        assert [need.input for need in rule.needs] == [name for name, _ in rows]
        for need, (name, tried) in zip(rule.needs, rows, strict=True):
            for value, allowed in tried:
                assert holds(rule, need, reading(value)) is allowed, (ident, name, value)
            assert holds(rule, need, None) is None
            assert need.or_unknown is (ident == "kidney-hu-bands")
            assert not re.search(r"\d", need.refusal) and not need.refusal.endswith(".")


# -- form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ident", RULES)
def test_every_table_names_its_source_and_its_boundaries(ident: str) -> None:
    rule = TABLES[ident]
    assert rule.id == ident
    assert re.search(r"doi:10\.\d{4,}/|arXiv:\d{4}\.\d{5}|PMID \d+|version \d", rule.citation)
    assert len(rule.note) > 60
    assert "\n" not in rule.note
    for one in rule.inputs.values():
        assert not re.search(r"\d", one.says + (one.unseen or "")) and not one.says.endswith(".")
        assert one.unit is None or dimension(one.unit)
        if one.rule is not None:
            assert rules_for(one.rule, rule.structure), one.rule
            topic = next(r for r in TABLES.values() if r.topic == one.rule and r.structure == rule.structure)
            assert quantity_of(one.rule) == topic.quantity
    if rule.structure not in {ANY_ORGAN, SCAN}:
        assert load_ontology().get(rule.structure).kind != "user"
    assert not rule.lesion or rule.lesion in load_ontology().lesion_types
    assert set(rule.normal) <= {*rule.verdicts, False}


@pytest.mark.parametrize("ident", RULES)
def test_what_a_table_asks_of_tools_exists(ident: str) -> None:
    known = load_tools()
    for one in TABLES[ident].inputs.values():
        for call in ([one.call] if one.tool else []) + ([one.over] if one.over else []):
            assert call.tool in known, call.tool
            known[call.tool].arguments.model_validate(dict(call.args))


def test_the_stage_groups_know_every_category_that_the_tables_give() -> None:
    for ident in (one for one in RULES if "-stage-" in one):
        stage = TABLES[ident]
        for one in stage.inputs.values():
            if one.rule is None:
                continue
            for rule in rules_for(one.rule, stage.structure):
                assert isinstance(rule, TableRule)
                assert set(rule.verdicts) <= set(one.values), (ident, rule.id)


# -- completeness -------------------------------------------------------------------------------------------------

ENCODED = {
    "splenomegaly": ["spleen-enlarged-bezerra", "spleen-grade-bezerra"],
    "liver size": ["liver-normal-knowledge-base", "liver-enlarged-knowledge-base", "liver-enlarged-radgpt"],
    "pancreas size": ["pancreas-normal-knowledge-base", "pancreas-enlarged-knowledge-base", "pancreas-enlarged-radgpt"],
    "kidney size": ["kidney-normal-knowledge-base", "kidney-enlarged-knowledge-base", "kidney-enlarged-radgpt"],
    "fatty liver": ["liver-fatty-ratio", "liver-fatty-radgpt", "liver-fatty-severity-knowledge-base"],
    "hepatic steatosis grade": ["liver-steatosis-grade-kodama"],
    "pancreatic steatosis": ["pancreas-fatty-knowledge-base", "pancreas-fatty-radgpt"],
    "portal hypertension": ["liver-portal-hypertension-signs", "liver-portal-hypertension-knowledge-base"],
    "lesion outlier": ["any-outlier-knowledge-base"],
    "liver lesion clustering": ["liver-clustering-knowledge-base"],
    "renal lesion by attenuation": ["kidney-hu-bands", "kidney-solid-ajr", "kidney-lesion-type-knowledge-base"],
    "pancreatic cyst": ["pancreas-pseudocyst-chalian", "pancreas-cyst-resection-knowledge-base"],
    "PDAC against PNET": ["pancreas-pdac-pnet-cues"],
    **{
        f"staging of the {organ}": [f"{organ}-{what}-ajcc8" for what in ("t", "n", "m", "stage")]
        for organ in ("pancreas", "liver", "kidney", "stomach", "colon", "esophagus", "lung")
    },
    "benchmark's T stage": ["pancreas-t-deeptumorvqa"],
    "resectability": ["pancreas-resectability-nccn", "pancreas-resectability-radgpt"],
    "RECIST measurability": ["any-measurable-recist"],
    "RECIST measurability of nodes": ["lymph-node-measurable-recist", "lymphadenopathy-measurable-recist"],
    "RECIST response": ["scan-response-recist"],
    "Bosniak": ["kidney-bosniak-2019"],
    "LI-RADS": ["liver-lirads-2018"],
    "Fleischner": ["lung-fleischner-2017", "lung-fleischner-2017-volume"],
}  # fmt: skip
"""Rows of the reference on clinical rules, and the rules that encode them."""
MARGINS = {"attenuation against the organ": ["lesion-attenuation-radgpt"]}


def test_every_row_of_the_reference_is_encoded() -> None:
    named = {ident for idents in ENCODED.values() for ident in idents}
    assert named <= set(load_rules())
    assert {ident for ident in load_rules() if ident not in named} <= {
        "spleen-normal-bezerra", "liver-small-knowledge-base", "pancreas-small-knowledge-base",
        "kidney-small-knowledge-base",
    }  # fmt: skip
    assert {ident for idents in MARGINS.values() for ident in idents} <= set(load_margins())


def test_every_rule_has_boundary_cases() -> None:
    """Walks all rules' files: one that no test puts to its limits fails here."""
    tested = {case.rule for case in CASES} | {*VOLUMES, *ATTENUATION, *RATIOS, KODAMA, SEVERITY}
    assert tested == set(load_rules())
