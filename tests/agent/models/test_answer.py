from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.answer import MAX_REASONING, Choice, read_answer

SCHEMA = {
    "type": "object",
    "properties": {"v": {"type": ["number", "string"]}},
    "required": ["v"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"v": 1}', 1),
        ('  {"v": 1}\n\n', 1),
        ('```json\n{"v": 1}\n```', 1),
        ('```\n{"v": 1}\n```', 1),
        ('<think>I see {"v": 2}</think>\n{"v": 1}', 1),
        ('thinking without a beginning</think>{"v": 1}', 1),
        ('{"v": "<think>no</think>"}', "<think>no</think>"),
        ('{"v": "</think>"}', "</think>"),
    ],
)
def test_what_can_be_read(text: str, value: object) -> None:
    made = read_answer(Choice(text), SCHEMA, 1000)
    assert made.data == {"v": value}
    assert made.problem is None


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        (Choice('{"v": 1'), "malformed"),
        (Choice('{"v": 1} and more'), "malformed"),
        (Choice('Here it is: {"v": 1}'), "malformed"),
        (Choice("The liver is fine."), "malformed"),
        (Choice('{"v": 1, "v": 2}'), "malformed"),
        (Choice('{"v": NaN}'), "malformed"),
        (Choice('{"v": -Infinity}'), "malformed"),
        (Choice('{"v": 1e999}'), "malformed"),
        (Choice('{"v": ' + "9" * 5000 + "}"), "malformed"),
        (Choice('{"v": ' + "9" * 30 + "}"), "malformed"),
        (Choice('{"v": "\\ud800"}'), "malformed"),
        (Choice("[" * 5000), "malformed"),
        (Choice("[1]"), "schema"),
        (Choice("null"), "schema"),
        (Choice('{"v": true}'), "schema"),
        (Choice('{"v": 1, "w": 2}'), "schema"),
        (Choice("{}"), "schema"),
        (Choice(""), "empty"),
        (Choice(" \n\t"), "empty"),
        (Choice("<think>only thoughts</think>"), "empty"),
        (Choice("<think>only thoughts"), "empty"),
        (Choice('{"v": 1}', "length"), "length"),
        (Choice('{"v": 1}', "cut"), "length"),
        (Choice('{"v": 1}' + " " * 6000), "length"),
        (Choice('{"v": 1}', "content_filter"), "refusal"),
        (Choice("", refusal="No."), "refusal"),
        (Choice('{"v": 1}', refusal="No."), "refusal"),
    ],
)
def test_what_cannot(choice: Choice, problem: str) -> None:
    made = read_answer(choice, SCHEMA, 5500)
    assert (made.data, made.problem) == (None, problem)


def test_what_was_thought_is_kept_apart_and_short() -> None:
    made = read_answer(Choice('<think>\nfirst\x1b[31m</think>{"v": 1}', reasoning="x" * 5000), SCHEMA, 1000)
    assert len(made.reasoning) == MAX_REASONING
    assert made.data == {"v": 1}
    said = read_answer(Choice('<think>\nfirst\x1b[31m\ud800</think>{"v": 1}'), SCHEMA, 1000).reasoning
    assert said == "first�[31m�"
    said.encode()


@pytest.mark.slow
@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats(), st.lists).map(json.dumps))
def test_any_text_is_data_of_the_form_or_a_problem(text: str) -> None:
    made = read_answer(Choice(text), SCHEMA, 100)
    assert (made.data is None) == (made.problem is not None)
    if made.data is not None:
        assert set(made.data) == {"v"}
