"""Answers about single lesions and whole organs: they pass every gate, and each of their numbers resolves."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.query import Query
from tests.agent.loop_full import full_case
from tests.agent.loop_make import Outcome, ask, make_case, run
from tests.agent.loop_queries import everyday_queries
from tests.agent.test_numbers_resolve import check_answers
from tests.agent.worlds import World, failing, truth


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(full_case(), everyday_queries(), tmp_path_factory.mktemp("everyday"))


def test_every_answer_passes_the_gates_and_its_numbers_resolve(asked: Outcome) -> None:
    check_answers(asked, least=100)


@pytest.mark.parametrize("labelled", [True, False], ids=["plain", "without labels"])
def test_so_it_does_in_a_plain_case_and_without_labels(tmp_path: Path, labelled: bool) -> None:
    made = run(make_case(labelled=labelled), everyday_queries(), tmp_path)
    assert made.report.status == "consistent"


def _answer(asked: Outcome, query: Query) -> str:
    at = everyday_queries().index(query)
    return next(claim.text for claim in asked.state.conclusion.claims if claim.query == at)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (ask("numbered_size", "liver_lesion#99"), "There is no liver lesion 99"),
        (ask("lesion_numbered", "liver_lesion#1"), "liver lesion 1 has a volume of"),
        (ask("organ_about", "prostate"), "The prostate was not assessed"),
        (ask("organ_about", "spleen"), "About the spleen"),
        (ask("largest_lesion_of_all"), "The largest lesion by volume is"),
    ],
    ids=lambda value: value.kind if isinstance(value, Query) else None,
)
def test_what_is_said(asked: Outcome, query: Query, says: str) -> None:
    assert says in _answer(asked, query)


@pytest.mark.parametrize("change", [("volume", "diameter"), ("liver lesion 1", "liver lesion 2"), ("cm³", "mm³")])
def test_a_changed_word_is_caught(asked: Outcome, change: tuple[str, str]) -> None:
    state = World(asked.state).only("lesion_numbered", "liver_lesion#1")
    honest = truth(state)
    assert failing(state, honest) == set()
    old, new = change
    claims = [one.model_copy(update={"text": one.text.replace(old, new)}) for one in honest.claims]
    assert any(a.text != b.text for a, b in zip(claims, honest.claims, strict=True))
    assert "grounding" in failing(state, honest.model_copy(update={"claims": claims}))
