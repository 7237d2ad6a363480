"""Forged verdicts of decision tables and forged stages: each is refused by a gate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from agent.pathology import CATEGORIES, categories, pathology
from agent.state import Conclusion, PathologyClaim, RunState
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import ask, run
from tests.agent.worlds import World, behind, failing, followed, forged, lie, lied, refused, tampered, truth
from tools.base import CaseSettings
from tools.rules.model import get_rule
from tools.rules.table import TableRule
from tools.types import Evidence, State

DECLARED = CaseSettings(patient=STAGED)
EACH = 3
"""Of the changes to one verdict, every so manyth is tried, another third on the next one."""
TABLES = [("stage", "pancreas_pdac"), ("resectability", "pancreas_pdac"), ("fleischner", "lung"),
          ("lesion_type", "kidney_rcc"), ("lesion_type", "kidney_rcc_left")]  # fmt: skip


def verdicts(state: RunState, *tools: str) -> list[Evidence]:
    return [one for one in behind(state) if one.tool in (tools or ("apply_table", "weigh_rules", "gravest"))]


def other_verdicts(one: Evidence) -> list[str | bool]:
    rule = get_rule(str(one.details["rule"]))
    assert isinstance(rule, TableRule)
    return [verdict for verdict in rule.verdicts if verdict != one.value]


# -- decision tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "structure"),
    [pytest.param(*one, marks=pytest.mark.slow if one[0] == "fleischner" else ()) for one in TABLES],
)
def test_no_other_verdict_of_a_table_survives(staged: World, kind: str, structure: str) -> None:
    state = staged.only(kind, structure)
    assert failing(state, truth(state), DECLARED) == set()
    count = 0
    for one in verdicts(state, "apply_table"):
        for verdict in other_verdicts(one):
            count += 1
            details = {**one.details, "normal": False, "text": None, "borderline": []}
            found = lie(staged, state, one, state=State.MEASURED, value=verdict, reason=None, details=details)
            assert "rules" in found, (one.quantity, verdict)
    assert count >= 1


def test_only_the_rules_gate_sees_a_raised_category(staged: World) -> None:
    state = staged.only("category_t", "pancreas_pdac")
    one = next(one for one in verdicts(state, "apply_table") if one.details["source"] == "AJCC 8")
    assert one.value == "T2"
    false, _ = forged(state, one.id, value="T4")
    false = followed(false, one.id, DECLARED)
    assert truth(false).claims[0].value == "T4"
    assert " is T4: " in truth(false).claims[0].text
    assert failing(false, truth(false), DECLARED) == {"rules"}


@pytest.mark.slow
def test_nothing_else_that_a_verdict_says_can_be_changed(staged: World, silent: World) -> None:
    for world, kind, structure in (
        *((staged, kind, structure) for kind, structure in TABLES),
        (silent, "stage", "pancreas_pdac"),
    ):
        state = world.only(kind, structure)
        for at, one in enumerate(verdicts(state)):
            for name, changes in islice(table_changes(one), at % EACH, None, EACH):
                assert refused(*lied(world, state, one, **changes)), (kind, one.quantity, one.tool, name)


def table_changes(one: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    for wrong in State:
        if wrong is not one.state:
            reason = None if wrong is State.MEASURED else "it was seen by a person"
            value = one.value if wrong is State.MEASURED else None
            yield "state", {"state": wrong, "reason": reason, "value": value}
    for target in ("liver_hcc", "pancreas_pdac", "pancreas_pnet", "kidney_rcc_right", "lung_left"):
        if target != one.target:
            yield "target", {"target": target}
    yield "method", {"method": "a textbook"}
    yield "reason", {"reason": "it depends on nothing"}
    if one.inputs:
        yield "input dropped", {"inputs": one.inputs[1:]}
        yield "input changed", {"inputs": ("volume.liver.0123456789", *one.inputs[1:])}
        yield "input twice", {"inputs": (one.inputs[0], *one.inputs)}
    for key, told in one.details.items():
        yield f"details.{key}", {"details": {**one.details, key: tampered(told)}}
        yield f"details.{key} dropped", {"details": {name: v for name, v in one.details.items() if name != key}}


def test_inputs_that_are_exchanged_are_refused(staged: World) -> None:
    """As if the contact with one vessel had been that with another, in the arguments of the call as well."""
    state = staged.only("resectability", "pancreas_pdac")
    count = 0
    for one in verdicts(state, "apply_table"):
        given = one.arguments["inputs"]
        assert isinstance(given, list)
        for at in range(len(given) - 1):
            swapped = [*given[:at], given[at + 1], given[at], *given[at + 2 :]]
            if state.evidence[str(given[at])].quantity != "contact_angle" or swapped == given:
                continue
            count += 1
            arguments = {**one.arguments, "inputs": swapped}
            inputs = (*(str(ident) for ident in swapped), *one.inputs[len(swapped) :])
            assert {"grounding", "rules"} <= lie(staged, state, one, arguments=arguments, inputs=inputs)
    assert count >= 5


def test_a_category_that_was_never_declared_is_refused(silent: World) -> None:
    for fact, kind, decided in (("cn", "category_n", "N0"), ("cm", "category_m", "M0")):
        state = silent.only(kind, "pancreas_pdac")
        one = next(one for one in behind(state) if one.quantity == "fact" and one.target == fact)
        assert one.state is State.NOT_ASSESSED
        false, _ = forged(state, one.id, state=State.MEASURED, value=0, reason=None)
        false = followed(false, one.id, CaseSettings())
        assert truth(false).claims[0].value == decided
        assert failing(false, truth(false)) == {"rules"}
        # Declared, the same is what the user answers for.
        assert failing(false, truth(false), CaseSettings(patient=((fact, "0"),))) == set()


@pytest.mark.slow
def test_a_rule_that_was_refused_stays_refused(staged: World) -> None:
    state = staged.only("fleischner", "lung")
    barred = [one for one in verdicts(state, "apply_table") if one.details.get("refused")]
    assert barred
    for one in barred:
        details = {name: value for name, value in one.details.items() if name != "refused"}
        for verdict in other_verdicts(one):
            changes: dict[str, Any] = {"state": State.MEASURED, "value": verdict, "reason": None}
            more = {**details, "normal": False, "text": None, "borderline": []}
            assert "rules" in lie(staged, state, one, **changes, details=more)


# -- the pathology conclusion --------------------------------------------------------------------------------------


def with_pathology(state: RunState, **changes: Any) -> Conclusion:
    conclusion = truth(state)
    assert conclusion.pathology is not None
    return conclusion.model_copy(update={"pathology": conclusion.pathology.model_copy(update=changes)})


@pytest.mark.slow
def test_a_decided_stage_may_not_be_told_otherwise(staged: World) -> None:
    state = staged.only("stage", "pancreas_pdac")
    told = truth(state).pathology
    assert told is not None
    assert (told.ct, told.cn, told.cm, told.stage) == ("T2", "N0", "M0", "IB")
    assert failing(state, truth(state), DECLARED) == set()
    for field, values in {
        "ct": ("T1", "T3", "T4", "TX", "t2", "", None, "T2 or T1c", "IB"),
        "cn": ("N1", "NX", None, "M0"),
        "cm": ("M1", "MX", None, "0"),
        "stage": ("IA", "II", "IV", None, "", "T2"),
        "diagnosis": ("pancreatic ductal adenocarcinoma",),
        "differential": (("pancreatic neuroendocrine tumour",),),
        "confidence": (0.5, 0.0),
    }.items():
        for value in values:
            gate = "confidence" if field == "confidence" else "overclaim"
            assert failing(state, with_pathology(state, **{field: value}), DECLARED) == {gate}, (field, value)
    for at in range(len(told.evidence)):
        left = told.evidence[:at] + told.evidence[at + 1 :]
        assert "overclaim" in failing(state, with_pathology(state, evidence=left), DECLARED)
    for more in ("volume.liver.0123456789", staged.only("volume", "liver").targets[0].decisive.task, told.evidence[0]):
        assert failing(state, with_pathology(state, evidence=(*told.evidence, more)), DECLARED) == {"grounding"}


def test_what_is_open_may_not_be_staged(silent: World) -> None:
    state = silent.only("stage", "pancreas_pdac")
    assert categories(state) == {}
    assert truth(state).pathology is None
    made = {one.quantity: one.id for one in state.evidence.values() if one.tool == "weigh_rules"}
    for field, value in (("ct", "T2"), ("ct", "T1c"), ("cn", "N0"), ("cm", "M0"), ("stage", "IB")):
        claim = PathologyClaim.model_validate({field: value, "evidence": (made[CATEGORIES[field]],)})
        found = failing(state, truth(state).model_copy(update={"pathology": claim}))
        assert found == {"overclaim"}, field
    unknown = PathologyClaim(ct="TX", cn="NX", cm="MX", evidence=tuple(made[name] for name in CATEGORIES.values()))
    assert failing(state, truth(state).model_copy(update={"pathology": unknown})) == set()


def test_a_forged_stage_is_seen_behind_the_pathology_alone(staged: World) -> None:
    """No claim rests on it: only the pathology conclusion does."""
    state = staged.only("volume", "liver")
    assert failing(state, truth(state), DECLARED) == set()
    weighed = categories(state)["ct"]
    for one in [weighed, *(state.evidence[ident] for ident in weighed.inputs)]:
        false, _ = forged(state, one.id, value="T4")
        false = followed(false, one.id, DECLARED)
        told = truth(false).pathology
        assert told is not None
        if told.ct == "T4":
            assert failing(false, truth(false), DECLARED) == {"rules"}
        else:  # another source is preferred
            assert one.details["source"] != weighed.details["source"]


def test_tumours_of_several_organs_have_no_common_stage(tmp_path: Path) -> None:
    queries = [ask("category_t", "pancreas_pdac"), ask("category_n", "kidney_rcc_left")]
    made = run(full_case(settings=DECLARED, prior=False), queries, tmp_path)
    assert made.report.status == "consistent"
    assert [answer.value for answer in made.report.answers] == ["T2", "N0"]
    assert categories(made.state) == {}
    assert pathology(made.state) is None
    assert made.report.pathology is None
    found = {one.quantity: one for one in made.state.evidence.values() if one.tool == "weigh_rules"}
    for field, quantity in (("ct", "category_t"), ("cn", "category_n")):
        claim = PathologyClaim.model_validate({field: str(found[quantity].value), "evidence": (found[quantity].id,)})
        conclusion = truth(made.state).model_copy(update={"pathology": claim})
        assert failing(made.state, conclusion, DECLARED) == {"overclaim"}
