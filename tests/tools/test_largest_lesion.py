"""The largest lesion: its slice and depth in the file's order, ties, cuts, and its lead over the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.wording import describe
from tests.case_make import boxes_case, run
from tools.base import Case, CaseSettings
from tools.types import Evidence, State

SIZE = (48, 40, 30)
LIVER = np.s_[4:44, 4:36, 3:27]
BIG, SMALL = np.s_[8:20, 8:20, 16:22], np.s_[30:36, 20:26, 6:10]
QUANTITIES = {
    "largest_lesion_slice": None, "largest_lesion_depth": "%", "largest_lesion_feret": "mm",
    "largest_lesion_hu_mean": "HU", "largest_lesion_hu_sd": "HU", "largest_lesion_sphericity": "1",
    "largest_lesion_margin": "HU/mm", "largest_to_second_volume": "1",
}  # fmt: skip


def case_with(lesions: list[Any], *, liver: Any = LIVER, limit: float = 1.0, **more: Any) -> Case:
    settings = CaseSettings(min_lesion_mm3=limit)
    hu = {"liver": 60, "liver_lesion": 20}
    return boxes_case(SIZE, {"liver": liver, "liver_lesion": lesions}, settings=settings, hu=hu, **more)


def found(case: Case, structure: str = "liver_lesion") -> dict[str, Evidence]:
    made = run(case, "largest_lesion", structure=structure)
    for one in made.values():
        describe(one, {one.id: one})
    return made


def test_everything_of_the_larger_one() -> None:
    made = found(case_with([SMALL, BIG]))
    assert {name: one.unit for name, one in made.items()} == QUANTITIES
    at = made["largest_lesion_slice"]
    assert (at.value, at.slice, at.details["slices"]) == (16, 16, 30)
    assert at.details["z_mm"] == pytest.approx(16 - 14.5)
    assert made["largest_lesion_depth"].value == pytest.approx(100 * 16.5 / 30, abs=1e-3)
    assert at.details["depth_percent"] == made["largest_lesion_depth"].value
    assert made["largest_lesion_feret"].value == pytest.approx(np.sqrt(12**2 + 12**2 + 6**2))
    assert made["largest_lesion_hu_mean"].value == 20
    assert made["largest_lesion_hu_sd"].value == 0
    ratio = made["largest_to_second_volume"]
    assert ratio.value == pytest.approx(12 * 12 * 6 / (6 * 6 * 4))
    shells = (12 * 12 * 6 - 10 * 10 * 4, 6 * 6 * 4 - 4 * 4 * 2)
    relative = np.hypot(shells[0] / 2 / 864, shells[1] / 2 / 144)
    assert ratio.uncertainty == pytest.approx(6 * relative, abs=1e-3)
    # 40 HU within the two voxels that a central difference spans
    assert made["largest_lesion_margin"].value == pytest.approx(20, rel=0.2)
    assert not any(one.details.get("borderline") for one in made.values())


def test_lesions_as_large_within_the_resolution_give_both_readings() -> None:
    almost = np.s_[30:42, 20:32, 6:12]
    made = found(case_with([BIG, almost]))
    assert made["largest_lesion_slice"].details["readings"] == [16, 6]
    assert made["largest_lesion_slice"].details["borderline"] == ["16", "6"]
    text = describe(made["largest_lesion_slice"], {}).text
    assert "it may be 16 or 6" in text
    # what both agree on is not borderline
    assert not made["largest_lesion_hu_mean"].details.get("borderline")
    clearly = found(case_with([BIG, np.s_[30:42, 20:31, 6:12]]))
    assert not clearly["largest_lesion_slice"].details.get("borderline")


def test_a_cut_lesion_leaves_only_what_holds_for_each_candidate() -> None:
    cut = np.s_[30:40, 20:30, 26:30]
    made = found(case_with([BIG, cut], liver=np.s_[4:44, 4:36, 3:30]))
    assert {one.state for one in made.values()} == {State.NOT_MEASURABLE}
    assert all(one.value is None and one.slice is None for one in made.values())
    assert made["largest_lesion_feret"].lower_bound == pytest.approx(np.sqrt(100 + 100 + 16))
    assert all(one.lower_bound is None for name, one in made.items() if name != "largest_lesion_feret")


def test_an_organ_that_is_cut_off_is_said() -> None:
    made = found(case_with([BIG, SMALL], liver=np.s_[4:44, 4:36, 3:30]))
    assert made["largest_lesion_slice"].value == 16
    assert all("only what is seen counts" in str(one.reason) for one in made.values())


def test_fewer_than_two_have_no_ratio() -> None:
    one = found(case_with([BIG]))["largest_to_second_volume"]
    assert (one.state, one.value) == (State.NOT_MEASURABLE, None)
    assert "only one" in str(one.reason)
    none = found(case_with([]))
    assert {each.state for each in none.values()} == {State.ABSENT}
    small = found(case_with([SMALL], limit=1000))
    assert {each.state for each in small.values()} == {State.NOT_MEASURABLE}
    assert "below the size limit" in str(small["largest_lesion_slice"].reason)


def test_reasons_hold_no_digits() -> None:
    for case in (case_with([BIG]), case_with([]), case_with([BIG], liver=np.s_[4:44, 4:36, 3:30])):
        for one in found(case).values():
            assert not any(letter.isdigit() for letter in one.reason or "")


def test_a_lesion_in_padding_has_no_attenuation() -> None:
    case = case_with([BIG])
    hu = case.scan.hu.copy()
    hu[BIG] = -2000

    made = found(replace(case, scan=replace(case.scan, hu=hu, padding=-2000.0)))
    for quantity in ("largest_lesion_hu_mean", "largest_lesion_hu_sd", "largest_lesion_margin"):
        assert made[quantity].state is State.NOT_MEASURABLE
