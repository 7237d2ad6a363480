"""Whatever is changed in a truthful conclusion or in its evidence, a gate refuses it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.claims import statement
from agent.critic import judge
from agent.gates.model import View
from agent.query import Query
from agent.report_model import Binding
from agent.state import Claim, Conclusion, RunState
from tests.agent.loop_make import PORTAL, Outcome, ask, make_case, run
from tests.agent.loop_queries import every_query
from tests.agent.mutants import claim_mutants, conclusion_mutants, pathology_mutants
from tests.agent.worlds import World, altered, behind, failing, followed, forged, refused, truth
from tools.base import CaseSettings
from tools.registry import load_tools
from tools.types import Evidence, State

KINDS = ("enlarged", "exists", "hu_compare", "hu_ratio", "lesion_count", "lesion_exists", "steatosis", "volume",
         "volume_ratio", "volume_total", "volume_which")  # fmt: skip
PER_NAME = 2
"""Mutants of one sort that are tried on one claim."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    queries = [query for query in every_query() if query.kind in KINDS and not query.explain]
    made = run(make_case(), queries, tmp_path_factory.mktemp("world"))
    assert made.report.status == "consistent"
    return World(made.state)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> RunState:
    return run(make_case(), None, tmp_path_factory.mktemp("everything")).state


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = run(make_case(PORTAL), [ask("steatosis", "liver")], tmp_path_factory.mktemp("portal"))
    return World(made.state)


class Tally:
    """Counts mutants, and keeps those that no gate refused."""

    def __init__(self) -> None:
        self.caught: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.survivors: list[str] = []
        self.mutated: set[str] = set()

    def take(self, name: str, state: RunState, conclusion: Conclusion, told: object = "") -> None:
        gate = refused(state, conclusion)
        self.kinds[name] += 1
        if gate is None:
            self.survivors.append(f"{name}: {told}")
        else:
            self.caught[gate] += 1

    def check(self, least: int) -> None:
        total = sum(self.kinds.values())
        assert not self.survivors, f"{len(self.survivors)} of {total} mutants survived: {self.survivors[:5]}"
        assert total >= least, f"only {total} mutants were made: {dict(self.kinds)}"


def mutate_claims(state: RunState, tally: Tally, per_name: int | None = None) -> None:
    conclusion = truth(state)
    assert failing(state, conclusion) == set()
    for at, claim in enumerate(conclusion.claims):
        if claim.level != "answer" and claim.id in tally.mutated:
            continue  # the same finding behind another answer
        tally.mutated.add(claim.id)
        tried: Counter[str] = Counter()
        for name, mutant in claim_mutants(claim, state):
            tried[name] += 1
            if per_name is not None and tried[name] > per_name:
                continue
            claims = (*conclusion.claims[:at], mutant, *conclusion.claims[at + 1 :])
            tally.take(name, state, Conclusion(claims=claims), mutant)


@pytest.mark.slow
def test_no_mutant_of_any_claim_survives(asked_all: Outcome) -> None:
    world, tally, seen = World(asked_all.state), Tally(), set()
    for at, query in enumerate(world.state.queries):
        assert isinstance(query, Query)
        state = world.alone(at)
        decisive = state.lookup(state.targets[0].decisive)
        assert decisive is not None
        shape = (query.kind, decisive.state, decisive.value if isinstance(decisive.value, bool) else None)
        if shape not in seen:
            seen.add(shape)
            mutate_claims(state, tally, PER_NAME)
    tally.check(least=15_000)
    expected = {"side", "unit", "state", "number in the text", "negation in the text", "lesion becomes metastasis"}
    assert expected <= set(tally.kinds), tally.kinds


def test_no_mutant_of_a_few_claims_survives(world: World) -> None:
    tally = Tally()
    asked = [
        ("volume", "kidney"), ("enlarged", "spleen"), ("lesion_exists", "liver_lesion"), ("volume", "aorta"),
        ("volume_which", "kidney_left", "kidney_right"), ("lesion_exists", "liver_metastasis"),
    ]  # fmt: skip
    for kind, *structures in asked:
        mutate_claims(world.alone(world.asked(kind, *structures)), tally)
    tally.check(least=1_000)


def test_an_option_that_does_not_follow_is_refused(world: World) -> None:
    tally = Tally()
    for kind, structure, options in (
        ("exists", "liver", ("no", "yes")),
        ("volume", "liver", ("about 300 ml", "about 770 ml")),
        ("volume_which", "kidney_left", ("the right kidney", "the left kidney")),
    ):
        structures = ("kidney_left", "kidney_right") if kind == "volume_which" else (structure,)
        state = world.alone(world.asked(kind, *structures), options=options)
        conclusion = truth(state)
        assert conclusion.claims[0].option == "B"
        assert failing(state, conclusion) == set()
        for letter in (None, "A", "C", "b"):
            mutant = conclusion.claims[0].model_copy(update={"option": letter})
            tally.take("option", state, Conclusion(claims=(mutant, *conclusion.claims[1:])), letter)
    tally.check(least=12)


def test_dropped_repeated_and_exchanged_claims_are_refused(world: World, everything: RunState) -> None:
    tally = Tally()
    first = [("volume", "liver"), ("enlarged", "kidney"), ("lesion_count", "liver_lesion"), ("exists", "gallbladder")]
    state = world.alone(*(world.asked(*one) for one in first))
    assert failing(state, truth(state)) == set()
    for name, mutant in conclusion_mutants(truth(state), whole=False):
        tally.take(name, state, mutant)
    assert failing(everything, truth(everything)) == set()
    for name, mutant in conclusion_mutants(truth(everything), whole=True):
        tally.take(name, everything, mutant)
    tally.check(least=100)
    assert set(tally.kinds) == {"claim dropped", "claim twice", "answers exchanged"}


def test_pathology_beyond_the_evidence_is_refused(everything: RunState) -> None:
    state, conclusion = everything, truth(everything)
    assert conclusion.pathology is not None
    tally = Tally()
    for name, mutant in pathology_mutants(conclusion.pathology, state):
        tally.take(name, state, conclusion.model_copy(update={"pathology": mutant}), mutant)
    tally.check(least=20)


TAMPERED: dict[str, Any] = {
    "value": 4242.5, "lower_bound": 4242.5, "uncertainty": 0.0001, "slice": 1, "unit": "ml", "target": "pancreas",
    "quantity": "volume", "reason": "it was seen by a person", "method": "by eye", "version": "99", "tool": "presence",
    "details": {"declared": ["liver_metastasis"]}, "arguments": {"structure": "pancreas"},
    "inputs": ("x.y.0123456789",), "id": "volume.liver.0123456789",
}  # fmt: skip


def test_evidence_changed_under_its_id_is_refused(world: World) -> None:
    tally = Tally()
    for kind, *structures in (("steatosis", "liver"), ("hu_ratio", "liver", "spleen"), ("volume", "kidney"),
                              ("enlarged", "kidney"), ("lesion_exists", "spleen_lesion")):  # fmt: skip
        state = world.alone(world.asked(kind, *structures))
        said = truth(state)
        for one in behind(state):
            for name, value in TAMPERED.items():
                if getattr(one, name) == value:
                    continue
                tampered = altered(state, one.id, **{name: value})
                tally.take(f"{name} of {one.quantity}", tampered, said)
            for wrong in State:
                if wrong is not one.state:
                    tally.take(f"state of {one.quantity}", altered(state, one.id, state=wrong), said)
            left = {ident: other for ident, other in state.evidence.items() if ident != one.id}
            tally.take("evidence removed", state.model_copy(update={"evidence": left}), said)
    tally.check(least=400)


def test_a_conclusion_that_follows_tampered_evidence_is_refused(world: World) -> None:
    """The model is honest here; what it read was not."""
    tally = Tally()
    for kind, *structures in (("volume", "liver"), ("enlarged", "spleen"), ("hu_ratio", "liver", "spleen")):
        state = world.alone(world.asked(kind, *structures))
        for one in behind(state):
            if isinstance(one.value, bool):
                tampered = altered(state, one.id, value=not one.value)
            elif isinstance(one.value, float):
                tampered = altered(state, one.id, value=one.value + 1)
            else:
                continue
            tally.take(one.quantity, tampered, truth(tampered))
    tally.check(least=8)


# -- each gate alone: a lie that only this gate can see ---------------------------------------------------------


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


# -- random changes -----------------------------------------------------------------------------------------------

WORDS = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["liver", "left", "cm3", "HU", "A", "volume"]))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text(max_size=30),
    "level": st.sampled_from(["answer", "finding", "impression"]),
    "query": st.one_of(st.none(), st.integers(-2, 5)),
    "evidence": st.lists(st.text(max_size=30), max_size=3).map(tuple),
    "target": st.text(max_size=20),
    "quantity": st.text(max_size=20),
    "value": st.one_of(WORDS, st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    "unit": WORDS,
    "state": st.sampled_from(list(State)),
    "lower_bound": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    "option": WORDS,
    "bindings": st.just((Binding(start=0, end=2, evidence="x", field="value"),)),
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_random_change_survives(world: World, data: st.DataObject) -> None:
    pool = [("volume", "kidney"), ("enlarged", "liver"), ("volume", "aorta"), ("exists", "gallbladder")]
    state = world.alone(world.asked(*data.draw(st.sampled_from(pool))))
    claims = truth(state).claims
    index = data.draw(st.integers(0, len(claims) - 1))
    name = data.draw(st.sampled_from([*FIELDS, "text"]))
    old = claims[index]
    if name == "text":
        start = data.draw(st.integers(0, len(old.text)))
        end = data.draw(st.integers(start, min(len(old.text), start + 6)))
        new: Any = old.text[:start] + data.draw(st.text(max_size=4)) + old.text[end:]
    else:
        new = data.draw(FIELDS[name])
    if new == getattr(old, name) and type(new) is type(getattr(old, name)):
        return
    mutant = Claim.model_construct(**{**{n: getattr(old, n) for n in Claim.model_fields}, name: new})
    conclusion = Conclusion.model_construct(claims=(*claims[:index], mutant, *claims[index + 1 :]), pathology=None)
    assert refused(state, conclusion) is not None, (name, new)
