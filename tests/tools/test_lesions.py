"""Lesions as 26-connected components: count, size limit, the largest, and what a cut leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.case_make import boxes_case, run
from tools.base import Case, CaseSettings
from tools.lesion_list import components
from tools.look import look
from tools.types import Evidence, State

SIZE = (40, 24, 22)
LIVER = np.s_[4:30, 4:20, 3:18]


def case_with(
    lesions: list[Any], *, liver: Any = LIVER, limit: float = 50.0, spacing: tuple[float, float, float] = (1, 1, 1)
) -> Case:
    settings_ = CaseSettings(min_lesion_mm3=limit)
    return boxes_case(SIZE, {"liver": liver, "liver_lesion": lesions}, spacing=spacing, settings=settings_)


def found(case: Case, structure: str = "liver_lesion") -> dict[str, Evidence]:
    return run(case, "lesion_components", structure=structure)


def test_diagonal_contact_joins_and_a_gap_parts() -> None:
    corner = [np.s_[6:9, 6:9, 5:8], np.s_[9:12, 9:12, 8:11]]
    assert found(case_with(corner, limit=1))["lesion_count"].value == 1
    apart = [np.s_[6:9, 6:9, 5:8], np.s_[10:13, 9:12, 8:11]]
    assert found(case_with(apart, limit=1))["lesion_count"].value == 2


@pytest.mark.parametrize(("limit", "count"), [(49.999, 1), (50.0, 1), (50.001, 0)])
def test_the_size_limit_includes_its_own_value(limit: float, count: int) -> None:
    made = found(case_with([np.s_[6:11, 6:11, 5:7]], limit=limit))
    assert made["lesion_count"].value == count
    assert made["lesion_count"].details["below_limit"] == 1 - count
    assert made["lesion_count"].details["limit_mm3"] == limit


def test_the_size_limit_is_in_cubic_millimetres() -> None:
    one = [np.s_[6:8, 6:8, 5:7]]
    assert found(case_with(one))["lesion_count"].value == 0
    assert found(case_with(one, spacing=(2, 2, 2)))["lesion_count"].value == 1


def test_small_components_are_named_not_dropped() -> None:
    made = found(case_with([np.s_[6:11, 6:11, 5:9], np.s_[20, 10, 10], np.s_[24, 10, 10]]))
    assert made["lesion_count"].value == 1
    assert made["lesion_count"].details["below_limit"] == 2
    assert "below the size limit" in str(made["lesion_count"].reason)
    only_small = found(case_with([np.s_[20, 10, 10]]))
    assert only_small["lesion_count"].value == 0
    assert only_small["lesion_count"].state is State.MEASURED
    for quantity in (
        "largest_lesion_volume", "largest_lesion_long_axis", "largest_lesion_short_axis", "longest_lesion_axis",
    ):  # fmt: skip
        assert only_small[quantity].state is State.NOT_MEASURABLE
        assert only_small[quantity].lower_bound is None


def test_the_largest_is_the_one_of_greatest_volume() -> None:
    thin, thick = np.s_[6:28, 6:8, 5:7], np.s_[8:14, 10:16, 10:16]
    made = found(case_with([thin, thick]))
    assert made["largest_lesion_volume"].value == pytest.approx(0.216)
    assert made["largest_lesion_long_axis"].value == pytest.approx(np.hypot(6, 5), abs=0.2)
    rows: Any = made["lesion_count"].details["lesions"]
    assert [row["volume_cm3"] for row in rows] == [pytest.approx(0.216), pytest.approx(0.088)]
    assert rows[1]["long_axis_mm"] > rows[0]["long_axis_mm"]
    assert made["largest_lesion_volume"].uncertainty == pytest.approx((216 - 64) / 2 / 1000)


def test_the_longest_axis_is_that_of_any_lesion_not_of_the_most_voluminous() -> None:
    thin, thick = np.s_[6:28, 6:8, 5:7], np.s_[8:14, 10:16, 10:16]
    made = found(case_with([thin, thick]))["longest_lesion_axis"]
    assert (made.state, made.slice) == (State.MEASURED, 5)
    assert made.value == pytest.approx(np.hypot(22, 1), abs=0.5)


def test_the_longest_axis_is_a_bound_where_more_may_lie_beyond_the_scan() -> None:
    made = found(case_with([np.s_[8:14, 10:16, 10:16]], liver=np.s_[4:30, 4:20, 3:22]))["longest_lesion_axis"]
    assert (made.state, made.value) == (State.NOT_MEASURABLE, None)
    assert made.lower_bound == pytest.approx(np.hypot(6, 5), abs=0.2)
    assert "organ is cut off" in str(made.reason)


def test_ties_go_by_position_whatever_the_order_of_painting() -> None:
    low, high = np.s_[6:10, 6:10, 5:9], np.s_[20:24, 6:10, 12:16]
    one, other = found(case_with([low, high])), found(case_with([high, low]))
    assert one == other
    rows: Any = one["lesion_count"].details["lesions"]
    assert [row["slice"] for row in rows] == [5, 12]


def test_a_lesion_at_the_border_makes_everything_a_bound() -> None:
    made = found(case_with([np.s_[8:14, 10:16, 16:22], np.s_[6:10, 6:10, 5:9]], liver=LIVER))
    assert made["lesion_count"].state is State.NOT_MEASURABLE
    assert made["lesion_count"].lower_bound == 2
    assert made["largest_lesion_volume"].lower_bound == pytest.approx(0.216)
    assert made["largest_lesion_long_axis"].lower_bound is not None
    assert made["largest_lesion_short_axis"].lower_bound is None
    assert all(one.value is None and one.state is State.NOT_MEASURABLE for one in made.values())


def test_a_cut_lesion_that_may_be_the_largest_bounds_the_diameter_by_the_shorter_one() -> None:
    """The slender one is the largest of what is seen; the other goes on beyond the scan and may be larger."""
    slender, cut = np.s_[5:29, 6:9, 5:8], np.s_[10:14, 12:16, 18:22]
    made = found(case_with([slender, cut], liver=np.s_[4:30, 4:20, 3:22]))
    assert made["largest_lesion_volume"].lower_bound == pytest.approx(24 * 9 / 1000)
    bound = made["largest_lesion_long_axis"].lower_bound
    assert bound == pytest.approx(np.hypot(4, 3), abs=0.2)


def test_a_speck_at_the_border_may_be_the_tip_of_a_lesion() -> None:
    settings_ = CaseSettings(min_lesion_mm3=50)
    case = boxes_case(SIZE, {"tumor": [np.s_[8:13, 8:13, 8:13], np.s_[20, 10, 21]]}, settings=settings_)
    made = found(case, "tumor")
    assert made["lesion_count"].state is State.NOT_MEASURABLE
    assert made["lesion_count"].lower_bound == 1
    assert made["largest_lesion_volume"].state is State.NOT_MEASURABLE
    assert made["largest_lesion_volume"].lower_bound == pytest.approx(0.125)


def test_the_volume_of_lesions_in_a_cut_organ_says_that_there_may_be_more() -> None:
    case = case_with([np.s_[8:14, 10:16, 8:14]], liver=np.s_[4:30, 4:20, 3:22])
    made = run(case, "measure_structure", structure="liver_lesion")
    assert made["volume"].value == pytest.approx(0.216)
    assert "there may be more" in str(made["volume"].reason)


def test_an_organ_that_is_cut_off_makes_the_count_a_bound() -> None:
    made = found(case_with([np.s_[8:14, 10:16, 8:14]], liver=np.s_[4:30, 4:20, 3:22]))
    assert made["lesion_count"].state is State.NOT_MEASURABLE
    assert made["lesion_count"].lower_bound == 1
    assert made["largest_lesion_volume"].value == pytest.approx(0.216)
    assert "cut off" in str(made["largest_lesion_volume"].reason)


def test_no_lesions() -> None:
    def only(boxes: dict[str, Any], empty: list[str], structure: str = "liver_lesion") -> Evidence:
        return found(boxes_case(SIZE, boxes, empty=empty), structure)["lesion_count"]

    assert (only({"liver": LIVER}, ["liver_lesion"]).state, only({"liver": LIVER}, ["liver_lesion"]).value) == (
        State.ABSENT,
        0,
    )
    assert only({"liver": np.s_[4:30, 4:20, 3:22]}, ["liver_lesion"]).state is State.NOT_MEASURABLE
    assert only({"spleen": LIVER}, ["liver_lesion"]).state is State.NOT_ASSESSED
    assert only({"liver": LIVER}, []).state is State.NOT_ASSESSED
    # Lesions of one organ say nothing of lesions anywhere.
    anywhere = only({"liver": LIVER}, ["liver_lesion"], "lesion")
    assert (anywhere.state, anywhere.value) == (State.NOT_ASSESSED, None)


def test_lesions_of_one_labelled_side_are_a_bound_for_both() -> None:
    case = boxes_case(SIZE, {"kidney_left": LIVER, "kidney_cyst_left": np.s_[8:14, 10:16, 8:14]})
    made = found(case, "kidney_cyst")
    assert made["lesion_count"].state is State.NOT_MEASURABLE
    assert made["lesion_count"].lower_bound == 1
    assert found(case, "kidney_cyst_left")["lesion_count"].value == 1


def test_components_agree_with_the_voxels_of_the_class() -> None:
    rng = np.random.default_rng(2)
    case = case_with([LIVER])
    assert case.labels is not None
    layer = case.labels.layers[0].copy()
    layer[LIVER] = np.where(rng.random(layer[LIVER].shape) < 0.05, 2, 1)
    case = replace(case, labels=replace(case.labels, layers=(layer,)))
    region = look(case, "liver_lesion").region
    assert region is not None
    every = components(case, region)
    assert sum(one.region.voxels for one in every) == int((layer == 2).sum())
    assert [one.volume for one in every] == sorted((one.volume for one in every), reverse=True)
    painted = np.zeros(SIZE, int)
    for one in every:
        painted[one.region.box] += one.region.mask
    assert np.array_equal(painted, (layer == 2).astype(int))


# In RAS+ the left kidney has the smaller x.
KIDNEYS = {"kidney_left": np.s_[4:10, 6:14, 5:15], "kidney_right": np.s_[28:36, 6:14, 5:15]}


@pytest.mark.parametrize(
    ("lesions", "side"),
    [
        ([np.s_[10:13, 8:11, 8:11]], "left"),
        ([np.s_[25:28, 8:11, 8:11]], "right"),
        ([np.s_[10:13, 8:11, 8:11], np.s_[36:38, 8:11, 8:11]], "both"),
        ([np.s_[14:18, 8:11, 8:11]], "left"),
        ([np.s_[21:24, 8:11, 8:11]], "right"),
    ],
)
@pytest.mark.parametrize("name", ["kidney_tumor", "kidney_cyst"])
def test_side_of_a_class_without_sides(lesions: list[Any], side: str, name: str) -> None:
    case = boxes_case(SIZE, {**KIDNEYS, name: lesions})
    made = run(case, "lesion_side", structure=name)["side"]
    assert (made.state, made.value) == (State.MEASURED, side)
    asked_more_generally = run(case, "lesion_side", structure="kidney_lesion")["side"]
    assert asked_more_generally.value == side


def test_side_where_it_cannot_be_told() -> None:
    def side(boxes: dict[str, Any], structure: str, empty: tuple[str, ...] = ()) -> Evidence:
        return run(boxes_case(SIZE, boxes, empty=empty), "lesion_side", structure=structure)["side"]

    spot = np.s_[10:13, 8:11, 8:11]
    assert side({"kidney": KIDNEYS["kidney_left"], "kidney_tumor": spot}, "kidney_tumor").state is State.NOT_MEASURABLE
    assert side({"kidney_tumor": spot}, "kidney_tumor").state is State.NOT_MEASURABLE
    assert side({"liver": LIVER, "liver_tumor": spot}, "liver_tumor").state is State.NOT_MEASURABLE
    assert side(KIDNEYS, "kidney_tumor").state is State.NOT_ASSESSED
    assert side(KIDNEYS, "kidney_tumor", ("kidney_tumor",)).state is State.ABSENT
    sided = {**KIDNEYS, "kidney_tumor_right": np.s_[25:28, 8:11, 8:11]}
    assert side(sided, "kidney_tumor", ("kidney_tumor_left",)).value == "right"
    assert side(sided, "kidney_tumor_right").value == "right"


@given(seed=st.integers(0, 10_000), limit=st.sampled_from([1.0, 3.0, 20.0]))
@settings(max_examples=20, deadline=None)
def test_counted_and_small_components_are_all_there_are(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    spots = [
        tuple(slice(int(c), int(c + n)) for c, n in zip(rng.integers(6, 14, 3), rng.integers(1, 4, 3), strict=True))
        for _ in range(6)
    ]
    case = case_with(spots, limit=limit)
    made = found(case)
    region = look(case, "liver_lesion").region
    assert region is not None
    volumes = [one.region.voxels for one in components(case, region)]
    assert made["lesion_count"].value == sum(one >= limit for one in volumes)
    assert made["lesion_count"].details["below_limit"] == sum(one < limit for one in volumes)
    if max(volumes) >= limit:
        assert made["largest_lesion_volume"].value == pytest.approx(max(volumes) / 1000)
