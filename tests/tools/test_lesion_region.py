"""Lesions in the regions of their organ: shares, counts, borderline cases, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.wording import describe
from tests.case_make import affine_of, boxes_case, case_of, run
from tools.base import Case, CaseSettings
from tools.lesion_list import lesion_list
from tools.lesion_place import place
from tools.registry import load_tools
from tools.subregions import Subregions, subregions
from tools.types import Evidence, State

SIZE = (60, 30, 24)
# Eight blocks of ten along the first axis would be too easy to mix up: four below, four above.
STEP, MIDDLE = 12, 12


def segments(low: int = 2, high: int = 22) -> dict[str, Any]:
    boxes = {}
    for number in range(1, 9):
        at = 6 + (number - 1) % 4 * STEP
        boxes[f"liver_segment_{number}"] = np.s_[
            at : at + STEP, 3:27, slice(low, MIDDLE) if number < 5 else slice(MIDDLE, high)
        ]
    return boxes


def liver(
    lesions: list[Any], *, carve: bool = True, named: bool = True, low: int = 2, high: int = 22, limit: float = 1.0,
    spacing: tuple[float, float, float] = (1, 1, 1), hu: int = 20,
) -> Case:  # fmt: skip
    """A liver of eight blocks: organ and lesions in one layer, segments in another, carved out or not."""
    organ, parts = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    voxels = np.full(SIZE, -80, np.int16)
    names: dict[str, tuple[int, int]] = {"liver": (0, 1), "liver_lesion": (0, 2)}
    for number, (name, box) in enumerate(segments(low, high).items(), start=1):
        organ[box], voxels[box] = 1, 50 + number % 2 * 20
        if named:
            parts[box], names[name] = number, (1, number)
    for box in lesions:
        organ[box], voxels[box] = 2, hu
        if carve:
            parts[box] = 0
    return case_of(voxels, [organ, parts], affine_of(spacing, SIZE), names, settings=CaseSettings(min_lesion_mm3=limit))


def rows(case: Case, structure: str = "liver_lesion") -> dict[tuple[str, str], Evidence]:
    made = load_tools()["lesions_in_regions"].call(case, {"structure": structure})
    return {(one.quantity, one.target): one for one in made}


def region(case: Case, structure: str = "liver_lesion") -> Evidence:
    return run(case, "largest_lesion_region", structure=structure)["largest_lesion_region"]


CROSSING = np.s_[12:22, 8:14, 5:9]
"""Six of its ten columns lie in segment 1, four in segment 2."""
INSIDE = np.s_[33:37, 8:12, 14:18]
"""Wholly in segment 7."""


@pytest.mark.parametrize("carve", [True, False])
def test_a_lesion_that_crosses_names_every_region_with_its_share(carve: bool) -> None:
    found = region(liver([CROSSING, INSIDE], carve=carve))
    assert (found.state, found.value) == (State.MEASURED, "liver segment 1")
    assert found.details["structures"] == ["liver_segment_1", "liver_segment_2"]
    shares: Any = found.details["shares"]
    assert shares == pytest.approx({"liver_segment_1": 60, "liver_segment_2": 40})
    assert not found.details.get("borderline")
    text = describe(found, {found.id: found}).text
    assert "liver segment 1 (60.0 %) and liver segment 2 (40.0 %)" in text
    assert "labels of the regions" in text


def test_an_even_split_is_borderline_with_both_readings() -> None:
    found = region(liver([np.s_[13:23, 8:14, 5:9]]))
    assert found.details["borderline"] == ["liver segment 1", "liver segment 2"]
    assert set(found.details["structures"]) == {"liver_segment_1", "liver_segment_2"}  # type: ignore[arg-type]


def test_two_largest_lesions_are_borderline_between_their_regions() -> None:
    found = region(liver([np.s_[8:14, 8:14, 5:11], np.s_[32:38, 8:14, 14:20]]))
    assert found.details["borderline"] == ["liver segment 1", "liver segment 7"]
    assert found.details["structures"] == ["liver_segment_1"]


@pytest.mark.parametrize(("columns", "counts"), [(1, 0), (2, 1), (3, 1)])
def test_more_than_a_tenth_counts(columns: int, counts: int) -> None:
    """Of fifteen columns, one is less than a tenth and two are more."""
    case = liver([np.s_[18 + columns - 15 : 18 + columns, 8:14, 5:9]])
    # segment 1 has only twelve columns: what lies before it belongs to no other region, and so to the nearest
    assert rows(case)["region_lesion_count", "liver_segment_2"].value == counts
    one = lesion_list(case, "liver_lesion").every[0]
    told = subregions(case, "liver")
    assert isinstance(told, Subregions)
    assert place(one.region, told).shares["liver_segment_2"] == pytest.approx(100 * columns / 15, abs=1e-3)


def test_exactly_a_tenth_does_not_count_and_is_borderline() -> None:
    found = rows(liver([np.s_[9:19, 8:14, 5:9]]))["region_lesion_count", "liver_segment_2"]
    assert (found.value, found.uncertainty, found.details["borderline"]) == (0, 1, [0, 1])


@pytest.mark.parametrize("carve", [True, False])
def test_counts_and_volumes_of_all_regions(carve: bool) -> None:
    speck = np.s_[50:52, 20:22, 18:20]
    found = rows(liver([CROSSING, INSIDE, speck], carve=carve, spacing=(3, 2, 1), limit=100))
    counts = {target: one.value for (quantity, target), one in found.items() if quantity == "region_lesion_count"}
    volumes = {target: one.value for (quantity, target), one in found.items() if quantity == "region_lesion_volume"}
    own = {"liver_segment_1": 1, "liver_segment_2": 1, "liver_segment_7": 1}
    assert counts == {f"liver_segment_{n}": own.get(f"liver_segment_{n}", 0) for n in range(1, 9)}
    assert volumes["liver_segment_1"] == pytest.approx(6 * 6 * 4 * 6 / 1000)
    assert volumes["liver_segment_2"] == pytest.approx(4 * 6 * 4 * 6 / 1000)
    assert volumes["liver_segment_7"] == pytest.approx(64 * 6 / 1000)
    assert volumes["liver_segment_8"] == pytest.approx(8 * 6 / 1000)
    most = found["region_with_most_lesion_volume", "liver_lesion"]
    assert (most.value, most.details["structure"]) == ("liver segment 1", "liver_segment_1")
    equal = found["region_with_most_lesions", "liver_lesion"]
    assert (equal.state, equal.reason) == (State.NOT_MEASURABLE, "they are equal")


def test_clustering_counts_each_lesion_once() -> None:
    first = [np.s_[8:11, 5:8, 4:7], np.s_[8:11, 12:15, 4:7], np.s_[13:17, 18:22, 4:8]]
    found = rows(liver([*first, np.s_[20:24, 8:12, 14:18], INSIDE]))
    top, two = found["top_region_share", "liver_lesion"], found["top_two_region_share", "liver_lesion"]
    assert top.value == pytest.approx(60)
    assert (top.uncertainty, top.unit) == (0, "%")
    assert two.value == pytest.approx(80)
    most = found["region_with_most_lesions", "liver_lesion"]
    assert most.value == "liver segment 1"
    assert not most.details.get("borderline")


@pytest.mark.parametrize("tool", ["largest_lesion_region", "lesions_in_regions", "lesion_table", "largest_lesion"])
def test_states_are_kept_apart(tool: str) -> None:
    def states(case: Case, structure: str = "liver_lesion") -> set[State]:
        made = load_tools()[tool].call(case, {"structure": structure})
        for one in made:
            describe(one, {one.id: one})
            assert one.value in {None, 0} or one.state is State.MEASURED
        return {one.state for one in made}

    assert states(liver([])) == {State.ABSENT}
    assert states(liver([], high=24)) == {State.NOT_MEASURABLE}
    assert states(boxes_case(SIZE, segments())) == {State.NOT_ASSESSED}
    assert states(boxes_case(SIZE, {"spleen": INSIDE}), "liver_lesion") == {State.NOT_ASSESSED}
    assert states(Case(scan=liver([]).scan)) == {State.NOT_ASSESSED}
    if tool in {"largest_lesion_region", "lesions_in_regions"}:
        assert states(liver([INSIDE], named=False)) == {State.NOT_ASSESSED}


def test_a_cut_lesion_may_be_the_largest() -> None:
    case = liver([np.s_[33:37, 8:12, 20:24], CROSSING], high=24)
    found = region(case)
    assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
    assert "cut off" in str(found.reason)
    made = rows(case)
    assert made["region_lesion_count", "liver_segment_7"].lower_bound == 1
    assert made["region_lesion_count", "liver_segment_7"].value is None
    assert made["region_lesion_count", "liver_segment_1"].value == 1
    assert made["top_region_share", "liver_lesion"].state is State.NOT_MEASURABLE


def test_an_organ_that_is_cut_off_bounds_only_the_regions_that_reach_the_border() -> None:
    case = liver([CROSSING], high=24)
    found = region(case)
    assert found.value == "liver segment 1"
    assert "only what is seen counts" in str(found.reason)
    made = rows(case)
    assert made["region_lesion_count", "liver_segment_1"].value == 1
    assert made["region_lesion_count", "liver_segment_8"].state is State.NOT_MEASURABLE
    assert made["region_lesion_count", "liver_segment_8"].lower_bound == 0


def test_an_unlabelled_region_may_hold_the_rest() -> None:
    boxes = {"pancreas_head": np.s_[30:40, 5:15, 5:15], "pancreas_body": np.s_[20:30, 5:15, 5:15]}
    case = boxes_case(SIZE, {**boxes, "pancreas_tumor": np.s_[10:21, 8:12, 8:12]})
    found = region(case, "pancreas_tumor")
    assert found.state is State.NOT_MEASURABLE
    assert "pancreatic tail" in str(found.reason)
    made = rows(case, "pancreas_tumor")
    assert made["region_lesion_count", "pancreas_tail"].state is State.NOT_ASSESSED
    assert made["top_region_share", "pancreas_tumor"].state is State.NOT_MEASURABLE


KIDNEYS = {
    "kidney_left": np.s_[4:12, 4:12, 3:21], "kidney_right": np.s_[44:52, 4:12, 3:21],
    "kidney_tumor": [np.s_[5:9, 5:9, 15:20], np.s_[52:56, 5:9, 10:14]],
}  # fmt: skip


def test_lesions_of_a_pair_are_told_by_side_and_those_of_a_side_by_pole() -> None:
    case = boxes_case(SIZE, KIDNEYS)
    both = region(case, "kidney_tumor")
    assert (both.value, both.details["structures"]) == ("left kidney", ["kidney_left"])
    assert both.details["method"] == "labels of the two sides"
    left = region(case, "kidney_tumor_left")
    assert left.value == "left upper pole of the kidney"
    assert "thirds" in str(left.details["method"])
    made = rows(case, "kidney_tumor")
    assert [made["region_lesion_count", f"kidney_{side}"].value for side in ("left", "right")] == [1, 1]
    assert made["region_with_most_lesion_volume", "kidney_tumor"].details["structure"] == "kidney_left"
    poles = rows(case, "kidney_tumor_right")
    assert poles["region_lesion_count", "kidney_interpolar_right"].value == 1
    assert poles["region_lesion_count", "kidney_upper_pole_right"].value == 0


def test_a_lesion_of_no_known_regions_is_not_located() -> None:
    case = boxes_case(SIZE, {"spleen": np.s_[4:30, 4:20, 4:20], "spleen_cyst": INSIDE, "tumor": np.s_[40:44, 4:8, 4:8]})
    assert region(case, "spleen_cyst").state is State.NOT_ASSESSED
    assert region(case, "tumor").state is State.NOT_ASSESSED


# -- lesions of a region, where only the lesions of the organ have a class ------------------------------------


@pytest.mark.parametrize("carve", [True, False])
def test_a_lesion_in_a_region_is_counted_whole_and_measured_as_far_as_it_lies_in_it(carve: bool) -> None:
    case = liver([CROSSING, INSIDE], carve=carve)
    for segment, inside in ((1, 6), (2, 4)):
        structure = f"liver_segment_{segment}_lesion"
        made = run(case, "lesion_components", structure=structure)
        assert made["lesion_count"].value == 1
        assert made["largest_lesion_volume"].value == pytest.approx(0.24)
        volume = run(case, "measure_structure", structure=structure)["volume"]
        assert volume.value == pytest.approx(inside * 24 / 1000)
        assert run(case, "presence", structure=structure)["exists"].value is True
    assert run(case, "lesion_components", structure="liver_left_lobe_lesion")["lesion_count"].value == 1
    assert run(case, "lesion_components", structure="liver_right_lobe_lesion")["lesion_count"].value == 1
    organ = run(case, "measure_structure", structure="liver_segment_1")
    assert organ["volume"].value == pytest.approx(12 * 24 * 10 / 1000)
    assert organ["hu_mean"].value == pytest.approx(70)


def test_absence_in_a_region_is_as_strict_as_in_the_organ() -> None:
    def exists(case: Case, structure: str = "liver_segment_8_lesion") -> tuple[State, Any]:
        one = run(case, "presence", structure=structure)["exists"]
        count = run(case, "lesion_components", structure=structure)["lesion_count"]
        assert one.state is count.state or count.state is State.NOT_ASSESSED
        return one.state, count.value

    assert exists(liver([CROSSING])) == (State.ABSENT, 0)
    assert exists(liver([])) == (State.ABSENT, 0)
    assert exists(liver([], named=False)) == (State.ABSENT, 0)
    # segments that do not reach the border are wholly seen, the others are not
    assert exists(liver([CROSSING], high=24)) == (State.NOT_MEASURABLE, None)
    assert exists(liver([CROSSING], high=24), "liver_segment_3_lesion") == (State.ABSENT, 0)
    # a lesion is there, and nothing tells where
    assert exists(liver([CROSSING], named=False)) == (State.NOT_ASSESSED, None)
    assert exists(boxes_case(SIZE, segments())) == (State.NOT_ASSESSED, None)
    assert exists(liver([CROSSING]), "liver_segment_8_metastasis") == (State.ABSENT, 0)
    assert exists(liver([CROSSING]), "liver_segment_1_metastasis") == (State.NOT_ASSESSED, None)


def test_a_fringe_of_a_lesion_beside_it_is_not_a_lesion_of_the_region() -> None:
    case = liver([np.s_[7:19, 8:14, 5:9]])
    one = run(case, "presence", structure="liver_segment_2_lesion")["exists"]
    assert (one.state, one.value) == (State.ABSENT, False)
    assert "fringes" in str(one.reason)
    count = run(case, "lesion_components", structure="liver_segment_2_lesion")["lesion_count"]
    assert (count.state, count.value) == (State.ABSENT, 0)
    assert run(case, "measure_structure", structure="liver_segment_2_lesion")["volume"].value == pytest.approx(0.024)


def test_lesions_in_the_poles_of_one_kidney() -> None:
    case = boxes_case(SIZE, KIDNEYS)
    assert run(case, "presence", structure="kidney_upper_pole_tumor_left")["exists"].value is True
    assert run(case, "presence", structure="kidney_lower_pole_tumor_left")["exists"].state is State.ABSENT
    assert run(case, "presence", structure="kidney_interpolar_tumor_right")["exists"].value is True
    assert run(case, "lesion_components", structure="kidney_interpolar_tumor_right")["lesion_count"].value == 1
