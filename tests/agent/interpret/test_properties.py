from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.interpret import interpret
from agent.interpret.lexicon import load_lexicon
from agent.query import NotUnderstood, Query, load_kinds
from tests.agent.interpret.tables import AVAILABLE, heading, understood
from tools.ontology import load_ontology

SINGLE = [
    (text, heads) for text, heads in understood() if len(heads) == 1 and not any(mark in text[:-1] for mark in "?!.")
]
PREFIXES = [
    "please", "can you tell me", "hello,", "could you please check:", "I would like to know", "in this CT scan,",
    "tell me", "do you know", "",
]  # fmt: skip
SUFFIXES = ["please", "in this patient", "on this CT", "thanks", "here", "in the images", ""]
STRANGERS = [
    "zorbix", "arterial", "dysplastic", "cirrhotic", "transplanted", "cavernous", "calcified", "segmental", "probably",
    "adult", "histological", "yesterday", "therapy", "outside", "объём",
]  # fmt: skip
questions = st.sampled_from(SINGLE)


def plain_fragment(text: str) -> bool:
    """Whether a question can take words in front of it: it doesn't begin with a verb of its own."""
    first = text.split(maxsplit=1)[0].lower()
    return first in {"volume", "mean", "liver", "median", "splenic", "hepatic", "size", "density"}


@pytest.mark.slow
@given(questions, st.integers(0, 40), st.sampled_from(STRANGERS))
def test_a_word_that_nobody_knows_is_never_passed_over(
    row: tuple[str, tuple[str, ...]], place: int, stranger: str
) -> None:
    words = row[0].split()
    at = place % len(words)
    text = " ".join([*words[:at], stranger, *words[at:]])
    found = interpret(text, available=AVAILABLE)
    assert all(isinstance(one, NotUnderstood) for one in found), text


@given(st.sampled_from([row for row in SINGLE if plain_fragment(row[0])]), st.sampled_from(PREFIXES), st.data())
def test_politeness_changes_nothing(row: tuple[str, tuple[str, ...]], prefix: str, data: st.DataObject) -> None:
    text, heads = row
    suffix = data.draw(st.sampled_from(SUFFIXES))
    spoken = f"{prefix} {text.rstrip('?. ')} {suffix}".strip()
    number = load_kinds()[heads[0].split()[0]].answer.form == "number"
    if not number:
        return
    assert tuple(map(heading, interpret(spoken, available=AVAILABLE))) == heads, spoken


@given(questions, st.sampled_from([str.lower, str.upper, str.capitalize]), st.sampled_from(["", "?", " ?", "??", "."]))
def test_case_and_end_marks_change_nothing(row: tuple[str, tuple[str, ...]], case: object, mark: str) -> None:
    text, heads = row
    spoken = (case(text) if callable(case) else text).rstrip("?. ") + mark
    if "," in text and any(char.isdigit() for char in text):
        return
    assert tuple(map(heading, interpret(spoken, available=AVAILABLE))) == heads


@given(st.permutations(["liver", "volume", "ml", "in"]))
def test_order_of_a_telegram_may_leave_it_open_but_never_changes_it(order: list[str]) -> None:
    (entry,) = interpret(" ".join(order))
    assert isinstance(entry, NotUnderstood) or heading(entry) == "volume liver unit=ml"


@pytest.mark.slow
@given(st.permutations(["is", "the liver", "larger", "than", "the spleen"]))
def test_no_order_of_words_turns_a_comparison_into_another_question(order: list[str]) -> None:
    text = " ".join(order)
    turned = text.index("than") < text.index("the liver") and (
        text.index("the spleen") < text.index("than") or text.index("the liver") < text.index("the spleen")
    )
    wanted = "volume_compare spleen,liver cmp=gt" if turned else "volume_compare liver,spleen cmp=gt"
    for entry in interpret(text):
        assert isinstance(entry, NotUnderstood) or heading(entry) == wanted, text


def _vocabulary() -> list[str]:
    lexicon, ontology = load_lexicon(), load_ontology()
    phrases = [" ".join(phrase) for phrase in (*lexicon.groups_of, *lexicon.fillers_of, *lexicon.unit_of)]
    names = ["liver", "left kidney", "kidneys", "spleen", "liver lesions", "metastasis", "aorta", "T1", "ascites"]
    assert all(ontology.normalise(name) for name in names)
    return [*phrases, *names * 15, *["300", "2", "-5", "1.5"] * 8, "left", "right", "both", "nt", "isn't"]


VOCABULARY = _vocabulary()


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=12), questions)
def test_any_known_words_in_any_order_give_valid_queries_or_a_reason(
    parts: list[str], row: tuple[str, tuple[str, ...]]
) -> None:
    past = [one for one in interpret(row[0], available=AVAILABLE) if isinstance(one, Query)]
    for entry in interpret(" ".join(parts), previous=past):
        if isinstance(entry, NotUnderstood):
            assert entry.reason
        else:
            assert_valid(entry)


def assert_valid(query: Query) -> None:
    kind = load_kinds()[query.kind]
    need, ontology = kind.structures, load_ontology()
    directed = "$comparator" in json.dumps([step.args for step in kind.chain])
    assert need.min <= len(query.structures) <= need.max
    assert len(set(query.structures)) == len(query.structures)
    assert all(not need.kinds or ontology.get(one).kind in need.kinds for one in query.structures)
    assert not need.only or query.structures in need.only
    assert (query.threshold is not None) == (kind.number == "required")
    assert query.upper is None or (query.threshold is not None and query.threshold < query.upper)
    assert query.wanted is None or kind.answer.form in {"category", "name", "names"}
    assert (query.comparator is not None) == directed
    assert not query.negated or kind.answer.form == "boolean" or query.wanted is not None
    lexicon = load_lexicon()
    assert query.unit is None or lexicon.dimension(query.unit) == lexicon.dimension(kind.answer.unit)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_answered_with_queries_or_a_reason(text: str) -> None:
    for entry in interpret(text):
        if isinstance(entry, Query):
            assert_valid(entry)


@given(questions)
def test_the_same_text_is_always_read_the_same(row: tuple[str, tuple[str, ...]]) -> None:
    assert interpret(row[0], available=AVAILABLE) == interpret(row[0], available=AVAILABLE[::-1])


@pytest.mark.parametrize("joint", [" and ", ", ", " or ", " / "])
def test_many_joints_are_read_in_reasonable_work(joint: str) -> None:
    text = joint.join(["liver volume and", "spleen", "zorbix", "its HU"] * 30)
    assert all(isinstance(one, NotUnderstood) for one in interpret(text[:2000]))
