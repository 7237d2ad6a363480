"""Forged lesion rows, neighbours, contacts and distances: each is refused by a gate."""

from __future__ import annotations

from typing import Any

import pytest

from agent.claims import statement
from agent.state import Conclusion
from tests.agent.loop_full import STAGED
from tests.agent.worlds import World, altered, behind, failing, followed, forged, lie, refused, tampered, truth
from tools.base import CaseSettings, Facts
from tools.registry import load_tools
from tools.types import Evidence, State

DECLARED = CaseSettings(patient=STAGED)
MEASURED = [
    ("lesion_list", "liver_lesion"), ("lesion_location", "liver_lesion"), ("adjacent_vessels", "pancreas_pdac"),
    ("vessel_contact", "pancreas_pdac", "superior_mesenteric_artery"), ("distance", "pancreas_pdac", "spleen"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("asked", MEASURED, ids=lambda asked: asked[0])
def test_what_was_measured_cannot_be_changed_under_its_id(staged: World, asked: tuple[str, ...]) -> None:
    state = staged.only(*asked)
    said = truth(state)
    assert failing(state, said, DECLARED) == set()
    count = 0
    for one in behind(state):
        rows = [{**one.details, key: tampered(value)} for key, value in one.details.items()]
        changes: list[dict[str, Any]] = [{"details": row} for row in rows]
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


@pytest.mark.slow
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
