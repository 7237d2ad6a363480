"""“Why do you say that?”: the answer with all that it rests on, each value with how it was determined."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.claims import answer_for
from agent.query import Query
from agent.reasoner import LONGEST_CLAIM, bounded
from agent.state import Claim, Conclusion, RunState
from tests.agent.loop_full import full_case
from tests.agent.loop_make import ask, make_case, run
from tests.agent.worlds import failing, truth
from tools.base import Case
from tools.types import Evidence

OPENING = " This rests on the following."


@pytest.fixture(scope="module")
def case() -> Case:
    return full_case()


def claims(case: Case, query: Query, folder: Path) -> tuple[RunState, Claim, Claim]:
    """The state, the explained answer, and the plain one."""
    made = run(case, [query], folder)
    assert made.report.status == "consistent", made.report.verdicts
    state = made.state
    explained = answer_for(state, state.targets[0])
    plain = state.model_copy(update={"queries": [query.model_copy(update={"explain": False})]})
    short = answer_for(plain, plain.targets[0])
    assert explained is not None
    assert short is not None
    return state, explained, short


def rests_on(state: RunState, first: tuple[str, ...]) -> list[Evidence]:
    """All that an answer was derived from, itself included, without numbers that are only compared with."""
    queue = list(first)
    for ident in queue:
        queue += [source for source in state.evidence[ident].inputs if source not in queue]
    return [state.evidence[ident] for ident in queue if state.evidence[ident].quantity != "threshold"]


QUERIES = [
    ask("volume", "liver", explain=True),
    ask("volume", "kidney", explain=True),
    ask("enlarged", "spleen", explain=True),
    ask("hu_ratio", "liver", "spleen", explain=True),
    ask("category_t", "pancreas_pdac", explain=True),
    ask("volume_change", "liver_lesion", explain=True),
    ask("lesion_exists", "spleen_lesion", explain=True),
    ask("volume", "duodenum", explain=True),
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.kind}-{query.structures[0]}")
def test_an_explanation_tells_all_that_an_answer_rests_on(case: Case, query: Query, tmp_path: Path) -> None:
    state, explained, short = claims(case, query, tmp_path)
    assert explained.text.startswith(short.text + OPENING)
    assert (explained.value, explained.state, explained.option) == (short.value, short.state, short.option)
    assert OPENING not in short.text
    more = explained.text.removeprefix(short.text + OPENING)
    told = rests_on(state, (explained.evidence[0], *short.evidence))
    assert {one.id for one in told} <= set(explained.evidence)
    for one in told:
        assert f"Determined as: {one.method} ({one.tool.replace('_', ' ')})." in more
    # What is told is told once, and bound to the evidence that says it.
    assert more.count("Determined as: ") == len({one.id for one in told})
    for binding in explained.bindings:
        words = explained.text[binding.start : binding.end]
        one = state.evidence[binding.evidence]
        if binding.field == "method":
            assert words == one.method
        if binding.field == "tool":
            assert words == one.tool.replace("_", " ")
        if binding.field == "target":
            assert words
    assert failing(state, truth(state)) == set()


def test_a_changed_explanation_is_refused(case: Case, tmp_path: Path) -> None:
    state, explained, short = claims(case, QUERIES[2], tmp_path)
    shorter = explained.model_copy(update={"text": short.text, "bindings": short.bindings, "evidence": short.evidence})
    other = explained.model_copy(update={"text": explained.text.replace("voxel", "patient", 1)})
    dropped = explained.model_copy(update={"text": explained.text[: explained.text.rindex("Determined")].rstrip()})
    assert other.text != explained.text
    for lie in (shorter, other, dropped):
        assert failing(state, Conclusion(claims=(lie, *truth(state).claims[1:]))) == {"grounding"}


@pytest.mark.slow
def test_an_explanation_of_everything_is_not_cut(case: Case, tmp_path: Path) -> None:
    state, explained, _ = claims(case, ask("attention", explain=True), tmp_path)
    assert len(explained.evidence) > 60
    assert len(explained.model_dump_json()) < LONGEST_CLAIM / 2
    assert bounded(truth(state)).claims[0] == explained


@pytest.mark.slow
def test_a_long_list_of_lesions_is_not_cut(tmp_path: Path) -> None:
    """Many small metastases are the very case in which a list is asked for."""
    case = make_case()
    assert case.labels is not None
    labels = case.labels.layers[0]
    labels[labels == 8] = 1
    labels[26:40:2, 10:26:2, 8:22:2] = 8
    made = run(case, [ask("lesion_list", "liver_lesion")], tmp_path)
    assert made.report.status == "consistent"
    assert made.report.answers[0].value == 200
    assert "liver lesion 200" in made.report.answers[0].text
    assert len(made.report.answers[0].text) > 40_000


def test_a_question_with_options_keeps_its_letter(case: Case, tmp_path: Path) -> None:
    query = ask("enlarged", "spleen", explain=True)
    made = run(case, [query], tmp_path, options=("yes", "no"))
    assert made.report.answer is not None
    assert made.report.answer.option == "B"
    assert OPENING in made.report.answer.text
