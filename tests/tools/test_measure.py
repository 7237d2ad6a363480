"""Volume, attenuation, completeness and axes of a structure, in each of the four states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.case_make import affine_of, boxes_case, case_of, run
from tools.base import Case
from tools.types import State

SIZE = (20, 18, 16)
INNER = np.s_[4:12, 5:11, 6:10]
HU = ("hu_mean", "hu_sd", "hu_median")


@given(
    steps=st.tuples(*[st.floats(0.3, 5)] * 3),
    turn=st.tuples(*[st.floats(-40, 40)] * 3),
    shear=st.floats(-30, 30),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_volume_is_the_voxel_count_times_the_determinant(
    steps: tuple[float, ...], turn: tuple[float, ...], shear: float, seed: int
) -> None:
    layer = np.zeros(SIZE, np.uint8)
    layer[2:-2, 2:-2, 2:-2] = np.random.default_rng(seed).random((16, 14, 12)) < 0.3
    affine = affine_of(steps, SIZE, turn=turn, shear=shear)
    made = run(case_of(np.zeros(SIZE, np.int16), layer, affine, {"spleen": 1}), "measure_structure", structure="spleen")
    # A shear moves slices sideways, so it leaves the volume what it was.
    truth = int(layer.sum()) * float(np.prod(steps)) / 1000
    assert made["volume"].value == pytest.approx(truth, rel=1e-9, abs=1e-6)
    assert made["volume"].unit == "cm3"
    assert made["volume"].details["voxels"] == int(layer.sum())


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_attenuation_is_that_of_the_voxels(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    hu = rng.normal(60, 25, SIZE).astype(dtype)
    layer = np.zeros(SIZE, np.uint8)
    layer[INNER] = 1
    made = run(case_of(hu, layer, np.eye(4), {"liver": 1}), "measure_structure", structure="liver")
    inside = hu[INNER].astype(np.float64)
    assert made["hu_mean"].value == pytest.approx(inside.mean(), abs=1e-4)
    assert made["hu_sd"].value == pytest.approx(inside.std(), abs=1e-4)
    assert made["hu_median"].value == pytest.approx(np.median(inside), abs=1e-4)
    assert made["hu_mean"].details["voxels"] == inside.size
    assert made["complete"].value is True


FACES = [
    ("left", 0, 0),
    ("right", 0, 1),
    ("posterior", 1, 0),
    ("anterior", 1, 1),
    ("inferior", 2, 0),
    ("superior", 2, 1),
]


@pytest.mark.parametrize(("face", "axis", "end"), FACES)
def test_each_border_makes_the_volume_a_lower_bound(face: str, axis: int, end: int) -> None:
    where = list(INNER)
    where[axis] = slice(0, 3) if end == 0 else slice(SIZE[axis] - 3, SIZE[axis])
    case = boxes_case(SIZE, {"liver": tuple(where)}, spacing=(1, 2, 3))
    made = run(case, "measure_structure", structure="liver")
    voxels = np.prod([s.stop - s.start for s in where])
    assert made["volume"].state is State.NOT_MEASURABLE
    assert made["volume"].value is None
    assert made["volume"].uncertainty is None
    assert made["volume"].lower_bound == pytest.approx(voxels * 6 / 1000)
    assert face in str(made["volume"].reason)
    assert made["complete"].value is False
    assert made["complete"].details["cut_off_at"] == [face]
    # What is visible still has its attenuation, and says that it is only that.
    assert made["hu_mean"].state is State.MEASURED
    assert face in str(made["hu_mean"].reason)
    axes = run(case, "measure_axes", structure="liver")
    assert axes["long_axis"].state is State.NOT_MEASURABLE
    assert axes["long_axis"].lower_bound is not None
    assert axes["short_axis"].lower_bound is None


def test_one_voxel_from_the_border_is_whole() -> None:
    case = boxes_case(SIZE, {"liver": np.s_[1:19, 1:17, 1:15]})
    volume = run(case, "measure_structure", structure="liver")["volume"]
    assert volume.value == pytest.approx(18 * 16 * 14 / 1000)


def padded(where: Any, value: int) -> Case:
    case = boxes_case(SIZE, {"liver": INNER})
    hu = case.scan.hu.copy()
    hu[where] = value
    return replace(case, scan=replace(case.scan, hu=hu, padding=float(value)))


@pytest.mark.parametrize(
    "where",
    [np.s_[12:], np.s_[:4], np.s_[:, 11:], np.s_[:, :5], np.s_[:, :, 10:], np.s_[:, :, :6], np.s_[11, 10, 9]],
    ids=str,
)
@pytest.mark.parametrize("value", [-2000, -3024])
def test_padding_beside_a_structure_cuts_it_off(where: Any, value: int) -> None:
    made = run(padded(where, value), "measure_structure", structure="liver")
    assert made["volume"].state is State.NOT_MEASURABLE
    assert made["volume"].lower_bound == pytest.approx(8 * 6 * 4 / 1000)
    assert made["complete"].details["cut_off_at"] == ["edge of the reconstruction"]


def test_padding_at_a_distance_cuts_nothing_off() -> None:
    made = run(padded(np.s_[13:], -2000), "measure_structure", structure="liver")
    assert made["volume"].value == pytest.approx(8 * 6 * 4 / 1000)


def test_padding_never_enters_the_attenuation() -> None:
    made = run(padded(np.s_[4:8, 5:11, 6:10], -2000), "measure_structure", structure="liver")
    assert made["hu_mean"].value == 40
    assert made["hu_sd"].value == 0
    assert made["hu_mean"].details["voxels"] == 4 * 6 * 4
    every = run(padded(INNER, -2000), "measure_structure", structure="liver")
    for quantity in HU:
        assert every[quantity].state is State.NOT_MEASURABLE
        assert every[quantity].value is None


LESION = np.s_[6:9, 6:9, 7:9]


def carved() -> Case:
    return boxes_case(SIZE, {"liver": INNER, "liver_lesion": LESION}, hu={"liver": 60, "liver_lesion": 100})


def overlaid(lesion: str = "liver_lesion") -> Case:
    """The lesion lies over the organ, in a layer of its own, as in a folder of masks."""
    case = carved()
    organ, over = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    organ[INNER], over[LESION] = 1, 1
    return case_of(case.scan.hu, [organ, over], affine_of((1, 1, 1), SIZE), {"liver": (0, 1), lesion: (1, 1)})


@pytest.mark.parametrize("case", [carved(), overlaid(), overlaid("liver_cyst")], ids=["carved", "overlaid", "cyst"])
def test_an_organ_holds_its_lesions_but_not_their_attenuation(case: Case) -> None:
    made = run(case, "measure_structure", structure="liver")
    assert made["volume"].value == pytest.approx(8 * 6 * 4 / 1000)
    assert made["volume_without_lesions"].value == pytest.approx((8 * 6 * 4 - 18) / 1000)
    assert (made["hu_mean"].value, made["hu_sd"].value, made["hu_median"].value) == (60, 0, 60)
    assert made["hu_mean"].details["voxels"] == 8 * 6 * 4 - 18


def test_a_lesion_that_no_label_gives_to_an_organ_is_left_out_of_its_attenuation() -> None:
    made = run(overlaid("tumor"), "measure_structure", structure="liver")
    assert made["volume"].value == pytest.approx(8 * 6 * 4 / 1000)
    assert made["hu_mean"].value == 60


def test_a_lesion_measures_itself() -> None:
    made = run(carved(), "measure_structure", structure="liver_lesion")
    assert made["volume"].value == pytest.approx(18 / 1000)
    assert made["hu_mean"].value == 100
    assert "volume_without_lesions" not in made


def test_a_lesion_at_the_border_cuts_its_organ_off() -> None:
    case = boxes_case(SIZE, {"liver": np.s_[4:12, 5:11, 6:15], "liver_lesion": np.s_[6:9, 6:9, 15:16]})
    made = run(case, "measure_structure", structure="liver")
    assert made["complete"].details["cut_off_at"] == ["superior"]
    assert made["volume"].lower_bound == pytest.approx((8 * 6 * 9 + 9) / 1000)
    assert made["volume_without_lesions"].value is None
    assert made["volume_without_lesions"].lower_bound == pytest.approx(8 * 6 * 9 / 1000)


def test_an_organ_that_is_all_lesion_is_there_but_has_no_attenuation() -> None:
    case = boxes_case(SIZE, {"pancreas_lesion": INNER, "spleen": np.s_[14:18, 5:9, 5:9]}, empty=["pancreas"])
    made = run(case, "measure_structure", structure="pancreas")
    assert made["volume"].value == pytest.approx(8 * 6 * 4 / 1000)
    assert made["hu_mean"].state is State.NOT_MEASURABLE
    assert run(case, "presence", structure="pancreas")["exists"].value is True


def states(case: Case, structure: str) -> set[State]:
    every = {
        **run(case, "measure_structure", structure=structure),
        **run(case, "measure_axes", structure=structure),
    }
    assert {"volume", *HU, "complete", "long_axis", "short_axis"} <= set(every)
    for one in every.values():
        assert one.value is None
        assert one.lower_bound is None
        assert one.reason
    return {one.state for one in every.values()}


def test_the_three_other_states() -> None:
    whole = {"kidney_left": np.s_[4:8, 5:9, 5:9], "stomach": np.s_[10:14, 5:9, 5:9]}
    case = boxes_case(SIZE, whole, empty=["spleen"])
    assert states(case, "spleen") == {State.ABSENT}
    assert states(case, "pancreas") == {State.NOT_ASSESSED}
    assert states(replace(case, labels=None), "liver") == {State.NOT_ASSESSED}
    cut = boxes_case(SIZE, {**whole, "stomach": np.s_[10:14, 5:9, 12:16]}, empty=["spleen"])
    assert states(cut, "spleen") == {State.NOT_MEASURABLE}
    alone = boxes_case(SIZE, {"femur_left": INNER}, empty=["spleen"])
    assert states(alone, "spleen") == {State.NOT_ASSESSED}


def test_a_pair_with_one_side_unlabelled_has_a_lower_bound() -> None:
    case = boxes_case(SIZE, {"kidney_left": INNER})
    made = run(case, "measure_structure", structure="kidney")
    assert made["volume"].state is State.NOT_MEASURABLE
    assert made["volume"].lower_bound == pytest.approx(0.192)
    assert "right kidney" in str(made["volume"].reason)
    assert made["complete"].details["unlabelled_parts"] == ["right kidney"]


def test_a_pair_has_no_diameter() -> None:
    case = boxes_case(SIZE, {"kidney_left": np.s_[2:6, 4:8, 4:8], "kidney_right": np.s_[12:16, 4:8, 4:8]})
    made = run(case, "measure_axes", structure="kidney")
    assert {one.state for one in made.values()} == {State.NOT_MEASURABLE}
    assert run(case, "measure_axes", structure="kidney_left")["long_axis"].state is State.MEASURED
    assert run(case, "measure_structure", structure="kidney")["volume"].value == pytest.approx(0.128)


def test_uncertainty_is_half_of_the_outer_shell_and_shrinks_with_the_voxels() -> None:
    made = run(boxes_case(SIZE, {"liver": INNER}), "measure_structure", structure="liver")
    shell = 8 * 6 * 4 - 6 * 4 * 2
    assert made["volume"].uncertainty == pytest.approx(shell / 2 / 1000)
    fine = boxes_case((40, 36, 32), {"liver": np.s_[8:24, 10:22, 12:20]}, spacing=(0.5, 0.5, 0.5))
    finer = run(fine, "measure_structure", structure="liver")
    assert finer["volume"].value == pytest.approx(made["volume"].value)
    assert finer["volume"].uncertainty is not None
    assert made["volume"].uncertainty is not None
    assert finer["volume"].uncertainty < 0.7 * made["volume"].uncertainty
    assert run(boxes_case(SIZE, {"liver": INNER}), "measure_axes", structure="liver")["long_axis"].uncertainty == 1


def test_a_partial_volume_rim_widens_the_uncertainty_of_the_mean() -> None:
    sharp = boxes_case(SIZE, {"liver": INNER}, hu={"liver": 60})
    hu = sharp.scan.hu.copy()
    hu[INNER] = 0
    hu[5:11, 6:10, 7:9] = 60
    blurred = replace(sharp, scan=replace(sharp.scan, hu=hu))
    one, other = (run(case, "measure_structure", structure="liver")["hu_mean"] for case in (sharp, blurred))
    assert one.uncertainty == 0
    assert isinstance(other.value, float)
    assert other.uncertainty is not None
    assert other.uncertainty >= (60 - other.value) / 2
    single = boxes_case(SIZE, {"liver": np.s_[5:6, 5:6, 5:6]})
    assert run(single, "measure_structure", structure="liver")["volume"].uncertainty == pytest.approx(0.0005)


def test_slices_are_those_of_the_file() -> None:
    case = boxes_case(SIZE, {"liver": INNER})
    layer = np.zeros(SIZE, np.uint8)
    layer[5:9, 5:8, 6], layer[5:7, 5:8, 7:10] = 1, 1
    down = np.diag([1.0, 1, -1, 1])
    flipped = case_of(case.scan.hu, layer, down, {"liver": 1})
    assert run(flipped, "measure_axes", structure="liver")["long_axis"].slice == 6
    sideways = case_of(
        case.scan.hu.transpose(2, 0, 1),
        layer.transpose(2, 0, 1),
        np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]),
        {"liver": 1},
    )
    assert run(sideways, "measure_axes", structure="liver")["long_axis"].slice == 6
    assert sideways.scan.grid.shape == SIZE
