"""An unclear question is answered by asking which is meant, and each of its choices gets an answer."""

from __future__ import annotations

from pathlib import Path

from agent.engine import Engine
from agent.models.embedded import EmbeddedReasoner
from agent.query import NotUnderstood, Query
from agent.report_model import Answer
from tests.agent.loop_make import make_case, run, settings_in
from tools.types import State

CASE = make_case()


def answer(words: str, folder: Path, previous: tuple[Query, ...] = ()) -> tuple[Answer, list[Query | NotUnderstood]]:
    engine = Engine(settings_in(folder), EmbeddedReasoner())
    report, state = engine.ask(CASE, words, previous=previous, spoken=bool(previous))
    assert report.answer is not None
    assert len(report.answers) == 1
    assert report.answers[0].choices == report.answer.choices
    return report.answer, state.queries


def test_which_lesion_is_meant_is_asked_back_and_each_choice_is_answered(tmp_path: Path) -> None:
    found, _ = answer("How large is the lesion?", tmp_path)
    assert found.state is State.NOT_ASSESSED
    assert found.choices == ["How large is the kidney cyst?", "How large is the liver lesion?"]
    assert "Which do you mean: How large is the kidney cyst? How large is the liver lesion?" in found.text
    told = [answer(choice, tmp_path)[0] for choice in found.choices]
    assert all(one.state is State.MEASURED and not one.choices for one in told)
    assert told[0].value != told[1].value


def test_which_of_two_is_meant_is_asked_back_in_a_conversation(tmp_path: Path) -> None:
    _, before = answer("What is the volume of the liver?", tmp_path)
    asked = tuple(one for one in before if isinstance(one, Query))
    clear, _ = answer("Is it enlarged?", tmp_path, asked)
    assert not clear.choices
    both = (*asked, asked[0].model_copy(update={"structures": ("spleen",)}))
    found, _ = answer("Is it enlarged?", tmp_path, both)
    assert found.choices == ["Is the liver enlarged?", "Is the spleen enlarged?"]


def test_several_questions_together_keep_their_choices_and_tell_no_number_that_was_not_found(tmp_path: Path) -> None:
    offered = ("Is it above 3 cm?", "Is the liver enlarged?")
    unclear = NotUnderstood(text="it?", reason="It is unclear.", choices=offered)
    lost = NotUnderstood(text="that?", reason="I don't know that.", nearest=("What is the volume of the liver?",))
    report = run(CASE, [unclear, lost], tmp_path).report
    assert report.answer is not None
    assert report.answer.choices == list(offered)
    assert "Which do you mean: Is the liver enlarged?" in report.answer.text
    assert "3" not in report.answer.text
    assert "for example: What is the volume of the liver?" in report.answers[1].text
