"""Lesions below the size limit: what rests on a count or a size without them says so, and what they could change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.wording import describe
from tests.agent.loop_make import ask, run
from tests.case_make import boxes_case
from tests.case_make import run as call
from tools.base import Case, CaseSettings
from tools.types import Evidence

SIZE = (70, 44, 34)
LIVER = np.s_[2:68, 2:42, 2:32]
LARGE, SECOND = np.s_[10:36, 8:34, 8:28], np.s_[44:52, 8:14, 8:14]
SPECK = np.s_[56:59, 20:23, 20:23]
SLIVER = np.s_[40:66, 38:39, 30:31]
FACTS = (("vascular_invasion", "none"), ("extrahepatic_invasion", "no"), ("cn", "0"), ("cm", "0"))
BELOW = "Components below the size limit are there, and do not count in "


def liver(*lesions: Any, **more: Any) -> Case:
    return boxes_case(SIZE, {"liver": LIVER, "liver_hcc": list(lesions)}, settings=CaseSettings(patient=FACTS), **more)


def answered(case: Case, kind: str, folder: Path) -> tuple[Evidence, str]:
    made = run(case, [ask(kind, "liver_hcc")], folder)
    assert made.report.status == "consistent"
    assert made.report.answer is not None
    one = made.state.lookup(made.state.targets[0].decisive)
    assert one is not None
    text = describe(one, made.state.evidence).text
    assert text in made.report.answer.text
    return one, text


def test_a_speck_beside_one_tumor_makes_its_category_borderline(tmp_path: Path) -> None:
    one, text = answered(liver(LARGE, SPECK), "category_t", tmp_path)
    assert (one.value, one.details["borderline"]) == ("T1b", ["T2", "T1b"])
    assert one.details["borderline_by"] == "lesions below the size limit"
    assert BELOW + "the number of its lesions and the greatest diameter" in text
    assert "borderline: with lesions below the size limit counted as well, the reading may be T2 or T1b." in text


def test_nothing_is_said_where_nothing_was_left_out(tmp_path: Path) -> None:
    one, text = answered(liver(LARGE), "category_t", tmp_path)
    assert (one.value, one.details["borderline"]) == ("T1b", [])
    assert "left_out" not in one.details
    assert "below the size limit" not in text


def test_what_they_cannot_change_is_only_named(tmp_path: Path) -> None:
    one, text = answered(liver(LARGE, SECOND, SPECK), "category_t", tmp_path)
    assert (one.value, one.details["borderline"]) == ("T2", [])
    assert BELOW in text
    assert "borderline" not in text


def test_a_stage_names_the_category_that_leaves_them_out(tmp_path: Path) -> None:
    one, text = answered(liver(LARGE, SPECK), "stage", tmp_path)
    assert (one.value, one.details["borderline"]) == ("IB", ["II", "IB"])
    assert one.details["left_out"] == ["t"]
    assert BELOW + "the T category." in text
    assert "with lesions below the size limit counted as well, the reading may be II or IB." in text


def test_uncertainty_and_specks_are_both_named(tmp_path: Path) -> None:
    # 20 mm cubed across the diagonal: the limit of 2 cm lies within its uncertainty.
    one, text = answered(liver(np.s_[10:21, 8:20, 8:20], SPECK), "category_t", tmp_path)
    assert one.value in {"T1a", "T1b"}
    assert one.details["borderline"] == ["T2", "T1a", "T1b"]
    assert "within the uncertainty of the measurement, and with lesions below the size limit counted as well" in text


@pytest.mark.parametrize(
    ("tool", "quantity", "alone"),
    [("lesion_extent", "greatest_lesion_feret", 678**0.5), ("lesion_components", "longest_lesion_axis", 26.0)],
)
def test_a_thin_one_that_is_left_out_may_be_the_longest(tool: str, quantity: str, alone: float) -> None:
    one = call(liver(SECOND, SLIVER, SPECK), tool, structure="liver_hcc")[quantity]
    without = call(liver(SECOND), tool, structure="liver_hcc")[quantity]
    assert (one.value, one.details["below_limit"]) == (without.value, 2)
    assert one.details["with_small"] == pytest.approx(alone)
    assert "with_small" not in without.details
    # One that is shorter than those that count changes nothing.
    short = call(liver(SECOND, SPECK), tool, structure="liver_hcc")[quantity]
    assert short.details["with_small"] == short.value


def test_the_count_with_all_is_told_to_rules() -> None:
    counted = call(liver(LARGE, SPECK, SLIVER), "lesion_components", structure="liver_hcc")["lesion_count"]
    assert (counted.value, counted.details["with_small"]) == (1, 3)
