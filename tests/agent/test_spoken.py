from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.commands.chat import spoken
from agent.engine import Engine
from agent.errors import ModelUnavailable
from agent.model_calls import requests_of
from agent.models.client import Client
from agent.models.embedded import EmbeddedReasoner
from agent.models.endpoint import Endpoint
from agent.models.vllm import ServedModel
from agent.report_model import Report
from agent.settings import Settings
from agent.trace import read_events
from evals.honesty.wire import Truthful, responder
from evals.serving.scripted_server import ScriptedServer
from tests.agent.loop_make import make_case
from tools.base import Case

BOTH = "How large is the liver? How large is the spleen?"


class Says(EmbeddedReasoner):
    """Chooses what to say first."""

    def __init__(self, numbers: list[int] | None) -> None:
        self.numbers = numbers
        self.asked: list[Sequence[str]] = []

    def reply(self, sentences: Sequence[str], question: str) -> list[int]:
        self.asked.append(sentences)
        if self.numbers is None:
            raise ModelUnavailable("The model server is away.")
        return self.numbers


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case()


def talk(model: Says | ServedModel, case: Case, home: Path, words: str = BOTH, **more: object) -> Report:
    engine = Engine(Settings(home=home / "runs", cache=home / "cache"), model, **more)  # type: ignore[arg-type]
    return engine.ask(case, words, spoken=True)[0]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, 0], [1, 0]),
        ([1], [1, 0]),
        ([], [0, 1]),
        ([1, 1], [1, 0]),
        ([2], [0, 1]),
        ([-1], [0, 1]),
        (None, [0, 1]),
    ],
)
def test_a_model_says_what_comes_first_and_keeps_nothing_back(
    numbers: list[int] | None, said: list[int], case: Case, tmp_path: Path
) -> None:
    made = talk(Says(numbers), case, tmp_path)
    assert len(made.answers) == 2
    assert made.said == said


def test_one_answer_needs_no_order(case: Case, tmp_path: Path) -> None:
    model = Says([0])
    made = talk(model, case, tmp_path, "How large is the liver?")
    assert made.said == []
    assert model.asked == []


def test_a_question_outside_of_a_conversation_is_not_replied_to(case: Case, tmp_path: Path) -> None:
    model = Says([1, 0])
    made, _ = Engine(Settings(home=tmp_path / "runs", cache=tmp_path / "cache"), model).ask(case, BOTH)
    assert made.said == []
    assert model.asked == []


def test_a_reply_is_in_the_trace_and_in_what_the_run_took(case: Case, tmp_path: Path) -> None:
    written: list[int] = []
    with (
        ScriptedServer(responder(Truthful({}))) as server,
        Client(Endpoint(url=server.url, name="scripted", images="off")) as client,
    ):
        made = talk(ServedModel(client), case, tmp_path, heard=written.append)
    purposes = [call.purpose for _, call in requests_of(read_events(Path(made.trace)))]
    assert purposes[-1] == "reply"
    assert made.usage is not None
    assert made.usage.calls == len(purposes) >= 2
    # Its answers were streamed, so that there was a sign of life.
    assert written
    assert all(request["stream"] for request in server.requests)


def test_a_conversation_says_how_a_question_was_read(case: Case, tmp_path: Path) -> None:
    made = talk(Says([1, 0]), case, tmp_path)
    answers = [made.answers[0], made.answers[1].model_copy(update={"read_as": "What is the volume of the spleen?"})]
    said = list(spoken(made.model_copy(update={"answers": answers})))
    assert "What is the volume of the spleen?" in said[0]
    assert said[1:] == [answers[1].text, answers[0].text]
