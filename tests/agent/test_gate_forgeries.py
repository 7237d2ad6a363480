"""Forged verdicts of decision tables, stages, lesion rows, neighbours and contacts: each is refused by a gate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from agent.claims import statement
from agent.errors import ToolError, UsageError
from agent.pathology import CATEGORIES, categories, pathology
from agent.state import Conclusion, PathologyClaim, RunState
from tests.agent.loop_full import STAGED, full_case
from tests.agent.loop_make import ask, run
from tests.agent.worlds import World, altered, behind, failing, followed, forged, refused, truth
from tools.base import CaseSettings, Facts
from tools.registry import load_tools
from tools.rules.model import get_rule
from tools.rules.table import TableRule
from tools.types import Evidence, State

DECLARED = CaseSettings(patient=STAGED)
QUERIES = [
    *(ask(kind, "pancreas_pdac") for kind in ("stage", "category_t", "category_n", "category_m", "resectability")),
    ask("fleischner", "lung"),
    ask("lesion_type", "kidney_rcc"),
    ask("lesion_type", "kidney_rcc_left"),
    ask("lesion_list", "liver_lesion"),
    ask("lesion_count_sized", "liver_lesion", comparator="gt", threshold=2.5, threshold_unit="cm"),
    ask("lesion_location", "liver_lesion"),
    ask("adjacent_vessels", "pancreas_pdac"),
    ask("vessel_contact", "pancreas_pdac", "superior_mesenteric_artery"),
    ask("vessel_encased", "pancreas_pdac", "superior_mesenteric_artery"),
    ask("distance", "pancreas_pdac", "spleen"),
    ask("distance", "liver_hcc", "gallbladder"),
    ask("volume", "liver"),
]
EACH = 3
"""Of the changes to one verdict, every so manyth is tried, another third on the next one."""
TABLES = [("stage", "pancreas_pdac"), ("resectability", "pancreas_pdac"), ("fleischner", "lung"),
          ("lesion_type", "kidney_rcc"), ("lesion_type", "kidney_rcc_left")]  # fmt: skip


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a stage needs beyond the scan is declared."""
    made = run(full_case(settings=DECLARED, prior=False), QUERIES, tmp_path_factory.mktemp("staged"))
    assert made.report.status == "consistent"
    return World(made.state, DECLARED)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Nothing is declared."""
    made = run(full_case(prior=False), QUERIES[:5], tmp_path_factory.mktemp("silent"))
    assert made.report.status == "consistent"
    return World(made.state)


def verdicts(state: RunState, *tools: str) -> list[Evidence]:
    return [one for one in behind(state) if one.tool in (tools or ("apply_table", "weigh_rules", "gravest"))]


def lied(
    world: World, run_state: RunState, one: Evidence, /, **changes: Any
) -> tuple[RunState, Conclusion, CaseSettings]:
    """A state in which a piece of evidence is forged and everything after it follows truly, and what is said of it."""
    false, new = forged(run_state, one.id, **changes)
    assert new.id != one.id
    false = followed(false, one.id, world.declared)
    try:
        said = truth(false)
    except (KeyError, IndexError, ToolError, UsageError):
        said = truth(run_state)  # nothing can be said of such evidence; the old words are said of it
    return false, said, world.declared


def lie(world: World, run_state: RunState, one: Evidence, /, **changes: Any) -> set[str]:
    """Gates that object to a forgery."""
    return failing(*lied(world, run_state, one, **changes))


def other_verdicts(one: Evidence) -> list[str | bool]:
    rule = get_rule(str(one.details["rule"]))
    assert isinstance(rule, TableRule)
    return [verdict for verdict in rule.verdicts if verdict != one.value]


# -- decision tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "structure"), TABLES)
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
    for key, value in one.details.items():
        yield f"details.{key}", {"details": {**one.details, key: tampered(value)}}
        yield f"details.{key} dropped", {"details": {name: v for name, v in one.details.items() if name != key}}


def tampered(value: JsonValue) -> JsonValue:
    """Another value of the same sort."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        # A rule must still be one that exists, for a sentence to be made of it.
        rules = ("pancreas-n-ajcc8", "colon-n-ajcc8")
        return rules[value == rules[0]] if value.endswith("ajcc8") else f"{value}x"
    if isinstance(value, list):
        return value[1:] if value else ["T4"]
    if isinstance(value, dict):
        return {name: tampered(part) for name, part in value.items()} or {"x": 1}
    return "x"


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
            assert failing(state, with_pathology(state, **{field: value}), DECLARED) == {"overclaim"}, (field, value)
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
        claim = PathologyClaim(**{field: value}, evidence=(made[CATEGORIES[field]],))
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
        claim = PathologyClaim(**{field: str(found[quantity].value)}, evidence=(found[quantity].id,))
        conclusion = truth(made.state).model_copy(update={"pathology": claim})
        assert failing(made.state, conclusion, DECLARED) == {"overclaim"}


# -- lesions, neighbours, contacts ---------------------------------------------------------------------------------

MEASURED = [
    ("lesion_list", "liver_lesion"), ("lesion_location", "liver_lesion"), ("adjacent_vessels", "pancreas_pdac"),
    ("vessel_contact", "pancreas_pdac", "superior_mesenteric_artery"), ("distance", "pancreas_pdac", "spleen"),
]  # fmt: skip


@pytest.mark.parametrize("asked", MEASURED, ids=lambda asked: asked[0])
def test_what_was_measured_cannot_be_changed_under_its_id(staged: World, asked: tuple[str, ...]) -> None:
    state = staged.only(*asked)
    said = truth(state)
    assert failing(state, said, DECLARED) == set()
    count = 0
    for one in behind(state):
        changes = [{"details": {**one.details, key: tampered(value)}} for key, value in one.details.items()]
        changes += [{"value": tampered(one.value)}, {"slice": (one.slice or 0) + 1}, {"uncertainty": 0.0001}]
        for change in changes:
            count += 1
            false = altered(state, one.id, **change)
            assert refused(false, said, DECLARED) == "grounding", (one.quantity, change)
            assert refused(false, truth(false), DECLARED) == "grounding", (one.quantity, change)
    assert count >= 3


def test_lesions_that_exchange_their_numbers_are_refused(staged: World) -> None:
    state = staged.only("lesion_list", "liver_lesion")
    first, second = (one for one in behind(state) if one.target in {"liver_lesion#1", "liver_lesion#2"})
    assert [first.target, second.target] == ["liver_lesion#1", "liver_lesion#2"]
    false = altered(altered(state, first.id, target=second.target), second.id, target=first.target)
    assert failing(false, truth(false), DECLARED) == {"grounding"}
    swapped = {**state.evidence, first.id: second, second.id: first}
    false = state.model_copy(update={"evidence": swapped})
    assert "grounding" in failing(false, truth(false), DECLARED)
    # In the sentence alone, number by number and all together.
    claim = truth(state).claims[0]
    text = claim.text.replace("lesion 1", "lesion @").replace("lesion 2", "lesion 1").replace("lesion @", "lesion 2")
    assert text != claim.text
    assert failing(state, Conclusion(claims=(claim.model_copy(update={"text": text}),)), DECLARED) == {"grounding"}
    # As findings, each told of the other.
    told = [statement("finding", one, state.evidence) for one in (first, second)]
    for one, other in (told, told[::-1]):
        mixed = one.model_copy(update={"target": other.target, "text": other.text})
        assert "grounding" in failing(state, Conclusion(claims=(claim, mixed)), DECLARED)


def test_a_lesion_that_no_tool_found_is_refused(staged: World) -> None:
    state = staged.only("lesion_list", "liver_lesion")
    real = next(one for one in behind(state) if one.target == "liver_lesion#2")
    for changes in ({"target": "liver_lesion#9"}, {"value": 99.0}, {"details": {**real.details, "region": "spleen"}}):
        false = Evidence.make(**{**real.model_dump(exclude={"id"}), **changes})
        lied = state.model_copy(update={"evidence": {**state.evidence, false.id: false}})
        claims = (*truth(lied).claims, statement("finding", false, lied.evidence))
        assert failing(lied, Conclusion(claims=claims), DECLARED) == {"grounding"}


def test_rows_of_another_class_are_refused(staged: World) -> None:
    """Evidence that a tool did make, put where another call's result belongs."""
    tasks = staged.state.tasks
    contacts = {str(task.args["vessel"]): ident for ident, task in tasks.items() if task.tool == "vessel_contact"}
    state = staged.only("vessel_encased", "pancreas_pdac", "superior_mesenteric_artery")
    artery, vein = contacts["superior_mesenteric_artery"], contacts["portal_vein"]
    false = state.model_copy(update={"done": {**state.done, artery: state.done[vein]}})
    false = followed(false, state.done[artery][0], DECLARED)
    assert truth(false).claims[0].target == "pancreas_pdac+portal_vein"
    assert "grounding" in failing(false, truth(false), DECLARED)


def test_only_validity_sees_a_lesion_whole_that_is_cut_off(staged: World) -> None:
    state = staged.only("lesion_list", "liver_lesion")
    row = next(one for one in behind(state) if one.target == "liver_lesion#1")
    assert row.details["cut_off_at"] == []
    false, _ = forged(state, row.id, details={**row.details, "cut_off_at": ["superior"]})
    assert failing(false, truth(false), DECLARED) == {"validity"}


def test_a_neighbour_or_an_angle_told_otherwise_is_refused(staged: World) -> None:
    state = staged.only("adjacent_vessels", "pancreas_pdac")
    claim = truth(state).claims[0]
    assert claim.value == "superior mesenteric artery, superior mesenteric vein"
    for value in ("superior mesenteric vein", "none of those looked at", "celiac trunk", f"{claim.value}, aorta"):
        text = claim.text.replace(str(claim.value), value)
        for changes in ({"value": value, "text": text}, {"text": text}, {"value": value}):
            lied = Conclusion(claims=(claim.model_copy(update=changes), *truth(state).claims[1:]))
            assert failing(state, lied, DECLARED) == {"grounding"}, changes
    state = staged.only("vessel_contact", "pancreas_pdac", "superior_mesenteric_artery")
    claim = truth(state).claims[0]
    for angle in (0.0, 180.0, 359.0):
        text = claim.text.replace("57.8°", f"{angle:.1f}°", 1)
        assert text != claim.text
        lied = Conclusion(claims=(claim.model_copy(update={"value": angle, "text": text}), *truth(state).claims[1:]))
        assert failing(state, lied, DECLARED) == {"grounding"}


def test_a_count_does_not_follow_from_fewer_lesions(staged: World) -> None:
    state = staged.only("lesion_count_sized", "liver_lesion")
    one = next(one for one in behind(state) if one.quantity == "lesion_count_sized")
    assert one.value == 2
    assert "rules" in lie(staged, state, one, value=1)
    assert "rules" in lie(staged, state, one, details={**one.details, "what": "volume"})
    items = one.arguments["items"]
    assert isinstance(items, list)
    fewer = {**one.arguments, "items": items[:-1]}
    made = load_tools()["count_lesions"].call(Facts(evidence=state.evidence, settings=DECLARED), fewer)
    false = state.model_copy(
        update={
            "evidence": {**state.evidence, **{new.id: new for new in made}},
            "done": {task: tuple(new.id for new in made) if one.id in ids else ids for task, ids in state.done.items()},
        }
    )
    assert "grounding" in failing(false, truth(false), DECLARED)


def test_no_distance_is_denied_to_what_nobody_looked_for(staged: World) -> None:
    """The gallbladder is declared and empty: there is no distance; of the duodenum nobody can say so."""
    state = staged.only("distance", "liver_hcc", "gallbladder")
    one = state.lookup(state.targets[0].decisive)
    assert one is not None
    assert one.state is State.ABSENT
    assert failing(state, truth(state), DECLARED) == set()
    false, _ = forged(state, one.id, target="liver_hcc+duodenum")
    assert failing(false, truth(false), DECLARED) == {"overclaim"}
