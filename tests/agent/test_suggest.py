"""Suggested questions: understood, answerable, new, and without numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.interpret import interpret
from agent.query import Query, load_kinds
from agent.suggest import load_table, suggestions
from tests.evidence_make import measured
from tools.ontology import load_ontology
from tools.types import Evidence

ABDOMEN = (
    "liver", "spleen", "pancreas", "kidney_left", "kidney_right", "aorta", "superior_mesenteric_artery",
    "liver_metastasis", "kidney_cyst_right", "colon_cancer", "colon",
)  # fmt: skip
PANCREAS = ("liver", "pancreas", "spleen", "superior_mesenteric_artery", "pancreas_tumor", "pancreas_cyst")
CHEST = ("lung_left", "lung_right", "heart", "lung_nodule_left", "liver")
SCANS = {"abdomen": ABDOMEN, "pancreas": PANCREAS, "chest": CHEST}


def queries(text: str, scan: Sequence[str], before: Sequence[Query] = ()) -> list[Query]:
    found = interpret(text, available=scan, previous=before)
    assert found
    assert all(isinstance(one, Query) for one in found), text
    return [one for one in found if isinstance(one, Query)]


def after(*texts: str, scan: Sequence[str] = ABDOMEN, told: Sequence[Evidence] = (), **more: Any) -> list[str]:
    asked: list[Query] = []
    for text in texts:
        asked += queries(text, scan, asked)
    return suggestions(scan, asked, {one.id: one for one in told}, **more)


def test_a_scan_that_was_just_opened_is_asked_about_its_lesions() -> None:
    opened = after(limit=6)
    assert opened[0] == "What should I look at first?"
    assert "What is the stage of the colon cancer?" in opened
    assert any("liver metastas" in said or "colon cancer" in said for said in opened[1:3])
    assert after(scan=("liver",)) == [
        "What should I look at first?", "Is the liver enlarged?", "What is the volume of the liver?",
        "Which structures are labelled?",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "follows"),
    [
        (["What is the volume of the liver?"], "Is the liver enlarged?"),
        (["What is the volume of the liver?", "Is the liver enlarged?"], "What is the mean HU of the liver?"),
        (["mean HU of the liver?"], "Does the patient have a fatty liver?"),
        (["What is the volume of the left kidney?"], "What is the volume of the right kidney?"),
        (["Is the liver enlarged?"], "How many liver metastases are there?"),
        (["How many liver metastases are there?"], "What is the diameter of the largest liver metastasis?"),
        (["How big is the liver metastasis?"], "Where is the largest liver metastasis?"),
        (["How big is the kidney cyst?"], "What is the Bosniak class of the kidney cyst?"),
        (["What is the stage of the colon cancer?"], "What is the T stage of the colon cancer?"),
        (["Is there measurable disease?"], "What is the RECIST sum of diameters?"),
    ],
)
def test_what_follows_from_the_last_question(texts: list[str], follows: str) -> None:
    assert follows in after(*texts, limit=5)


def test_rules_are_suggested_where_there_are_any() -> None:
    assert "Is the pancreas tumor resectable?" in after("How big is the pancreatic tumour?", scan=PANCREAS)
    assert "Should resection of the pancreas cyst be considered?" in after(
        "How big is the pancreas cyst?", scan=PANCREAS
    )
    every = after("How big is the liver metastasis?", limit=50)
    assert not any("resectable" in said or "stage of the liver" in said or "LI-RADS" in said for said in every)


@pytest.mark.slow
def test_nothing_is_suggested_again() -> None:
    assert "Is the liver enlarged?" in after("liver volume", limit=50)
    assert "Is the liver enlarged?" not in after("is the liver enlarged?", "liver volume", limit=50)
    # What was asked of both sides was asked of each.
    assert "What is the volume of the left kidney?" in after("volume of the right kidney", limit=50)
    assert "What is the volume of the left kidney?" not in after(
        "volume of the kidneys", "HU of the left kidney", limit=50
    )


@pytest.mark.slow
def test_evidence_says_what_can_be_answered() -> None:
    contrast = measured("contrast_enhanced", "scan", True, None)
    assert "Does the patient have a fatty liver?" not in after("liver HU?", told=[contrast], limit=50)
    grade = "How severe is the splenomegaly?"
    assert grade not in after("Is the spleen enlarged?", limit=50)
    assert grade in after("Is the spleen enlarged?", told=[measured("verdict", "spleen", True, None)])
    listed = "List the liver metastases."
    for number, there in ((1, False), (3, True)):
        told = [measured("lesion_count", "liver_metastasis", number, "1")]
        assert (listed in after("How many liver metastases are there?", told=told, limit=50)) is there
    gone = after(told=[measured("exists", "colon_cancer", False, None)], limit=50)
    assert not any("colon cancer" in said for said in gone)
    response = "What is the RECIST response compared with the prior scan?"
    assert response not in after("What is the RECIST sum of diameters?", limit=50)
    assert response in after("RECIST sum of diameters?", told=[measured("prior_target_sum", "scan", 30.0, "mm")])


def test_what_engines_could_look_for_may_be_asked_about() -> None:
    assert after(scan=("liver",), limit=50) == [
        said for said in after(scan=("liver",), limit=50) if "pancrea" not in said
    ]
    could = after(scan=("liver",), engines_see=("pancreas", "pancreas_tumor"), limit=50)
    assert "Is the pancreas enlarged?" in could
    assert "Are there any pancreas tumors?" in could
    seen = [measured("exists", "pancreas_tumor", True, None)]
    found = after(scan=("liver",), engines_see=("pancreas", "pancreas_tumor"), told=seen, limit=50)
    assert "How many pancreas tumors are there?" in found
    assert "Are there any pancreas tumors?" not in found


def test_kinds_are_varied_before_they_repeat() -> None:
    for scan in SCANS.values():
        opened = after(scan=scan)
        kinds = [queries(said, scan)[0].kind for said in opened]
        assert len(set(kinds)) == len(kinds) == 4


@pytest.mark.slow
@given(data=st.data(), scan=st.sampled_from(list(SCANS)), part=st.integers(1, 12), limit=st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_a_conversation_along_the_suggestions(data: st.DataObject, scan: str, part: int, limit: int) -> None:
    there = SCANS[scan][:part]
    asked: list[Query] = []
    known: set[tuple[str, tuple[str, ...]]] = set()
    for _ in range(4):
        offered = suggestions(there, asked, {}, limit)
        assert len(offered) == len(set(offered)) <= limit
        for said in offered:
            read = queries(said, there)
            assert said[0].isupper()
            assert said[-1] in "?."
            assert not any(letter.isdigit() for letter in said)
            assert not {(one.kind, one.structures) for one in read} <= known
            assert all(shown(ident, there) for one in read for ident in one.structures)
        if not offered:
            return
        chosen = queries(data.draw(st.sampled_from(offered)), there)
        asked += chosen
        known |= {(one.kind, one.structures) for one in chosen}


def shown(ident: str, there: Sequence[str]) -> bool:
    """Whether a structure or a side of it is in the scan, or a lesion of a more special type in the same organ."""
    one = load_ontology().get(ident)
    lesions = [other for other in map(load_ontology().get, there) if other.kind == one.kind == "lesion"]
    special = any(
        one.organ == other.organ and one.lesion_type in load_ontology().ancestors(str(other.lesion_type))
        for other in lesions
    )
    return ident in there or special or any(part in there for part in one.parts)


@pytest.mark.slow
def test_every_row_of_the_table_says_something_somewhere() -> None:
    ontology, kinds = load_ontology(), load_kinds()
    subjects = [
        "liver", "spleen", "pancreas", "kidney", "lung", "aorta", "liver_metastasis", "liver_lesion", "pancreas_tumor",
        "pancreas_cyst", "kidney_cyst", "kidney_tumor", "lung_nodule", "kidney_lesion", "colon_cancer",
    ]  # fmt: skip
    for row in load_table().row:
        assert set(row.after) <= set(kinds), row.ask
        assert all(kind in ontology.lesion_types for kind in (*row.types, *row.besides)), row.ask
        assert not any(letter.isdigit() for letter in row.ask)
        names = [(one.name, one.names) for one in map(ontology.get, subjects)]
        said = {row.ask.format(name=name, names=several) for name, several in names}
        assert any(all(isinstance(one, Query) for one in interpret(text)) for text in said), row.ask
    assert all(organ in ontology.structures for organ in load_table().organs)
