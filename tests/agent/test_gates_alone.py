"""Each gate alone: a lie that only this gate can see."""

from __future__ import annotations

from typing import Any

import pytest

from agent.claims import statement
from agent.critic import judge
from agent.gates.model import View
from agent.query import Query
from agent.state import Conclusion, RunState
from tests.agent.worlds import World, behind, failing, followed, forged, truth
from tools.base import CaseSettings
from tools.registry import load_tools
from tools.types import Evidence, State


def test_only_grounding_sees_a_changed_number(world: World) -> None:
    state = world.alone(world.asked("volume", "liver"))
    claims = truth(state).claims
    wrong = claims[0].model_copy(update={"text": claims[0].text.replace("768", "868"), "value": 868.32})
    assert failing(state, Conclusion(claims=(wrong, *claims[1:]))) == {"grounding"}


def test_only_grounding_sees_evidence_that_no_tool_made(world: World) -> None:
    state = world.alone(world.asked("volume", "liver"))
    real = next(e for e in state.evidence.values() if e.quantity == "exists" and e.target == "liver_lesion")
    false = Evidence.make(**{**real.model_dump(exclude={"id"}), "target": "liver_metastasis"})
    state = state.model_copy(update={"evidence": {**state.evidence, false.id: false}})
    claims = (*truth(state).claims, statement("finding", false, state.evidence))
    assert failing(state, Conclusion(claims=claims)) == {"grounding"}


def test_only_coverage_sees_a_missing_answer(world: World) -> None:
    state = world.alone(world.asked("volume", "liver"))
    claims = truth(state).claims
    assert failing(state, Conclusion(claims=claims[1:])) == {"coverage"}
    done = {task: made for task, made in state.done.items() if task not in state.targets[0].chain}
    missing = state.model_copy(update={"done": done})
    assert "coverage" in failing(missing, truth(missing))


def test_only_validity_sees_the_volume_of_a_structure_that_is_cut_off(world: World) -> None:
    state = world.alone(world.asked("volume", "aorta"))
    decisive = state.lookup(state.targets[0].decisive)
    assert decisive is not None
    assert decisive.state is State.NOT_MEASURABLE
    changes = {"state": State.MEASURED, "value": decisive.lower_bound, "lower_bound": None, "reason": None}
    state, _ = forged(state, decisive.id, **changes)
    assert truth(state).claims[0].value == decisive.lower_bound
    assert failing(state, truth(state)) == {"validity"}


def test_only_validity_sees_a_phase_that_nothing_speaks_for(portal: World) -> None:
    state = portal.state
    phase = next(one for one in state.evidence.values() if one.quantity == "phase")
    assert phase.value == "portal"
    state, native = forged(state, phase.id, value="native")
    old = state.lookup(state.targets[0].decisive)
    assert old is not None
    state = followed(state, phase.id, CaseSettings())
    new = state.lookup(state.targets[0].decisive)
    assert new is not None
    assert (old.state, new.state) == (State.NOT_MEASURABLE, State.MEASURED)
    assert native.id in {ident for one in state.evidence.values() for ident in one.inputs}
    assert failing(state, truth(state)) == {"validity"}
    # Declared by the user, the same phase is what the user answers for.
    assert failing(state, truth(state), CaseSettings(phase="native")) == set()


def test_validity_and_rules_see_a_rule_applied_in_the_wrong_phase(portal: World) -> None:
    state = portal.state
    applied = next(one for one in state.evidence.values() if one.tool == "apply_rule")
    details = {**applied.details, "text": "is fatty", "by_criterion": [True], "disagree": False, "borderline": []}
    forgery = {"state": State.MEASURED, "value": True, "reason": None, "details": details}
    state, one = forged(state, applied.id, **forgery)
    claim = statement("impression", one, state.evidence)
    claims = (*truth(portal.state).claims, claim)
    assert {"validity", "rules"} <= failing(state, Conclusion(claims=claims))


def test_only_rules_see_a_verdict_that_does_not_follow(world: World) -> None:
    state = world.alone(world.asked("hu_compare", "liver", "spleen"))
    decisive = state.lookup(state.targets[0].decisive)
    assert decisive is not None
    assert decisive.value is True
    state, _ = forged(state, decisive.id, value=False)
    assert truth(state).claims[0].text.startswith("No.")
    assert failing(state, truth(state)) == {"rules"}


@pytest.mark.parametrize("kind", ["enlarged", "steatosis", "volume_total", "volume_ratio", "volume_which", "volume"])
def test_every_forged_derivation_is_refused(world: World, kind: str) -> None:
    structures = {"volume_total": ("liver", "spleen"), "volume_ratio": ("liver", "spleen"),
                  "volume_which": ("liver", "spleen"), "enlarged": ("kidney",)}.get(kind, ("liver",))  # fmt: skip
    index = world.asked(kind, *structures)
    if kind == "volume":  # in litres: converted
        index = next(at for at, q in enumerate(world.state.queries) if isinstance(q, Query) and q.unit == "l")
    state = world.alone(index)
    derived = [one for one in behind(state) if load_tools()[one.tool].derives and one.quantity != "threshold"]
    assert derived
    for one in derived:
        other: Any = not one.value if isinstance(one.value, bool) else "spleen" if isinstance(one.value, str) else 7.5
        false, _ = forged(state, one.id, value=other)
        found = failing(false, truth(false))
        decisive = state.lookup(state.targets[0].decisive)
        # What rests on a forged link still names the true one, which this run then no longer made.
        assert ("rules" if one == decisive else "grounding") in found, one
    for one in [one for one in behind(state) if one.quantity == "threshold"]:
        false, _ = forged(state, one.id, value=1.5)
        assert failing(false, truth(false)) & {"rules", "grounding"}, one


def test_only_overclaim_sees_a_denial_of_what_nobody_looked_for(world: World) -> None:
    for kind in ("lesion_exists", "lesion_count"):
        state = world.alone(world.asked(kind, "pancreas_lesion"))
        decisive = state.lookup(state.targets[0].decisive)
        assert decisive is not None
        assert decisive.state is State.NOT_ASSESSED
        denial = {"state": State.ABSENT, "value": False if kind == "lesion_exists" else 0, "reason": "none was seen"}
        state, _ = forged(state, decisive.id, **denial)
        assert truth(state).claims[0].text.startswith("No")
        assert failing(state, truth(state)) == {"overclaim"}


def test_only_overclaim_sees_a_stage(everything: RunState) -> None:
    conclusion = truth(everything)
    assert conclusion.pathology is not None
    staged = conclusion.pathology.model_copy(update={"ct": "cT1", "cn": "cN0", "cm": "cM0", "stage": "IA"})
    assert failing(everything, conclusion.model_copy(update={"pathology": staged})) == {"overclaim"}


def test_a_reason_never_repeats_what_the_model_made_up(world: World) -> None:
    state = world.alone(world.asked("volume", "liver"))
    real = truth(state).claims[0]
    lies = (
        real.model_copy(update={"id": "stage 9999 cancer"}),
        real.model_copy(update={"evidence": ("stage 9999 cancer",)}),
        real.model_copy(update={"text": "stage 9999 cancer", "target": "stage 9999 cancer", "unit": "9999"}),
    )
    for lie in lies:
        for gate, finding in judge(View(state, Conclusion(claims=(lie,)))):
            assert "9999" not in finding.reason, gate.name
