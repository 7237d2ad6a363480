"""Options of places, categories, stages and verdicts, and what options tell of the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.interpret import OptionChoice, choose_option, interpret, is_wanted
from agent.query import Query
from tests.agent.interpret.tables import heading
from tools.types import State

LIVER = Query(kind="lesion_location", structures=("liver_lesion",))
PANCREAS = Query(kind="lesion_location", structures=("pancreas_tumor",))
KIDNEY = Query(kind="lesion_location", structures=("kidney_lesion",))


def choose(options: Sequence[str], value: Any, **more: Any) -> OptionChoice:
    given_: dict[str, Any] = {"unit": None, "uncertainty": None, "state": State.MEASURED, "form": "category", **more}
    return choose_option(options, value=value, **given_)


def names(value: str, *structures: str, query: Query | None = None, **details: Any) -> dict[str, Any]:
    return {"form": "names", "query": query, "details": {"structures": list(structures), **details}, "value": value}


S4 = names("liver segment 4", "liver_segment_4", query=LIVER)
BODY = names("pancreatic body", "pancreas_body", query=PANCREAS)
PLACES: list[tuple[list[str], dict[str, Any], str | None]] = [
    (["Segment 2", "Segment 4", "Segment 8"], S4, "Segment 4"),
    (["Liver segment IV", "Liver segment VIII"], S4, "Liver segment IV"),
    (["Segment IV", "Segment VI"], S4, "Segment IV"),
    (["S4", "S8"], S4, "S4"),
    (["Couinaud segment 4", "Couinaud segment 5"], S4, "Couinaud segment 4"),
    (["Left lobe of the liver", "Right lobe of the liver"], S4, "Left lobe of the liver"),
    (["Left lobe", "Right lobe"], S4, "Left lobe"),
    (["Segment 1", "Segment 2"], S4, None),
    (["Segment 1", "Segment 2", "None of the above"], S4, "None of the above"),
    (["Segment 4", "somewhere else"], S4, "Segment 4"),
    (["head", "body", "tail"], BODY, "body"),
    (["Pancreatic head", "Pancreatic body", "Pancreatic tail"], BODY, "Pancreatic body"),
    (["Head of the pancreas", "Body of the pancreas"], BODY, "Body of the pancreas"),
    (["Head", "Tail"], BODY, None),
    # two regions hold it: exactly one of them among the options, or clearly more of it in one
    (["Segment 4", "Segment 8"], names("liver segment 4", "liver_segment_4", "liver_segment_8", query=LIVER,
     shares={"liver_segment_4": 52.0, "liver_segment_8": 48.0}), None),
    (["Segment 1", "Segment 8"], names("liver segment 4", "liver_segment_4", "liver_segment_8", query=LIVER,
     shares={"liver_segment_4": 52.0, "liver_segment_8": 48.0}), "Segment 8"),
    (["Head", "Body", "Tail"], names("pancreatic body", "pancreas_body", "pancreas_tail", query=PANCREAS,
     shares={"pancreas_body": 82.0, "pancreas_tail": 18.0}), "Body"),
    (["Left kidney", "Right kidney", "Both kidneys"], names("right kidney", "kidney_right", query=KIDNEY),
     "Right kidney"),
    (["Left", "Right"], names("right kidney", "kidney_right", query=KIDNEY), "Right"),
    (["Left kidney", "Right kidney"], names("upper pole of the left kidney", "kidney_upper_pole_left", query=KIDNEY),
     "Left kidney"),
    (["Left kidney", "Right kidney", "Both kidneys"],
     {"form": "name", "value": "both", "query": Query(kind="lesion_side", structures=("kidney_cyst",))},
     "Both kidneys"),
    (["Stomach", "Spleen", "Colon"], names("duodenum, stomach", "duodenum", "stomach"), "Stomach"),
    (["Stomach", "Duodenum"], names("duodenum, stomach", "duodenum", "stomach"), None),
    # the name of lesions stands for their place
    (["Segment 4", "Segment 8"], {"form": "name", "value": "liver segment 8 lesion",
     "details": {"structure": "liver_segment_8_lesion"}}, "Segment 8"),
    (["Liver", "Pancreas"], {"form": "name", "value": "pancreas lesion", "details": {"structure": "pancreas_lesion"}},
     "Pancreas"),
    # alike
    (["Left kidney", "Right kidney", "They are about the same"],
     names("about the same", "kidney_left", "kidney_right"), "They are about the same"),
    (["Left kidney", "Right kidney"], names("about the same", "kidney_left", "kidney_right"), None),
    (["Left", "Right", "Symmetric"], names("symmetric", "kidney_left", "kidney_right"), "Symmetric"),
    (["Left kidney", "Equal"], names("left kidney", "kidney_left"), "Left kidney"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "more", "wanted"), PLACES)
def test_places(options: list[str], more: dict[str, Any], wanted: str | None) -> None:
    found = choose(options, **more)
    assert (None if found.index is None else options[found.index]) == wanted, found.reason


CATEGORIES: list[tuple[list[str], Any, str | None]] = [
    (["T1", "T2", "T3", "T4"], "T2", "T2"),
    (["T1", "T2", "T3"], "T1c", "T1"),
    (["T1a", "T1b", "T1c"], "T1c", "T1c"),
    (["T1", "T1c"], "T1c", "T1c"),
    (["T1a", "T1b", "T2"], "T1", None),
    (["cT1", "cT2"], "T2", "cT2"),
    (["T2 tumor", "T3 tumor"], "T3", "T3 tumor"),
    (["Stage I", "Stage II", "Stage III"], "IIB", "Stage II"),
    (["Stage IIA", "Stage IIB"], "IIB", "Stage IIB"),
    (["IIA", "IIB"], "IIB", "IIB"),
    (["Stage 2", "Stage 3"], "III", "Stage 3"),
    (["Resectable", "Borderline resectable", "Unresectable"], "resectable", "Resectable"),
    (["Resectable", "Borderline resectable", "Unresectable"], "locally advanced", "Unresectable"),
    (["Resectable", "Borderline", "Locally advanced"], "unresectable", "Locally advanced"),
    (["Highly clustered", "Somewhat clustered", "Widely distributed"], "somewhat clustered", "Somewhat clustered"),
    (["Clustered", "Scattered"], "highly clustered", "Clustered"),
    (["Hypodense", "Isodense", "Hyperdense"], "hypoattenuating", "Hypodense"),
    (["Hypoattenuating", "Isoattenuating", "Hyperattenuating"], "isoattenuating", "Isoattenuating"),
    (["Simple cyst", "Indeterminate", "Hyperattenuating cyst"], "simple cyst", "Simple cyst"),
    (["Simple cyst", "Indeterminate", "Hyperattenuating cyst"], "indeterminate", "Indeterminate"),
    (["Simple cyst", "Solid tumor"], "indeterminate", None),
    (["PDAC", "PNET"], "PDAC", "PDAC"),
    (["Pancreatic ductal adenocarcinoma", "Pancreatic neuroendocrine tumor"], "PNET",
     "Pancreatic neuroendocrine tumor"),
    (["Pancreatic ductal adenocarcinoma (PDAC)", "Pancreatic neuroendocrine tumor (PNET)"], "PDAC",
     "Pancreatic ductal adenocarcinoma (PDAC)"),
    (["PDAC", "PNET"], "PNET", "PNET"),
    (["PDAC", "PNET"], "cue for PNET", None),  # a cue is no answer
    (["PDAC", "PNET"], "no cue", None),
    (["PDAC", "PNET"], "PDAC and PNET", None),
    (["Cyst", "Tumor"], "tumor", "Tumor"),
    (["Renal cyst", "Renal tumor"], "cyst", "Renal cyst"),
    (["Pseudocyst", "Mucinous cystic neoplasm"], "mucinous cyst", "Mucinous cystic neoplasm"),
    (["Normal (no splenomegaly)", "Mild splenomegaly", "Moderate splenomegaly"], "normal", "Normal (no splenomegaly)"),
    (["Normal", "Mild splenomegaly", "Severe splenomegaly"], "mild", "Mild splenomegaly"),
    (["Moderate to severe", "Mild"], "moderate", None),
    (["G0", "G1", "G2"], "G1", "G1"),
    (["None", "Mild", "Moderate", "Severe"], "G2", "Moderate"),
    (["Normal", "Fatty liver", "Moderate to severe fatty liver"], "not fatty", "Normal"),
    (["Normal", "Fatty liver", "Moderate to severe fatty liver"], "moderately to severely fatty",
     "Moderate to severe fatty liver"),
    (["Stable disease", "Progressive disease"], "progressive disease", "Progressive disease"),
    (["SD", "PD", "PR"], "partial response", "PR"),
    (["Bosniak II", "Bosniak IIF"], "IIF", "Bosniak IIF"),
    (["LR-3", "LR-4"], "LR-4", "LR-4"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "value", "wanted"), CATEGORIES)
def test_categories(options: list[str], value: Any, wanted: str | None) -> None:
    found = choose(options, value)
    assert (None if found.index is None else options[found.index]) == wanted, found.reason


@given(st.sampled_from(CATEGORIES), st.data())
def test_order_never_matters(case: tuple[list[str], Any, str | None], data: st.DataObject) -> None:
    options, value, wanted = case
    shuffled = data.draw(st.permutations(options))
    found = choose(shuffled, value)
    assert (None if found.index is None else shuffled[found.index]) == wanted


@pytest.mark.parametrize(
    ("options", "possible", "wanted"),
    [
        (["T1", "T2", "T3"], ["T1a", "T1b"], "T1"),
        (["T1", "T2", "T3"], ["T1c", "T2"], None),
        (["Stage II", "Stage III"], ["IIA", "IIB"], "Stage II"),
        (["T1", "cannot be determined"], ["T1c", "T2"], "cannot be determined"),
    ],
)
def test_what_is_certain_although_something_is_open(options: list[str], possible: list[str], wanted: str) -> None:
    found = choose(options, None, state=State.NOT_ASSESSED, details={"possible": possible})
    assert (None if found.index is None else options[found.index]) == wanted
    open_ = choose(options, None, state=State.NOT_ASSESSED, details={"possible": possible, "unlisted": True})
    assert open_.index is None or options[open_.index] == "cannot be determined"


def test_equal_counts_choose_the_option_that_says_so() -> None:
    options = ["Segment 4", "Segment 8", "The same"]
    found = choose(options, None, state=State.NOT_MEASURABLE, form="name", details={"equal": True})
    assert found.index == 2
    assert choose(options[:2], None, state=State.NOT_MEASURABLE, form="name", details={"equal": True}).index is None


def test_a_yes_with_options_that_are_verdicts_chooses_the_verdict() -> None:
    query = Query(kind="resectability", structures=("pancreas_tumor",), wanted="resectable")
    more: dict[str, Any] = {"form": "boolean", "verdict": "borderline resectable", "query": query}
    assert choose(["Resectable", "Borderline resectable", "Locally advanced"], False, **more).letter == "B"
    assert choose(["Yes", "No"], False, **more).letter == "B"


@pytest.mark.parametrize(
    ("wanted", "value", "details", "told"),
    [
        ("T1", "T1c", {}, True),
        ("T1c", "T1", {}, False),
        ("II", "IIB", {}, True),
        ("IIA", "IIB", {}, False),
        ("resectable", "borderline resectable", {}, False),
        ("clustered", "somewhat clustered", {}, True),
        ("widely distributed", "highly clustered", {}, False),
        ("asymmetric", "left kidney", {}, True),
        ("asymmetric", "neither has any", {}, False),
        ("pdac", "PDAC", {}, True),
        ("pdac", "cue for PDAC", {}, False),
        ("pnet", "PDAC", {}, False),
        ("T3", None, {"possible": ["T2", "T4"]}, False),
        ("T2", None, {"possible": ["T2", "T4"]}, None),
        ("liver_segment_4", "liver segment 4", {"structures": ["liver_segment_4", "liver_segment_8"]}, True),
        ("liver_segment_2", "liver segment 4", {"structures": ["liver_segment_4"]}, False),
    ],
)
def test_a_verdict_against_the_one_asked_about(wanted: str, value: Any, details: Any, told: bool | None) -> None:
    state = State.MEASURED if value is not None else State.NOT_ASSESSED
    assert is_wanted(wanted, value, state, details) is told


@pytest.mark.parametrize(
    ("text", "options", "heads"),
    [
        ("On which slice is the largest liver lesion?", ["12% depth", "47% depth"], "lesion_depth liver_lesion"),
        ("On which slice is the largest liver lesion?", ["Slice 45", "Slice 88"], "lesion_slice liver_lesion"),
        ("Which kidney is larger?", ["Left", "Right", "About the same"], "volume_same kidney_right,kidney_left"),
        ("Which kidney is larger?", ["Left", "Right"], "volume_which kidney_right,kidney_left cmp=gt"),
        ("Which is larger?", ["Liver", "Spleen"], "volume_which liver,spleen cmp=gt"),
        ("Which organ has the largest tumor burden?", ["Liver", "Pancreas"],
         "burden_which liver_lesion,pancreas_lesion cmp=gt"),
        ("Which segment has the most lesions?", ["Segment 4", "Segment 8"],
         "lesion_count_which liver_segment_4_lesion,liver_segment_8_lesion cmp=gt"),
        ("What is the attenuation of the largest liver lesion?", ["Hypoattenuating", "Hyperattenuating"],
         "lesion_attenuation liver_lesion,liver"),
        ("What is the attenuation of the largest liver lesion?", ["40 HU", "80 HU"], "lesion_hu liver_lesion"),
        ("Is the spleen enlarged?", ["Normal", "Mild", "Severe"], "splenomegaly_grade spleen"),
        ("Is the spleen enlarged?", ["Yes", "No"], "enlarged spleen"),
        ("Is the liver enlarged?", ["Normal", "Mild"], "enlarged liver"),
    ],
)  # fmt: skip
def test_options_tell_what_is_asked(text: str, options: list[str], heads: str) -> None:
    assert [heading(one) for one in interpret(text, options=options)] == [heads]
    (turned,) = interpret(text, options=options[::-1])
    assert isinstance(turned, Query) and turned.kind == heads.partition(" ")[0]


@pytest.mark.parametrize(
    ("options", "index"),
    [
        (["Cannot be determined", "Simple cyst", "Indeterminate"], 0),
        (["Simple cyst", "Indeterminate", "Hyperattenuating cyst"], None),
    ],
)
def test_a_verdict_called_indeterminate_is_no_silence(options: list[str], index: int | None) -> None:
    asked = Query(kind="renal_hu", structures=("kidney_lesion",))
    silent = choose_option(
        options, value=None, unit=None, uncertainty=None, state="not_measurable", form="category", query=asked
    )
    assert silent.index == index
    elsewhere = choose_option(
        ["Yes", "No", "Indeterminate"], value=None, unit=None, uncertainty=None, state="not_measurable", form="boolean",
        query=Query(kind="enlarged", structures=("spleen",)),
    )  # fmt: skip
    assert elsewhere.index == 2


@pytest.mark.parametrize(
    ("value", "structures", "index"),
    [("kidney lesion", ["kidney_lesion"], 2), ("liver lesion", ["liver_lesion"], 1), ("neither has any", [], 3)],
)
def test_a_pair_as_a_whole_and_nothing_on_either_side(value: str, structures: list[str], index: int) -> None:
    asked = Query(kind="burden_which", structures=("liver_lesion", "pancreas_lesion", "kidney_lesion"))
    options = ["The pancreas", "The liver", "The kidneys", "Neither kidney has any lesion"]
    assert choose(options, **names(value, *structures, query=asked)).index == index


def test_where_all_that_was_found_is_a_cue_the_option_that_says_so_is_chosen() -> None:
    options = ["PDAC", "PNET", "Cannot be determined"]
    assert [choose(options, value).index for value in ("cue for PDAC", "no cue", "PDAC")] == [2, 2, 0]
    assert choose(options[:2], "cue for PDAC").index is None
