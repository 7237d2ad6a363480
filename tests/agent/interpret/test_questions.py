from __future__ import annotations

from collections import Counter

import pytest

from agent.errors import UsageError
from agent.interpret import interpret
from agent.query import NotUnderstood, Query, load_kinds
from tests.agent.interpret.tables import AVAILABLE, heading, refused, understood


@pytest.mark.parametrize(("text", "heads"), understood(), ids=lambda value: str(value)[:60])
def test_a_question_is_read_as_the_table_says(text: str, heads: tuple[str, ...]) -> None:
    found = interpret(text, available=AVAILABLE)
    assert tuple(map(heading, found)) == heads


@pytest.mark.parametrize("text", refused())
def test_a_question_that_asks_something_else_is_refused_with_a_reason_and_questions_that_work(text: str) -> None:
    found = interpret(text)
    assert found and all(isinstance(entry, NotUnderstood) for entry in found), list(map(heading, found))
    for entry in found:
        assert isinstance(entry, NotUnderstood)
        assert entry.reason.endswith(".") and len(entry.nearest) <= 3
        for nearest in entry.nearest:
            assert all(isinstance(one, Query) for one in interpret(nearest)), nearest


def test_every_kind_is_asked_in_several_ways() -> None:
    asked = Counter(head.split()[0] for _, heads in understood() for head in heads)
    assert {kind for kind in load_kinds() if asked[kind] < 3} == set()
    assert set(asked) <= set(load_kinds())


@pytest.mark.parametrize("kind", list(load_kinds()))
def test_the_example_of_a_kind_asks_that_kind(kind: str) -> None:
    found = interpret(load_kinds()[kind].example)
    assert [entry.kind if isinstance(entry, Query) else entry.reason for entry in found] == [kind]


def test_unknown_words_are_named() -> None:
    (entry,) = interpret("What is the liver volume in the arterial phase?")
    assert isinstance(entry, NotUnderstood)
    assert '"arterial"' in entry.reason
    assert entry.text == "What is the liver volume in the arterial phase?"
    assert "What is the volume of the liver?" in entry.nearest


def test_a_likely_typing_error_is_pointed_out_but_not_corrected() -> None:
    (entry,) = interpret("liver volum")
    assert isinstance(entry, NotUnderstood)
    assert 'perhaps "volume" for "volum"' in entry.reason


def test_nearest_questions_speak_of_labelled_structures() -> None:
    (entry,) = interpret("how old?", available=["tumor"])
    assert isinstance(entry, NotUnderstood)
    assert any("tumor" in question for question in entry.nearest)


def test_queries_carry_the_words_of_their_own_question() -> None:
    found = interpret("Liver volume?  And is the spleen enlarged, please?")
    assert [entry.text for entry in found] == ["Liver volume?", "And is the spleen enlarged, please?"]


def test_a_question_that_fails_leaves_its_neighbours_alone() -> None:
    found = interpret("What is the liver volume and is it cirrhotic? Is the spleen enlarged?")
    assert [heading(one).split(":")[0] for one in found] == ["volume liver", "not understood", "enlarged spleen"]


@pytest.mark.parametrize(
    "text",
    [
        "Compared with the prior scan, is the liver enlarged and is the spleen enlarged?",
        "What is the liver volume and what is the spleen volume in the arterial phase?",
        "In the arterial phase, what is the liver volume and what is the spleen volume?",
        "liver volume and spleen volume in the arterial phase",
    ],
)
def test_words_that_may_qualify_a_whole_sentence_refuse_all_of_it(text: str) -> None:
    found = interpret(text)
    assert len(found) == 1 and isinstance(found[0], NotUnderstood)


@pytest.mark.parametrize("text", ["", "   ", "?!", "Hello!", "Thank you.", "please"])
def test_a_text_without_a_question_says_so(text: str) -> None:
    (entry,) = interpret(text)
    assert isinstance(entry, NotUnderstood) and "no question" in entry.reason


def test_a_text_may_be_long_but_not_endless() -> None:
    assert len(interpret("Liver volume? " * 12)) == 12
    with pytest.raises(UsageError, match="at most 12 questions"):
        interpret("Liver volume? " * 13)
    with pytest.raises(UsageError, match="at most 2000"):
        interpret("liver " * 400)


def test_names_that_only_the_user_knows_are_found_in_their_own_words() -> None:
    names = ["Region Of Interest 2", "volume", "the", "PTV"]
    assert heading(interpret("mean HU of region of interest 2", available=names)[0]) == ("hu_mean Region Of Interest 2")
    assert heading(interpret("PTV volume?", available=names)[0]) == "volume PTV"
    assert heading(interpret("volume of the liver", available=names)[0]) == "volume liver"
    assert isinstance(interpret("PTV volume?")[0], NotUnderstood)


def test_short_names_of_sides() -> None:
    assert heading(interpret("Volume of the Lt kidney in L?")[0]) == "volume kidney_left unit=l"
    assert isinstance(interpret("R liver volume")[0], NotUnderstood)
