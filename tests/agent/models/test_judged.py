"""Flat answers to conclusions: what is true passes as the evidence tells it, everything else is refused."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.claims import answer_for
from agent.gates.grounding import check as grounding
from agent.gates.model import View
from agent.models.judged import Judged, judged, lesion_types, vote
from agent.models.schemas import ConcludeForm, conclude_schema
from agent.models.table import Table, build_table
from agent.models.table import shown as printed
from agent.state import Claim, Conclusion, PathologyClaim, RunState
from agent.telling import telling
from prompts import documents, load
from tests.agent.loop_make import Outcome
from tests.agent.models.responder import truthful
from tests.agent.worlds import World, truth
from tools.types import State

WORDS = "carcinosis"
LIE = "9876"


def filled(state: RunState, /, **changes: Any) -> dict[str, Any]:
    """What a faithful model fills in, with changes to its first answer."""
    table = build_table(state)
    prompt = load("conclude.user").render(
        evidence=table.document(), questions=table.questions(state), round=table.round_document(state)
    )
    schema = conclude_schema(table, options=len(state.request.options), pathology=None)
    said = truthful("conclude", documents(prompt), schema)
    if changes:
        said["answers"][0] |= changes
    return said


def read(state: RunState, said: dict[str, Any]) -> Judged:
    return judged(ConcludeForm.model_validate(said), build_table(state), state)


def grounded(state: RunState, conclusion: Conclusion) -> set[str]:
    """Ids of the claims that the grounding gate doesn't refuse."""
    refused = {one.claim for one in grounding(View(state, conclusion)).objections}
    return {claim.id for claim in conclusion.claims} - refused


@pytest.mark.slow
def test_a_faithful_model_says_what_the_evidence_says(asked_each: Outcome) -> None:
    world = World(asked_each.state)
    refused = []
    for index, query in enumerate(world.state.queries):
        state = world.alone(index)
        made = read(state, filled(state))
        right = answer_for(state, state.targets[0])
        assert made.unusable == 0
        if made.conclusion.claims[0] != right:
            refused.append((query, made.conclusion.claims[0]))
        assert list(made.conclusion.claims) == list(truth(state).claims), query
    assert not refused


@pytest.mark.slow
def test_a_faithful_report_is_whole(everything: RunState) -> None:
    table = build_table(everything)
    said = filled(everything)
    made = read(everything, said).conclusion
    assert {claim.id: claim for claim in made.claims} == {claim.id: claim for claim in telling(everything)}
    right = truth(everything).pathology
    assert made.pathology == right
    assert len(table.told("impression")) == len(said["impression"])


def test_a_report_is_told_in_the_order_of_the_model(everything: RunState) -> None:
    said = filled(everything)
    said["findings"].reverse()
    made = read(everything, said).conclusion
    named = [claim for claim in made.claims if claim.level == "finding"][: len(said["findings"])]
    table = build_table(everything)
    assert [table.by_id[claim.evidence[0]].alias for claim in named] == said["findings"]


CHANGES: dict[str, dict[str, Any]] = {
    "number": {"value": LIE},
    "words": {"value": WORDS},
    "nothing": {"value": ""},
    "yes": {"value": "yes"},
    "infinite": {"value": "1e999"},
    "not a number": {"value": "nan"},
    "unit": {"unit": "mm"},
    "another name of the unit": {"unit": "ml"},
    "no unit": {"unit": ""},
    "absent": {"state": "absent"},
    "not assessed": {"state": "not_assessed", "value": ""},
    "no such evidence": {"evidence": "e99999"},
    "option": {"option": "C"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_so_is_refused(world: World, name: str) -> None:
    state = world.only("volume", "liver")
    made = read(state, filled(state, **CHANGES[name])).conclusion
    assert "answer-1" not in grounded(state, made)
    assert WORDS not in made.claims[0].text
    assert LIE not in made.claims[0].text


def test_some_faithful_answers_are_those_of_the_evidence(world: World) -> None:
    for index in range(0, len(world.state.queries), 4):
        state = world.alone(index)
        assert list(read(state, filled(state)).conclusion.claims) == list(truth(state).claims)


def test_evidence_of_something_else_is_refused(world: World) -> None:
    state = world.only("volume_ratio", "kidney_left", "kidney_right")
    other = next(row for row in build_table(state).rows if row.role != "answer")
    made = read(state, filled(state, evidence=other.alias, value=other.value, unit=other.unit)).conclusion
    assert "answer-1" not in grounded(state, made)


def test_a_denial_where_nothing_looked_is_refused(world: World) -> None:
    state = world.only("lesion_exists", "liver_metastasis")
    decisive = state.lookup(state.targets[0].decisive)
    assert decisive is not None
    assert decisive.state is State.NOT_ASSESSED
    made = read(state, filled(state, value="no", state="absent")).conclusion
    assert "answer-1" not in grounded(state, made)


@pytest.mark.parametrize(
    ("value", "fine"),
    [("{}", True), ("{} cm³", True), (" {}", True), ("{}0", True), ("{}1", False), ("-{}", False), ("≈{}", False)],
)
def test_a_value_counts_at_the_precision_shown(world: World, value: str, fine: bool) -> None:
    state = world.only("volume", "liver")
    (row,) = [row for row in build_table(state).rows if row.role == "answer"]
    made = read(state, filled(state, value=value.format(row.value))).conclusion
    assert ("answer-1" in grounded(state, made)) == fine


def test_a_negated_question_may_be_answered_either_way(world: World) -> None:
    state = world.only("enlarged", "spleen")
    query = state.queries[0].model_copy(update={"negated": True})
    turned = state.model_copy(update={"queries": [query]})
    right = answer_for(turned, turned.targets[0])
    assert right is not None
    assert isinstance(right.value, bool)
    for value in ("yes", "no"):
        # The row says one, the answer in the sense of the question the other; the sentence is the evidence's.
        made = read(turned, filled(turned, value=value)).conclusion
        assert made.claims[0].value == right.value
        assert made.claims[0].text == right.text


def test_parts_that_say_nothing_are_counted(world: World) -> None:
    state = world.only("volume", "liver")
    assert read(state, filled(state, q=7)).unusable == 1
    assert read(state, filled(state, q=7)).conclusion.claims == ()
    assert read(state, filled(state, state="gone")).unusable == 1
    assert read(state, filled(state, evidence="e99999")).unusable == 1


def test_a_false_pathology_stays_as_it_was_said(everything: RunState) -> None:
    said = filled(everything) | {
        "t": "T4", "n": "", "m": "x", "stage": "none", "diagnosis": "hcc", "differential": ["hcc", "cyst", "cyst"],
    }  # fmt: skip
    made = read(everything, said).conclusion.pathology
    assert made is not None
    assert (made.ct, made.cn, made.cm, made.stage) == ("T4", "NX", "MX", None)
    assert (made.diagnosis, made.differential) == ("hcc", ("cyst",))
    assert made.confidence is None
    names = lesion_types(everything)
    assert {"lesion", "cyst", "hcc", "rcc"} <= set(names)
    assert "pdac" not in names


# -- whatever comes ------------------------------------------------------------------------------------------------

PIECES = st.sampled_from([
    "", "e17", "e18", "e50", "e99999", "yes", "no", "none", "measured", "absent", "cm³", "A", "1", "768.3", LIE, WORDS,
    "T2", "volume", "answers", "q", "x" * 5000, "-0", "1e400", "٣",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | PIECES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PIECES, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("answers", "findings", "impression", "t", "n", "m", "stage", "diagnosis", "differential")
PARTS = st.fixed_dictionaries(
    {"q": st.integers(-1, 3), "evidence": PIECES, "value": PIECES, "unit": PIECES, "state": PIECES},
    optional={"option": PIECES},
)
SAID = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    st.fixed_dictionaries(
        {"answers": st.lists(PARTS, max_size=4)},
        optional={"findings": st.lists(PIECES, max_size=5), "t": PIECES, "diagnosis": PIECES,
                  "differential": st.lists(PIECES, max_size=3)},
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=SAID, report=st.booleans())
def test_whatever_is_said_nothing_false_is_grounded(
    world: World, everything: RunState, said: dict[str, Any], report: bool
) -> None:
    state = everything if report else world.only("volume", "liver")
    try:
        form = ConcludeForm.model_validate(said)
    except pydantic.ValidationError:
        return
    made = judged(form, build_table(state), state).conclusion
    right = {claim.id: claim for claim in truth(state).claims}
    for ident in grounded(state, made):
        assert next(claim for claim in made.claims if claim.id == ident) == right[ident]
    Conclusion.model_validate_json(made.model_dump_json())


# -- the vote --------------------------------------------------------------------------------------------------------


def sample(value: float, unusable: int = 0, pathology: bool = False) -> Judged:
    claim = Claim(
        id="answer-1", level="answer", query=0, evidence=("a",), target="liver", quantity="volume", value=value,
        state=State.MEASURED, text="",
    )  # fmt: skip
    return Judged(Conclusion(claims=(claim,), pathology=PathologyClaim() if pathology else None), unusable)


@pytest.mark.parametrize(
    ("samples", "asked", "value", "agreement"),
    [
        ([sample(1)], 1, 1, 1.0),
        ([sample(1), sample(1)], 2, 1, 1.0),
        ([sample(2), sample(1), sample(1)], 3, 1, 0.666667),
        ([sample(2), sample(1)], 2, 2, 0.5),
        ([sample(2, unusable=1), sample(1)], 2, 1, 0.5),
        ([sample(1)], 4, 1, 0.25),
        ([sample(1), sample(1)], 1, 1, 1.0),
    ],
)
def test_the_majority_is_taken(samples: list[Judged], asked: int, value: float, agreement: float) -> None:
    made = vote(samples, asked)
    assert made.claims[0].value == value
    assert made.agreement == agreement
    assert made.samples == max(asked, len(samples))
    assert made.pathology is None


def test_the_confidence_of_a_pathology_is_the_agreement() -> None:
    made = vote([sample(1, pathology=True), sample(2, pathology=True), sample(2, pathology=True)], 3)
    assert made.pathology is not None
    assert made.pathology.confidence == made.agreement == 0.666667


def test_one_answer_gives_no_confidence() -> None:
    made = vote([sample(1, pathology=True)], 1)
    assert made.pathology is not None
    assert made.pathology.confidence is None


def test_values_are_printed_as_the_report_prints_them() -> None:
    assert [printed(one, "cm3") for one in (True, False, None, "T2", 12.345, 3)] == ["yes", "no", "", "T2", "12.3", "3"]


def test_a_table_of_nothing_is_read(world: World) -> None:
    state = world.state.model_copy(update={"evidence": {}, "done": {}})
    assert build_table(state) == Table((), (), 0)
    assert read(state, {"answers": [], "findings": ["e1"]}).conclusion.claims == ()
