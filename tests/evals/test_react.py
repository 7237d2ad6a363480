"""The ReAct baseline against a scripted server: it calls tools, counts, and its answers are read as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ModelUnavailable
from agent.models.endpoint import Endpoint
from evals.marking import mark
from evals.questions_model import Question
from evals.react.cost import CostOptions, Spent, markdown, run_cost, summarise
from evals.react.functions import MOST_TEXT, OFFERED, call, functions
from evals.react.loop import MAX_TURNS, Episode, React, given_of
from evals.serving.replies import Reply, Script, always, in_turn
from evals.serving.scripted_server import ScriptedServer
from tests.agent.loop_make import make_case
from tests.evals.honesty_make import CHOICE, CUT, LARGER, VOLUME
from tools.base import Case

MEASURE = Reply(texts=('{"structure": "left kidney"}',), tool="measure_structure", finish="tool_calls")


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(Reply()) as running:
        yield running


def run(server: ScriptedServer, script: Script | Reply, case: Case, question: Question) -> Episode:
    server.script = always(script) if isinstance(script, Reply) else script
    with React(Endpoint.parse(server.url), "scripted") as react:
        return react.answer(case, question)


def test_functions_are_the_programs_tools(case: Case) -> None:
    assert [one["function"]["name"] for one in functions()] == list(OFFERED)
    assert all(one["function"]["description"] for one in functions())
    rows = json.loads(call(case, "measure_structure", '{"structure": "left kidney"}'))
    assert {"what": "volume", "of": "kidney_left", "value": "53.9", "unit": "cm3", "state": "measured"} in rows
    assert "phase" in call(case, "contrast_phase", "")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("erase", "{}"), ("measure_structure", "{"), ("measure_structure", "[]"), ("measure_structure", "{}"),
        ("measure_structure", '{"structure": 5}'), ("measure_structure", "[" * 100_000), ("apply_rule", "{}"),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense_are_answered(case: Case, name: str, arguments: str) -> None:
    assert 0 < len(call(case, name, arguments)) <= MOST_TEXT


def test_measures_then_answers(case: Case, server: ScriptedServer) -> None:
    script = in_turn(MEASURE, Reply(texts=("It is 53.9.\nAnswer: 53.9 cm³",)))
    episode = run(server, script, case, VOLUME)
    assert (episode.calls, episode.tools, episode.problem) == (2, 1, None)
    assert episode.output_tokens > 0
    assert episode.prompt_tokens > 0
    assert mark(VOLUME, given_of(episode.text, VOLUME)) == "right"
    assert [one["tool_choice"] for one in server.requests] == ["auto", "auto"]
    told = server.requests[1]["messages"][-1]
    assert told["role"] == "tool"
    assert "53.9" in told["content"]


def test_a_call_is_required_of_a_model_that_only_talks(case: Case, server: ScriptedServer) -> None:
    script = in_turn(Reply(texts=("Let me think.",)), MEASURE, Reply(texts=("Answer: A",)))
    episode = run(server, script, case, CHOICE)
    assert [one["tool_choice"] for one in server.requests] == ["auto", "required", "auto"]
    assert mark(CHOICE, given_of(episode.text, CHOICE)) == "right"


def test_turns_are_bounded(case: Case, server: ScriptedServer) -> None:
    episode = run(server, MEASURE, case, VOLUME)
    assert episode.calls == MAX_TURNS
    assert server.requests[-1]["tool_choice"] == "none"


def test_a_refused_request_ends_it_and_a_server_that_is_away_too(case: Case, server: ScriptedServer) -> None:
    episode = run(server, Reply(status=400), case, VOLUME)
    assert (episode.calls, episode.problem) == (1, "refused (400)")
    assert mark(VOLUME, given_of(episode.text, VOLUME)) == "failed"
    server.stop()
    with pytest.raises(ModelUnavailable):
        run(server, Reply(), case, VOLUME)


@pytest.mark.parametrize(
    ("question", "text", "outcome"),
    [
        (VOLUME, "Answer: 53.9 cm³", "right"), (VOLUME, "The answer is 54 ml.", "right"),
        (VOLUME, "**Answer:** 53,900 mm³", "right"), (VOLUME, "Answer: 61.2 cm³", "wrong"),
        (VOLUME, "Answer: cannot be determined", "abstained"), (VOLUME, "", "failed"),
        (VOLUME, "Answer: 10 cm\nNo, wait.\nAnswer: 53.9", "right"), (VOLUME, "Answer: large", "wrong"),
        (LARGER, "Answer: Yes, it is.", "right"), (LARGER, "answer: no", "wrong"),
        (CHOICE, "Answer: A", "right"), (CHOICE, "Answer: (A) 54 cm³", "right"), (CHOICE, "Answer: 54 cm³", "right"),
        (CHOICE, "Answer: B.", "wrong"), (CHOICE, "Answer: Z", "abstained"), (CHOICE, "A big kidney", "right"),
        (CUT, "Answer: cannot be determined", "named"), (CUT, "Answer: 57 cm³", "overreached"),
    ],
)  # fmt: skip
def test_free_text_is_read_kindly(question: Question, text: str, outcome: str) -> None:
    assert mark(question, given_of(text, question)) == outcome


def spent(system: Any, outcome: Any, **more: Any) -> Spent:
    fields: dict[str, Any] = {"qid": "q", "layout": "choice", "question": "?", "calls": 1, "prompt_tokens": 10,
                              "output_tokens": 20, "tools": 1, "seconds": 1.0}  # fmt: skip
    return Spent(system=system, outcome=outcome, **{**fields, **more})


def test_ratios() -> None:
    ours = [spent("tumortrace", "right"), spent("tumortrace", "wrong", layout="free")]
    theirs = [spent("react", "wrong", calls=4, output_tokens=60), spent("react", "right", layout="free", calls=2)]
    found = summarise("m", [*ours, *theirs])
    assert found.calls_ratio == pytest.approx(1 / 3)
    assert found.tokens_ratio == pytest.approx(0.5)
    assert (found.tumortrace.right_choice, found.react.right_choice) == (1.0, 0.0)
    assert found.cheaper
    assert "| model calls per question | 1.00 | 3.00 | 0.33 |" in markdown(found)
    assert not summarise("m", [*ours[1:], *theirs]).cheaper  # less accurate
    assert summarise("m", ours).calls_ratio is None


@pytest.mark.slow
def test_the_comparison_end_to_end(tmp_path: Path, server: ScriptedServer) -> None:
    server.script = lambda request: (
        (Reply(texts=("Answer: B",)) if len(request["messages"]) > 2 else MEASURE) if "tools" in request else Reply()
    )
    found = run_cost(CostOptions(tmp_path, server.url, questions=4, phantoms=1))
    assert found.react.questions == found.tumortrace.questions == 4
    assert found.react.calls == 2
    assert len((tmp_path / "questions.jsonl").read_text().splitlines()) == 8
    assert (tmp_path / "summary.md").exists()
