"""Whatever is changed in a truthful conclusion or in its evidence, a gate refuses it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.query import Query
from agent.report_model import Binding
from agent.state import Claim, Conclusion, RunState
from tests.agent.loop_make import Outcome
from tests.agent.mutants import claim_mutants, conclusion_mutants, pathology_mutants
from tests.agent.worlds import World, altered, behind, failing, refused, truth
from tools.types import State

PER_NAME = 2
"""Mutants of one sort that are tried on one claim."""


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


@pytest.mark.slow
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


def test_dropped_repeated_and_exchanged_claims_are_refused(world: World) -> None:
    tally = Tally()
    first = [("volume", "liver"), ("enlarged", "kidney"), ("lesion_count", "liver_lesion"), ("exists", "gallbladder")]
    state = world.alone(*(world.asked(*one) for one in first))
    assert failing(state, truth(state)) == set()
    for name, mutant in conclusion_mutants(truth(state), whole=False):
        tally.take(name, state, mutant)
    tally.check(least=25)
    assert set(tally.kinds) == {"claim dropped", "claim twice", "answers exchanged"}


@pytest.mark.slow
def test_claims_dropped_from_or_repeated_in_a_report_are_refused(everything: RunState) -> None:
    tally = Tally()
    assert failing(everything, truth(everything)) == set()
    for name, mutant in conclusion_mutants(truth(everything), whole=True):
        tally.take(name, everything, mutant)
    tally.check(least=100)


@pytest.mark.slow
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


@pytest.mark.slow
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
