"""What people type into a chat box: single lesions by number, whole organs, follow-ups, and what stays unanswered."""

from __future__ import annotations

import pytest

from agent.interpret import interpret
from agent.interpret.everyday import rewordings
from agent.interpret.scan_words import tokenise
from agent.query import NotUnderstood, Query
from tests.agent.interpret.tables import heading, lines

SCAN = (
    "liver", "spleen", "pancreas", "kidney_left", "kidney_right", "gallbladder", "stomach", "aorta", "colon",
    "duodenum", "adrenal_gland_left", "adrenal_gland_right", "portal_vein_and_splenic_vein",
    "superior_mesenteric_artery", "inferior_vena_cava", "lung_left", "lung_right", "heart", "urinary_bladder",
    "esophagus", "liver_metastasis", "kidney_cyst_right", "colon_cancer", "pancreas_tumor",
)  # fmt: skip


def last(turns: str, available: tuple[str, ...] = SCAN) -> list[Query | NotUnderstood]:
    """How the last turn of a dialogue is read."""
    previous: list[Query] = []
    found: list[Query | NotUnderstood] = []
    for said in turns.split("|"):
        found = interpret(said.strip(), previous=previous, available=available)
        previous += [one for one in found if isinstance(one, Query)]
    return found


@pytest.mark.parametrize("row", lines("dialogues_everyday.txt"))
def test_the_last_turn_is_read_as_the_table_says(row: str) -> None:
    turns, _, expected = row.partition(" => ")
    read = [heading(one) if isinstance(one, Query) else "?" for one in last(turns)]
    assert read == expected.split(" ;; ")


@pytest.mark.parametrize(
    "text", ["how big is lesion 2", "lesion #2", "where is the second lesion?", "where's lesion two"]
)
def test_a_number_of_no_class_is_asked_back_with_a_question_for_each(text: str) -> None:
    (entry,) = last(text)
    assert isinstance(entry, NotUnderstood)
    assert len(entry.choices) == 4
    for said in entry.choices:
        (read,) = last(said)
        assert isinstance(read, Query) and read.structures[0].endswith("#2")


def test_a_number_of_no_class_is_that_of_the_only_one() -> None:
    assert [heading(one) for one in last("how big is lesion 2", ("liver", "liver_metastasis"))] == [
        "numbered_size liver_metastasis#2"
    ]


@pytest.mark.parametrize(
    "turns",
    [
        "is it cancer", "is this cancer?", "could it be malignant", "how big is the pancreatic tumor | is it cancer?",
        "how big is liver metastasis 2 | is it malignant", "is the liver lesion benign or malignant",
        "whats the biggest lesion in the liver | is that cancer",
    ],
)  # fmt: skip
def test_whether_something_is_malignant_is_never_answered(turns: str) -> None:
    (entry,) = last(turns)
    assert isinstance(entry, NotUnderstood)
    assert entry.reason == (
        "Whether something is malignant cannot be told from what is measured here, and is not guessed."
    )


def test_the_words_of_a_reworded_question_are_the_users() -> None:
    (entry,) = last("Hows the liver look?")
    assert isinstance(entry, Query) and entry.text == "Hows the liver look?"


def test_rewordings_keep_to_the_places_of_the_words() -> None:
    text = "ok so how's teh liver doing then"
    for one in rewordings(tokenise(text)):
        assert all(0 <= token.start < token.end <= len(text) for token in one.tokens)


def test_endless_words_are_reworded_in_bounded_time() -> None:
    assert len(list(rewordings(tokenise("so " * 400 + "how is the liver doing then " * 20)))) < 200
