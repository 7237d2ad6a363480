"""The evidence table: stable aliases, bounded, and it only grows at its end."""

from __future__ import annotations

import json

import pytest

from agent.models.table import COLUMNS, MOST_ROWS, build_table
from agent.state import Objection, RunState
from agent.telling import telling
from prompts import documents, load
from tests.agent.worlds import World
from tools.types import State
from tools.units import number_text


def rendered(state: RunState) -> str:
    table = build_table(state)
    return load("conclude.user").render(
        evidence=table.document(), questions=table.questions(state), round=table.round_document(state)
    )


def test_a_row_shows_what_the_report_prints(world: World) -> None:
    state = world.only("volume", "liver")
    table = build_table(state)
    (row,) = [row for row in table.rows if row.role == "answer"]
    one = row.one
    assert isinstance(one.value, float)
    assert row.value == number_text(one.value, "cm3")
    assert row.cells() == [row.alias, "volume", "liver", row.value, "cm³", "measured", "answer", ""]
    assert list(state.evidence)[int(row.alias[1:]) - 1] == one.id
    assert len(COLUMNS) == len(row.cells())


def test_all_that_an_answer_rests_on_is_shown(world: World) -> None:
    for index in range(len(world.state.queries)):
        state = world.alone(index)
        table = build_table(state)
        decisive = state.lookup(state.targets[0].decisive)
        assert decisive is not None
        assert table.asked[0].decisive == decisive
        shown = set(table.by_id)
        assert decisive.id in shown
        if not table.left_out:
            assert set(decisive.inputs) <= shown


def test_states_without_a_value_show_none(world: World) -> None:
    for index in range(len(world.state.queries)):
        for row in build_table(world.alone(index)).rows:
            if row.one.state in {State.NOT_ASSESSED, State.NOT_MEASURABLE}:
                assert row.value == ""
                assert row.note


def test_a_report_shows_what_is_told(everything: RunState) -> None:
    table = build_table(everything)
    told = telling(everything)
    shown = [*table.told("finding").values(), *table.told("impression").values()]
    assert len(shown) + len(table.untold()) == len(told)
    assert {claim.id for claim in (*shown, *table.untold())} == {claim.id for claim in told}
    assert len(table.rows) <= MOST_ROWS
    assert table.left_out == len(table.untold())


@pytest.mark.parametrize("most", [0, 300, 1500])
def test_a_table_is_bounded(everything: RunState, world: World, most: int) -> None:
    table = build_table(everything, most_characters=most)
    assert len(json.dumps(table.document())) < 3 * most + 500
    assert table.left_out
    # What decides a question is in, however small the bound.
    assert build_table(world.only("volume", "liver"), most_characters=most).rows


def test_further_evidence_only_adds_at_the_end(world: World) -> None:
    state = world.only("volume_ratio", "kidney_left", "kidney_right")
    ids = list(state.evidence)
    needed = [one.id for one in (row.one for row in build_table(state).rows)]
    cut = max(ids.index(ident) for ident in needed) + 1
    less = state.model_copy(update={"evidence": {ident: state.evidence[ident] for ident in ids[:cut]}, "round": 1})
    more = state.model_copy(update={"round": 2})
    first, second = rendered(less), rendered(more)
    assert first[: first.index("<round>")] == second[: second.index("<round>")]


def test_objections_name_what_the_model_knows(world: World) -> None:
    state = world.only("volume", "liver")
    (row,) = [row for row in build_table(state).rows if row.role == "answer"]
    objections = [
        Objection(gate="grounding", claim="answer-1", evidence=row.one.id, expected="its value is not right"),
        Objection(gate="coverage", claim=None, expected="each question needs one answer"),
        Objection(gate="grounding", claim="answer-9", evidence="volume.nothing.0", expected="x"),
        Objection(gate="overclaim", claim="pathology", expected="y"),
    ]
    told = documents(rendered(state.model_copy(update={"objections": objections, "round": 2})))["round"]
    assert told["round"] == 2
    assert [one["claim"] for one in told["objections"]] == ["answer 1", "", "", "pathology"]
    assert [one["evidence"] for one in told["objections"]] == [row.alias, "", "", ""]
    assert told["objections"][0]["why"] == "its value is not right"
    assert [one.get("expected") for one in told["objections"]] == [row.restated(), None, None, None]


@pytest.mark.parametrize(("options", "letter"), [((), None), (("1 cm³", "{} cm³"), "B"), (("1 cm³", "2 cm³"), "none")])
def test_an_objection_to_an_answer_says_what_was_expected(
    options: tuple[str, ...], letter: str | None, world: World
) -> None:
    state = world.only("volume", "liver")
    (row,) = [row for row in build_table(state).rows if row.role == "answer"]
    options = tuple(one.format(row.value) for one in options)
    request = state.request.model_copy(update={"options": options})
    objection = Objection(gate="grounding", claim="answer-1", evidence=row.one.id, expected="its option is not right")
    state = state.model_copy(update={"request": request, "objections": [objection], "round": 2})
    (told,) = documents(rendered(state))["round"]["objections"]
    assert told["expected"].get("option") == letter
    assert {key: told["expected"][key] for key in row.restated()} == row.restated()


def test_prompts_fit_a_small_context(everything: RunState) -> None:
    # Tables of numbers take up to one token for two characters.
    assert len(rendered(everything)) + len(load("conclude.system").render()) < 2 * (4096 - 700)
