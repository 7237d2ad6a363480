"""What a model with a server takes is counted, bounded and told; what it objects to is heard and never shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.engine import Engine
from agent.errors import ModelUnavailable
from agent.model_calls import requests_of, usage_by_round
from agent.models.protocol import Heard, Images
from agent.models.scripted import Script
from agent.models.usage import Call, Ledger, Usage
from agent.pictures import MOST
from agent.query import Query
from agent.report_usage import usage_text
from agent.state import Claim, Conclusion, Objection, RunState
from agent.trace import verify
from agent.trace_schema import Event, Kind
from agent.trace_view import summary
from tests.agent.loop_make import Outcome, Says, ask, make_case, run, settings_in
from tools.base import Case

WORDS = "carcinosis 9876"
VOLUME = [ask("volume", "kidney_left")]
PNG = b"\x89PNG"


def truthful(state: RunState, truth: Conclusion) -> Conclusion:
    return truth


def wrong(state: RunState, truth: Conclusion) -> Conclusion:
    first: Claim = truth.claims[0].model_copy(update={"value": 9876.0 + state.round})
    return truth.model_copy(update={"claims": (first, *truth.claims[1:])})


class Served(Says):
    """A scripted model that says what each use of it took, like one behind a server."""

    def __init__(
        self, queries: Sequence[Query], script: Sequence[Script], *, objects: Sequence[Objection] = (),
        spent: Usage | None = None, **call: Any,
    ) -> None:  # fmt: skip
        super().__init__(queries, script)
        self.name = "served/1"
        self._objects = list(objects)
        self._given = call
        self.ledger = Ledger(spent)
        self.begun: list[Usage] = []
        self.pictures: list[bytes] = []

    def begin(self, spent: Usage, heard: Heard | None = None) -> Served:
        self.begun.append(spent)
        self.ledger = Ledger(spent)
        return self

    def calls(self) -> list[Call]:
        return self.ledger.take()

    def took(self, purpose: Any) -> None:
        fields = {"seconds": 0.25, "prompt_tokens": 100, "cached_tokens": 40, "output_tokens": 10, **self._given}
        self.ledger.add(Call(model=self.name, purpose=purpose, **fields))

    def conclude(self, state: RunState, images: Images = lambda: ()) -> Conclusion:
        self.took("conclude")
        self.pictures = list(images())
        return super().conclude(state, images)

    def critique(self, state: RunState) -> list[Objection]:
        self.took("critique")
        return self._objects


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def of_kind(made: Outcome, kind: Kind) -> list[Event]:
    return [event for event in made.events if event.kind == kind]


def test_every_request_is_recorded_and_summed(case: Case, tmp_path: Path) -> None:
    model = Served(VOLUME, [truthful], cost=0.5, problems=("length",), template="conclude@1#abc", samples=2)
    made = run(case, VOLUME, tmp_path, model=model)
    assert (made.report.status, made.report.rounds) == ("consistent", 2)
    usage = Usage(calls=4, prompt_tokens=400, cached_tokens=160, output_tokens=40, seconds=1.0, cost=2.0)
    assert made.state.usage == made.report.usage == usage
    rounds = usage_by_round(made.events)
    assert [rounds[number].calls for number in (1, 2)] == [2, 2]
    told = [{name: event.data[name] for name in ("round", "calls", "cost")} for event in of_kind(made, Kind.USAGE)]
    assert told == [{"round": 1, "calls": 2, "cost": 1.0}, {"round": 2, "calls": 2, "cost": 1.0}]
    first = next(event for event in of_kind(made, Kind.MODEL_CALL) if "attempts" in event.data)
    assert first.data["template"] == "conclude@1#abc"
    assert first.data["problems"] == ["length"]
    assert "reasoning_tokens" not in first.data
    assert "100 tokens read (40 from the cache) and 10 written" in summary(first)
    assert "not usable: length" in summary(first)
    assert "round 1 took 2 requests, 200 tokens read" in summary(of_kind(made, Kind.USAGE)[0])
    page = (made.folder.folder / "report.html").read_text()
    assert usage_text(usage) == "4 requests, 400 tokens read (40 % cached), 40 written, 1.0 s, cost 2"
    assert usage_text(usage) in page
    assert usage_text(usage) in (made.folder.folder / "report.md").read_text()
    assert verify(made.folder.trace).ok


def test_a_model_without_a_server_has_no_usage(case: Case, tmp_path: Path) -> None:
    made = run(case, VOLUME, tmp_path)
    assert made.report.usage is None
    assert made.report.open == []
    assert not of_kind(made, Kind.USAGE)
    assert not list(requests_of(made.events))
    assert all("requests" not in event.data for event in of_kind(made, Kind.MODEL_CALL))
    assert "Model:" not in (made.folder.folder / "report.md").read_text()


def test_samples_that_all_agree_need_no_second_round(case: Case, tmp_path: Path) -> None:
    def agreed(state: RunState, truth: Conclusion) -> Conclusion:
        return truth.model_copy(update={"samples": 3})

    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [agreed]))
    assert (made.report.status, made.report.rounds) == ("consistent", 1)


def test_answers_that_cannot_be_used_are_unresolved_with_the_reason(case: Case, tmp_path: Path) -> None:
    def refused(state: RunState, truth: Conclusion) -> Conclusion:
        return Conclusion(samples=0, agreement=0.0, problem="refusal")

    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [refused]))
    assert (made.report.status, made.report.rounds) == ("unresolved", 2)
    assert made.report.answer is not None
    assert made.report.answer.text == "This is unresolved: no answer passed the critic (the model refused to answer)."
    assert any("The model refused to answer." in one for one in made.report.open)
    assert "The model refused to answer." in (made.folder.folder / "report.html").read_text()


def test_a_models_objection_fails_the_round_and_its_words_are_not_shown(case: Case, tmp_path: Path) -> None:
    told = run(case, VOLUME, tmp_path)
    decisive = told.state.lookup(told.state.targets[0].decisive)
    assert decisive is not None
    objects = [
        Objection(gate=WORDS, claim="answer-1", evidence=decisive.id, expected=WORDS),
        Objection(gate="grounding", claim=WORDS, expected=WORDS),
        Objection(gate="grounding", claim="answer-1", evidence=WORDS, expected=WORDS),
        Objection(gate="grounding", claim=None, expected=WORDS),
    ]
    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [truthful], objects=objects))
    assert made.report.status == "unresolved"
    assert [(one.gate, one.claim, one.evidence) for one in made.state.objections] == [
        ("critique", "answer-1", decisive.id)
    ]
    # It passed every gate, so that it stands; the run says that it is not settled, and why.
    assert made.report.answer is not None
    assert told.report.answer is not None
    assert made.report.answer.value == told.report.answer.value
    assert any(one.startswith("The model objects that ") for one in made.report.open)
    shown = "".join((made.folder.folder / name).read_text() for name in ("report.json", "report.md"))
    assert WORDS not in shown
    assert {one.gate for one in made.report.verdicts if one.outcome == "fail"} == {"critique"}


def test_objections_to_nothing_that_was_claimed_fail_nothing(case: Case, tmp_path: Path) -> None:
    objects = [Objection(gate="critique", claim="answer-7", expected=WORDS)]
    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [truthful], objects=objects))
    assert made.report.status == "consistent"


def test_a_model_is_not_asked_for_objections_to_what_a_gate_refused(case: Case, tmp_path: Path) -> None:
    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [wrong]))
    assert made.report.status == "unresolved"
    assert {call.purpose for _, call in requests_of(made.events)} == {"conclude"}
    assert made.report.answer is not None
    assert made.report.answer.value is None
    objected = [one for one in made.state.objections if one.gate == "grounding"]
    assert [(one.claim, one.evidence in made.state.evidence) for one in objected] == [("answer-1", True)]


@pytest.mark.parametrize(("budget", "named"), [
    ({"max_model_tokens": 150}, "tokens"), ({"max_seconds": 1e-6}, "time"), ({"max_tool_calls": 1}, "tool calls"),
])  # fmt: skip
def test_a_spent_budget_begins_no_further_round_and_is_named(
    case: Case, tmp_path: Path, budget: dict[str, Any], named: str
) -> None:
    rounds = 2 if named == "tokens" else 1
    made = run(case, VOLUME, tmp_path, model=Served(VOLUME, [wrong]), max_rounds=5, **budget)
    assert (made.report.status, made.report.rounds) == ("unresolved", rounds)
    assert f"budget of {named} is spent" in str(made.state.stop_reason)
    assert any(f"budget of {named}" in one for one in made.report.open)


@pytest.mark.slow
def test_a_model_that_sees_gets_pictures_of_what_is_asked(case: Case, tmp_path: Path) -> None:
    for queries in (VOLUME, None):
        model = Served(VOLUME, [truthful])
        run(case, queries, tmp_path, model=model)
        assert 1 <= len(model.pictures) <= MOST
        assert all(one.startswith(PNG) for one in model.pictures)


class Away(Served):
    """Its server is gone in the second round."""

    away = True

    def conclude(self, state: RunState, images: Images = lambda: ()) -> Conclusion:
        if state.round > 1 and self.away:
            self.took("conclude")
            raise ModelUnavailable("The server is away; the run can be resumed.")
        return super().conclude(state, images)


@pytest.mark.slow
def test_a_run_whose_server_went_away_resumes_counts_on_and_reports_the_same(case: Case, tmp_path: Path) -> None:
    whole = run(case, VOLUME, tmp_path / "whole", model=_there())
    model = Away(VOLUME, [truthful])
    settings = settings_in(tmp_path)
    folders: list[Any] = []
    engine = Engine(settings, model, started=folders.append)
    with pytest.raises(ModelUnavailable):
        engine.ask(case, "A question in words?")
    end = [event for event in Outcome(whole.report, whole.state, folders[0]).events if event.kind == Kind.RUN_END]
    assert [event.data["reason"] for event in end] == ["the model's server did not answer"]
    model.away = False
    report, state = Engine(settings, model).ask(case, "A question in words?", resume=folders[0].id)
    made = Outcome(report, state, folders[0])
    assert [one.calls for one in model.begun] == [0, 2]
    assert report.status == "consistent"
    without = {"run_id", "trace", "usage"}
    assert report.model_dump(exclude=without) == whole.report.model_dump(exclude=without)
    # What the failed attempt took stands in the record of its round.
    assert usage_by_round(made.events)[2].calls == 3
    assert verify(made.folder.trace).ok


def test_what_a_killed_attempt_took_counts_against_the_budget(case: Case, tmp_path: Path) -> None:
    model = Away(VOLUME, [wrong])
    # The first round takes 110 tokens, the attempt at the second one 110 more, which no checkpoint knows.
    settings = settings_in(tmp_path).model_copy(update={"max_rounds": 5, "max_model_tokens": 330})
    folders: list[Any] = []
    with pytest.raises(ModelUnavailable):
        Engine(settings, model, started=folders.append).ask(case, "A question in words?")
    model.away = False
    report, state = Engine(settings, model).ask(case, "A question in words?", resume=folders[0].id)
    assert (report.status, report.rounds) == ("unresolved", 2)
    assert "budget of tokens is spent" in str(state.stop_reason)
    assert report.usage is not None
    assert report.usage.calls == 3


@pytest.mark.slow
def test_what_a_model_keeps_back_is_told_by_the_evidence(case: Case, tmp_path: Path) -> None:
    whole = run(case, None, tmp_path / "whole")

    def pleasant(state: RunState, truth: Conclusion) -> Conclusion:
        return truth.model_copy(update={"claims": tuple(one for one in truth.claims if "enlarged" in one.text)})

    made = run(case, None, tmp_path, model=Served([], [pleasant]))
    assert made.report.status == "unresolved"
    for name in ("findings", "impression"):
        told, known = ({one.text for one in getattr(report, name)} for report in (made.report, whole.report))
        assert told == known


def test_a_question_that_a_model_had_to_understand_says_how(case: Case, tmp_path: Path) -> None:
    (query,) = VOLUME
    words = "What is the volume of the left kidney?"
    read = [query.model_copy(update={"read_as": words})]
    made = run(case, read, tmp_path, model=Served(read, [truthful]))
    assert made.report.status == "consistent"
    assert made.report.answers[0].read_as == words
    assert any(words in one for one in made.report.limitations)


def _there() -> Away:
    model = Away(VOLUME, [truthful])
    model.away = False
    return model
