"""What may be meant in several ways is asked back, with a complete question for each way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.interpret import interpret
from agent.query import NotUnderstood, Query
from tests.agent.interpret.tables import AVAILABLE, heading, refused, understood

SCAN = (
    "aorta", "liver", "spleen", "kidney_left", "kidney_right", "pancreas", "colon_cancer", "liver_metastasis",
    "liver_cyst", "kidney_cyst_left", "kidney_cyst_right",
)  # fmt: skip


def say(text: str, *, after: Sequence[str] = (), available: Sequence[str] = SCAN) -> list[Query | NotUnderstood]:
    previous: list[Query] = []
    for one in after:
        previous = [
            entry for entry in interpret(one, previous=previous, available=available) if isinstance(entry, Query)
        ]
        assert previous, one
    return interpret(text, previous=previous, available=available)


def read(text: str, available: Sequence[str] = SCAN) -> list[tuple[str, tuple[str, ...]]]:
    found = interpret(text, available=available)
    assert all(isinstance(one, Query) for one in found), (text, [heading(one) for one in found])
    return [(one.kind, one.structures) for one in found if isinstance(one, Query)]


def choices(text: str, *, after: Sequence[str] = (), available: Sequence[str] = SCAN) -> list[str]:
    (entry,) = say(text, after=after, available=available)
    assert isinstance(entry, NotUnderstood), heading(entry)
    assert entry.reason.endswith(".")
    return list(entry.choices)


# What was asked before, the question, and the reading of each choice.
UNCLEAR: list[tuple[tuple[str, ...], str, list[tuple[str, tuple[str, ...]]]]] = [
    ((), "How large is the lesion?", [
        ("lesion_diameter", ("colon_cancer",)), ("lesion_diameter", ("kidney_cyst",)),
        ("lesion_diameter", ("liver_cyst",)), ("lesion_diameter", ("liver_metastasis",)),
    ]),
    ((), "How big is the cyst?", [("lesion_diameter", ("kidney_cyst",)), ("lesion_diameter", ("liver_cyst",))]),
    ((), "the cyst", [("lesion_exists", ("kidney_cyst",)), ("lesion_exists", ("liver_cyst",))]),
    ((), "Where is the cyst?", [("lesion_location", ("kidney_cyst",)), ("lesion_location", ("liver_cyst",))]),
    ((), "Is the tumour larger than 2 cm?", [
        ("lesion_diameter_threshold", ("colon_cancer",)), ("lesion_diameter_threshold", ("liver_metastasis",)),
    ]),
    ((), "Is it enlarged?", [
        ("enlarged", ("liver",)), ("enlarged", ("spleen",)), ("enlarged", ("pancreas",)), ("enlarged", ("kidney",)),
    ]),
    ((), "How big is the left one?", [("lesion_diameter", ("kidney_cyst_left",)), ("volume", ("kidney_left",))]),
    ((), "Is the other kidney enlarged?", [("enlarged", ("kidney_left",)), ("enlarged", ("kidney_right",))]),
    ((), "Is it resectable?", [("resectability", ("colon_cancer",)), ("resectability", ("liver_metastasis",))]),
    (("volumes of liver and spleen",), "is it enlarged?", [("enlarged", ("liver",)), ("enlarged", ("spleen",))]),
    (("volumes of liver and spleen",), "and its HU?", [("hu_mean", ("liver",)), ("hu_mean", ("spleen",))]),
    (("volumes of liver, spleen and pancreas",), "how big is it?", [
        ("volume", ("liver",)), ("volume", ("spleen",)), ("volume", ("pancreas",)),
    ]),
    (("Is the liver larger than the spleen?",), "is it enlarged?", [
        ("enlarged", ("liver",)), ("enlarged", ("spleen",)),
    ]),
    (("volume of both kidneys",), "and the other one?", [("volume", ("kidney_left",)), ("volume", ("kidney_right",))]),
    (("volumes of the liver, spleen and left kidney",), "and the other one?", [
        ("volume", ("liver",)), ("volume", ("spleen",)), ("volume", ("kidney_right",)),
    ]),
    ((), "Is the tumour denser than the cyst?", [
        ("hu_compare", (tumour, cyst)) for tumour in ("colon_cancer", "liver_metastasis")
        for cyst in ("kidney_cyst", "liver_cyst")
    ]),
    (("volumes of liver and spleen",), "is it larger than the cyst?", [
        ("volume_compare", (organ, cyst)) for organ in ("liver", "spleen") for cyst in ("kidney_cyst", "liver_cyst")
    ]),
    (("Are there any liver cysts?",), "how big is the cyst?", [
        ("lesion_diameter", ("liver_cyst",)), ("lesion_diameter", ("kidney_cyst",)),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "text", "readings"), UNCLEAR, ids=[f"{b}{t}" for b, t, _ in UNCLEAR])
def test_an_unclear_question_is_asked_back_with_every_reading(
    before: tuple[str, ...], text: str, readings: list[tuple[str, tuple[str, ...]]]
) -> None:
    offered = choices(text, after=before)
    assert [one for said in offered for one in read(said)] == readings
    assert all(said[0].isupper() and said.endswith("?") for said in offered)


def test_choices_keep_what_else_was_said() -> None:
    offered = choices("Is the tumour larger than 2 cm?")
    for said in offered:
        (query,) = interpret(said, available=SCAN)
        assert isinstance(query, Query)
        assert (query.comparator, query.threshold, query.threshold_unit) == ("gt", 2, "cm")
    assert choices("what about its volume in ml?", after=["volumes of liver and spleen"]) == [
        "What is the volume in ml of the liver?", "What is the volume in ml of the spleen?",
    ]  # fmt: skip
    for said in choices("What is its volume in ml?", after=["volumes of liver and spleen"]):
        (query,) = interpret(said, available=SCAN)
        assert isinstance(query, Query)
        assert query.unit == "ml"


@pytest.mark.parametrize(
    ("text", "kind", "structures"),
    [
        ("How big is the kidney?", "volume", ("kidney",)),
        ("How big is the largest lesion?", "lesion_diameter", ("lesion",)),
        ("How many lesions are there?", "lesion_count", ("lesion",)),
        ("How big are the cysts?", "lesion_list", ("cyst",)),
        ("Are there any cysts?", "lesion_exists", ("cyst",)),
        ("How big is the metastasis?", "lesion_diameter", ("metastasis",)),
        ("How big is the liver lesion?", "lesion_diameter", ("liver_lesion",)),
        ("lesion size", "lesion_diameter", ("lesion",)),
    ],
)
def test_what_speaks_of_all_or_of_one_class_is_answered_as_before(
    text: str, kind: str, structures: tuple[str, ...]
) -> None:
    assert read(text) == [(kind, structures)]


def test_one_class_or_a_class_of_that_name_leaves_nothing_open() -> None:
    for scan in (("liver", "liver_metastasis"), ("tumor", "liver_tumor", "colon_cancer"), ("liver",), ()):
        assert read("How big is the tumor?", scan) == [("lesion_diameter", ("tumor",))]
    assert read("How big is the cyst?", ("kidney_cyst_left", "kidney_cyst_right")) == [("lesion_diameter", ("cyst",))]
    # A class and a more special one of it in the same organ are one.
    assert read("How big is the tumor?", ("liver_tumor", "liver_metastasis")) == [("lesion_diameter", ("tumor",))]


def test_options_tell_what_is_meant() -> None:
    (entry,) = interpret("How large is the lesion?", available=SCAN, options=["1 cm", "2 cm"])
    assert isinstance(entry, Query)


@pytest.mark.parametrize(
    ("before", "text", "structure"),
    [
        ("What is the volume of the left kidney?", "and the other one?", "kidney_right"),
        ("What is the volume of the left kidney?", "and the other side?", "kidney_right"),
        ("What is the volume of the left kidney?", "what about the contralateral kidney?", "kidney_right"),
        ("Is the right kidney enlarged?", "Is the other kidney enlarged?", "kidney_left"),
        ("How big is the left kidney cyst?", "and the other one?", "kidney_cyst_right"),
    ],
)
def test_the_other_side_of_one_that_was_asked_about_is_clear(before: str, text: str, structure: str) -> None:
    (asked,) = say(before)
    (found,) = say(text, after=[before])
    assert isinstance(asked, Query)
    assert isinstance(found, Query)
    assert (found.kind, found.structures, found.text) == (asked.kind, (structure,), text)
    (back,) = interpret("and the other one?", previous=[asked, found])
    assert isinstance(back, Query)
    assert back.structures == asked.structures


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (("liver volume",), "and the other one?"), ((), "and the other one?"), ((), "liver"), ((), "left"),
        ((), "Which organ has the tumour?"), (("volumes of liver and spleen",), "is it malignant?"),
        (("Which kidney is larger?",), "and the other one?"), ((), "Is neither of them enlarged?"),
    ],
)  # fmt: skip
def test_nothing_is_offered_where_no_question_would_be_understood(before: tuple[str, ...], text: str) -> None:
    assert choices(text, after=before) == []


def test_a_scan_without_labels_has_nothing_to_choose_from() -> None:
    assert choices("Is it enlarged?", available=()) == []
    assert choices("Is it enlarged?", after=["volumes of liver and spleen"], available=()) == [
        "Is the liver enlarged?", "Is the spleen enlarged?",
    ]  # fmt: skip


def test_no_more_than_six_are_offered() -> None:
    assert len(choices("How big is it?")) == 6
    offered = choices(
        "How big is it?", after=["volumes of liver, spleen, pancreas, stomach, duodenum, aorta and colon"]
    )
    assert len(offered) == 6


@pytest.mark.slow
def test_only_the_lesion_without_an_organ_is_read_otherwise_than_without_labels() -> None:
    for text, heads in understood():
        found = interpret(text, available=(*AVAILABLE, *SCAN))
        if tuple(map(heading, found)) == heads:
            continue
        for entry in found:
            assert isinstance(entry, NotUnderstood), text
            assert "may stand for" in entry.reason
            assert len(entry.choices) > 1
            for said in entry.choices:
                assert read(said, (*AVAILABLE, *SCAN))


@pytest.mark.slow
@given(text=st.sampled_from(refused()), after=st.sampled_from([(), ("volumes of liver and spleen",)]))
@settings(max_examples=150)
def test_every_choice_is_a_question_that_can_be_answered(text: str, after: tuple[str, ...]) -> None:
    entries = say(text, after=after)
    assert entries
    for entry in entries:
        for said in entry.choices if isinstance(entry, NotUnderstood) else ():
            assert read(said)
