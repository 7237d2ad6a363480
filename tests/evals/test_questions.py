"""Questions about hand-made truth: right answers, what is undecidable, options, wordings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.errors import UsageError
from evals.phantom_tissue import OTHER_LESIONS
from evals.questions import items_of, make_questions
from evals.questions_model import NONE_OPTION, SUBTYPES, UNDECIDABLE_OPTION, Item, Question
from evals.questions_truth import Seen, read_truth
from evals.questions_wordings import load_wordings
from evals.truth_rules import clustering, graded, outlier, resectability, steatosis_grade
from evals.vqa_cases import PROFILES, VIEWS, plan_cases
from tests.truth_make import lesion, seen, truth_data

ALL = [name for names in SUBTYPES.values() for name in names]


def asked(case: Seen, subtype: str, **slots: str) -> list[Item]:
    """Items of a kind whose slots hold these words."""
    return [
        one for one in items_of(case) if one.subtype == subtype and all(one.slots.get(k) == v for k, v in slots.items())
    ]


def only(case: Seen, subtype: str, **slots: str) -> Item:
    found = asked(case, subtype, **slots)
    assert len(found) == 1, [(one.subtype, one.slots, one.group) for one in found]
    return found[0]


def rich() -> list[dict[str, Any]]:
    """Lesions that give most kinds something to ask."""
    return [
        lesion("liver_metastasis", 12.0), lesion("liver_metastasis", 2.0),
        lesion("liver_cyst", 1.0, regions={"liver_segment_3": 1.0}, hu_mean=8.0),
        lesion("pancreas_pdac", 6.0, adjacent={"duodenum": 1.0}), lesion("kidney_cyst_left", 4.0, hu_mean=8.0),
    ]  # fmt: skip


def test_there_are_42_kinds_with_words() -> None:
    assert len(ALL) == len(set(ALL)) == 42
    assert {name.split(" / ")[0] for name in load_wordings()} == set(ALL)
    for name, one in load_wordings().items():
        assert len(one.train) >= 3 and len(one.held_out) >= 2, name
        assert not set(one.train) & set(one.held_out), name


def test_every_kind_has_material_in_the_profiles() -> None:
    cyst = lesion("pancreas_cyst", 10.0, hu_mean=6.0, long_axis_mm=27.0)
    plain = truth_data(
        lesion("kidney_rcc_left", 9.0, hu_mean=45.0),
        cyst,
        phase="native",
        hu={"liver": 60.0, "spleen": 47.0, "pancreas": 41.0},
    )
    found = {one.subtype for one in items_of(seen(truth_data(*rich())))} | {
        one.subtype for one in items_of(seen(plain))
    }
    assert found == set(ALL)


def test_same_seed_gives_the_same_questions_and_another_seed_others() -> None:
    case = seen(truth_data(*rich()))
    assert make_questions(case, 1) == make_questions(case, 1)
    assert make_questions(case, 1) != make_questions(case, 2)


def test_every_item_comes_in_both_splits_and_qids_are_unique() -> None:
    made = make_questions(seen(truth_data(*rich())), 3)
    assert len({one.qid for one in made}) == len(made)
    assert sum(one.split == "train" for one in made) == pytest.approx(len(made) / 2, abs=3)
    assert not any(re.search(r"[{}]", one.text) for one in made)


@pytest.mark.parametrize(
    ("volume", "grade"),
    [(314.5, "normal"), (314.6, "mild"), (500.0, "mild"), (500.1, "moderate"), (800.0, "moderate"), (800.1, "severe")],
)
def test_spleen_grades_at_their_edges(volume: float, grade: str) -> None:
    item = only(seen(truth_data(spleen=volume)), "splenomegaly grading")
    assert (item.expected.value, item.expected.must_flag) == (grade, True)
    assert item.expected.other is not None


def test_far_from_an_edge_there_is_one_reading() -> None:
    expected = only(seen(truth_data(spleen=640.0)), "splenomegaly grading").expected
    assert (expected.value, expected.other, expected.must_flag) == ("moderate", None, False)


def test_a_cut_organ_is_undecidable_unless_what_is_seen_decides() -> None:
    small, large = (seen(truth_data(cut=["spleen"], spleen=volume)) for volume in (200.0, 420.0))
    assert not only(small, "splenomegaly detection").expected.decidable
    assert only(large, "splenomegaly detection").expected.value is True
    assert not only(large, "splenomegaly grading").expected.decidable
    assert not only(large, "organ volume measurement", organ="spleen").expected.decidable


def test_absence_needs_a_class_and_a_whole_organ() -> None:
    kinds = ("liver lesion existence", "PDAC existence", "kidney tumor existence")
    whole = seen(truth_data())
    assert [only(whole, kind).expected.value for kind in kinds] == [False] * 3
    cut = seen(truth_data(cut=["liver", "pancreas", "kidney_left"]))
    typed = seen(truth_data(), VIEWS["typed"])
    assert not any(only(cut, kind).expected.decidable for kind in kinds)
    assert [only(typed, kind).expected.decidable for kind in kinds] == [False, True, False]


def test_maps_that_rule_other_lesions_out_decide_what_types_alone_leave_open() -> None:
    cyst = truth_data(lesion("kidney_cyst_left", 3.0))
    own, typed = seen(cyst, VIEWS["own"]), seen(cyst, VIEWS["typed"])
    # in a phantom's own files these classes are declared; the made truth has no files
    own = replace(own, declared=own.declared | set(OTHER_LESIONS))
    for kind in ("liver lesion existence", "kidney tumor existence"):
        assert (only(own, kind).expected.value, only(typed, kind).expected.decidable) == (False, False), kind


def test_a_generic_label_tells_no_type() -> None:
    case = seen(truth_data(*rich()), VIEWS["generic"])
    assert only(case, "liver lesion existence").expected.value is True
    for kind in ("PDAC existence", "kidney cyst existence", "PDAC vs PNET classification", "pancreatic tumor staging"):
        assert not only(case, kind).expected.decidable, kind
    assert only(seen(truth_data(), VIEWS["generic"]), "kidney cyst existence").expected.value is False


def test_dropped_classes_are_not_assessed() -> None:
    case = seen(truth_data(*rich()), VIEWS["no-liver"])
    for item in items_of(case):
        if "liver" in item.slots.values() and item.subtype != "organ HU ratio":
            assert not item.expected.decidable, item
    arteries = seen(truth_data(*rich()), VIEWS["no-arteries"])
    assert not only(arteries, "pancreatic tumor staging").expected.decidable


def test_fat_needs_a_plain_scan() -> None:
    kinds = ("fatty liver", "hepatic steatosis grading", "pancreatic steatosis")
    portal = seen(truth_data())
    assert not any(only(portal, kind).expected.decidable for kind in kinds)
    plain = seen(truth_data(phase="native", hu={"liver": 30.0, "spleen": 50.0, "pancreas": 30.0}))
    assert [only(plain, kind).expected.value for kind in kinds] == [True, "G3", True]


def test_lesion_numbers() -> None:
    case = seen(truth_data(*rich()))
    assert only(case, "lesion counting", lesion="liver lesion").expected.value == 3
    assert only(case, "lesion volume measurement", lesion="liver lesion").expected.value == pytest.approx(15.0)
    assert only(case, "tumor burden percentage", organ="liver").expected.value == pytest.approx(1.0)
    assert only(case, "lesion count by location", region="liver segment 8").expected.value == 2
    assert only(case, "lesion outlier", organ="liver").expected.value is True
    assert only(case, "liver lesion clustering").expected.value == "highly clustered"
    assert only(case, "largest lesion location", lesion="liver lesion").expected.value == "liver_segment_8"
    assert [one.expected.value for one in asked(case, "bilateral kidney asymmetry")] == ["left kidney", True]
    burdens = {one.group: one.expected.value for one in asked(case, "multi-organ lesion burden comparison")}
    assert burdens == {"volume": "liver", "share": "pancreas"}
    assert only(case, "adjacent organ", lesion="pancreatic lesion").expected.required == ("duodenum",)


def test_a_lesion_across_regions_counts_in_each_and_has_no_main_one_when_split_evenly() -> None:
    both = lesion("liver_hcc", 9.0, regions={"liver_segment_4": 0.5, "liver_segment_8": 0.45, "liver_segment_5": 0.05})
    case = seen(truth_data(both))
    for region in ("liver segment 4", "liver segment 8"):
        assert only(case, "lesion count by location", region=region).expected.value == 1
    even = lesion("liver_hcc", 9.0, regions={"liver_segment_4": 0.51, "liver_segment_8": 0.49})
    assert not asked(seen(truth_data(even)), "largest lesion location", lesion="liver lesion")


@pytest.mark.parametrize(
    ("contacts", "stage", "resectable"),
    [({}, "T2", "resectable"), ({"superior_mesenteric_artery": 300.0}, "T4", "locally advanced"),
     ({"superior_mesenteric_artery": 90.0}, None, "borderline resectable"), ({"portal_vein": 90.0}, "T2", None)],
)  # fmt: skip
def test_pancreatic_tumors(contacts: dict[str, float], stage: str | None, resectable: str | None) -> None:
    case = seen(truth_data(lesion("pancreas_pdac", 8.0, long_axis_mm=30.0, contacts=contacts)))
    told = [
        [one.expected.value for one in asked(case, kind)]
        for kind in ("pancreatic tumor staging", "pancreatic lesion resectability")
    ]
    assert told == [[stage] if stage else [], [resectable] if resectable else []]


def test_portal_hypertension_is_never_excluded() -> None:
    assert not only(seen(truth_data()), "portal hypertension assessment").expected.decidable
    assert only(seen(truth_data(spleen=600.0)), "portal hypertension assessment").expected.value is True


def test_small_rules_at_their_edges() -> None:
    assert graded(20.0, (20.0, 40.0), ("T1", "T2", "T3")).verdict == "T1"
    assert graded(20.1, (20.0, 40.0), ("T1", "T2", "T3")).verdict == "T2"
    assert outlier([30.0, 10.0, 1.0]) and not outlier([29.9, 10.0, 1.0]) and not outlier([30.0, 10.0])
    assert clustering([2, 1, 1]) == "somewhat clustered" and clustering([3, 1, 1]) == "highly clustered"
    assert clustering([1, 1, 1]) == "widely distributed"
    assert steatosis_grade(58.0, 1.0) == 0 and steatosis_grade(58.0, 0.99) == 1 and steatosis_grade(57.5, 1.1) is None
    assert steatosis_grade(39.0, 0.9) == 2 and steatosis_grade(38.9, 0.9) == 3 and steatosis_grade(60.0, 0.49) == 3
    assert resectability({"celiac_trunk": 180.0}) == "borderline resectable"
    assert resectability({"celiac_trunk": 181.0}) == "locally advanced"


def choices(case: Seen) -> list[Question]:
    return [one for seed in range(12) for one in make_questions(case, seed) if one.layout == "choice"]


def test_options_hold_the_truth_once_and_wrong_numbers_at_a_distance() -> None:
    made = choices(seen(truth_data(*rich())))
    places = {one.correct for one in made}
    assert {0, 1, 2, 3} <= places
    for one in made:
        assert len(set(one.options)) == len(one.options) >= 2, one
        expected = one.expected
        if not expected.decidable:
            assert (one.correct is None) == (UNDECIDABLE_OPTION not in one.options)
            continue
        assert one.correct is not None
        if expected.form != "number" or isinstance(expected.value, int):
            continue
        assert isinstance(expected.value, float)
        numbers = [float(text.split()[0]) for text in one.options if text != NONE_OPTION]
        away = [abs(number - expected.value) / abs(expected.value) for number in numbers]
        wrong = [share for n, share in enumerate(away) if n != one.correct]
        assert all(0.03 <= share <= 0.52 for share in wrong), one
        if one.options[one.correct] == NONE_OPTION:
            assert min(wrong) > 0.2
        else:
            assert away[one.correct] < 0.02


def test_views_only_ask_what_they_take_away() -> None:
    made = make_questions(seen(truth_data(*rich()), VIEWS["no-spleen"]), 0, undecidable_only=True)
    assert made and not any(one.expected.decidable for one in made)


def test_plans_give_every_phantom_its_full_view_first() -> None:
    plans = plan_cases(len(PROFILES) + 1, 5)
    first = {plan.phantom: plan.view.name for plan in reversed(plans)}
    assert list(first.values()) == ["full"] * (len(PROFILES) + 1)
    assert {plan.view.name for plan in plans if plan.whole} == {"full", "own"}
    assert len({plan.name for plan in plans}) == len(plans)
    assert {view for profile in PROFILES for view in profile.views} <= set(VIEWS)


def test_a_truth_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth_data() | {"schema": "tumortrace.phantom/1"}))
    with pytest.raises(UsageError, match="schema"):
        read_truth(path, "p")
    path.write_text("{}")
    with pytest.raises(UsageError, match="no truth file"):
        read_truth(path, "p")


def test_of_another_patient_only_what_is_different_there_is_asked() -> None:
    here, there = seen(truth_data(*rich(), spleen=200.0)), seen(truth_data(spleen=400.0, liver=1540.0), name="p2")
    made = make_questions(here, 0, other=there)
    subtypes = {one.subtype for one in made}
    assert {"splenomegaly detection", "liver lesion existence", "lesion counting"} <= subtypes
    assert not {"colon lesion existence", "fatty liver", "kidney volume comparison"} & subtypes
    volumes = {one.text for one in made if one.subtype == "organ volume measurement"}
    assert volumes and all("spleen" in text for text in volumes)
    assert not make_questions(here, 0, other=here)
