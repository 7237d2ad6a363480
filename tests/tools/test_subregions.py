"""Regions of organs: from labels, from the kidney's own axis, from landmarks, and refused where nothing tells them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.case_make import Ellipsoid, affine_of, boxes_case, case_of, orders, paint, reorder
from tools.base import Case
from tools.subregions import Subregions, Untold, finest, subregions
from tools.types import State

SIZE = (40, 30, 24)
PANCREAS = {"pancreas_head": np.s_[26:34, 10:16, 8:14], "pancreas_body": np.s_[16:26, 10:16, 8:14]}


def told(case: Case, organ: str) -> Subregions:
    found = subregions(case, organ)
    assert isinstance(found, Subregions), found
    return found


def refused(case: Case, organ: str) -> Untold:
    found = subregions(case, organ)
    assert isinstance(found, Untold)
    return found


def test_labels_give_the_regions_and_their_masks() -> None:
    case = boxes_case(SIZE, {**PANCREAS, "pancreas_tail": np.s_[6:16, 10:16, 8:14]})
    found = told(case, "pancreas")
    assert (found.ids, found.missing, found.landmarks) == (
        ("pancreas_head", "pancreas_body", "pancreas_tail"), (), False
    )  # fmt: skip
    tail = found.region("pancreas_tail")
    assert tail is not None
    assert tail.box == (slice(6, 16), slice(10, 16), slice(8, 14))
    assert tail.mask.all()


def test_a_region_without_a_class_is_missing_and_takes_no_voxel() -> None:
    found = told(boxes_case(SIZE, PANCREAS), "pancreas")
    assert found.missing == ("pancreas_tail",)
    # the voxel beside the body may belong to the tail
    assert found.numbers(np.array([[15, 12, 10], [16, 12, 10], [30, 12, 10]])).tolist() == [0, 2, 1]
    assert found.region("pancreas_tail") is None


def test_larger_regions_stand_in_for_smaller_ones() -> None:
    case = boxes_case(SIZE, {"liver_left_lobe": np.s_[2:10, 2:20, 2:20], "liver_right_lobe": np.s_[10:30, 2:20, 2:20]})
    found = told(case, "liver")
    assert set(found.ids) == {"liver_left_lobe", "liver_right_lobe"}
    assert found.missing == ("liver_segment_1",)
    assert found.holding("liver_segment_4") == ()
    lung = told(boxes_case(SIZE, {"lung_left": np.s_[2:9, 2:9, 2:9], "lung_right": np.s_[20:30, 2:9, 2:9]}), "lung")
    assert (set(lung.ids), lung.missing) == ({"lung_left", "lung_right"}, ())


@pytest.mark.parametrize(
    ("boxes", "organ", "state", "words"),
    [
        ({"liver": np.s_[2:30, 2:20, 2:20]}, "liver", State.NOT_ASSESSED, "too few landmarks"),
        ({"spleen": np.s_[2:30, 2:20, 2:20]}, "spleen", State.NOT_ASSESSED, "no regions"),
        ({"spleen": np.s_[2:30, 2:20, 2:20]}, "kidney_left", State.NOT_ASSESSED, "not labelled"),
        ({"kidney_left": np.s_[2:9, 2:9, 0:18]}, "kidney_left", State.NOT_MEASURABLE, "cut off"),
        ({"kidney_left": np.s_[2:30, 6:9, 6:9]}, "kidney_left", State.NOT_MEASURABLE, "lies across"),
        ({"lung_left": np.s_[2:9, 2:9, 2:18]}, "lung_left", State.NOT_ASSESSED, "do not tell the regions"),
    ],
)
def test_what_nothing_tells_apart_is_refused(boxes: dict[str, Any], organ: str, state: State, words: str) -> None:
    found = refused(boxes_case(SIZE, boxes), organ)
    assert found.state is state
    assert words in found.reason
    assert not any(letter.isdigit() for letter in found.reason)


def test_empty_region_classes_tell_nothing() -> None:
    case = boxes_case(SIZE, {"spleen": np.s_[2:9, 2:9, 2:9]}, empty=["pancreas_head", "pancreas_body", "pancreas_tail"])
    assert refused(case, "pancreas").state is State.NOT_ASSESSED


def test_a_side_without_regions_is_its_own_region() -> None:
    case = boxes_case(SIZE, {"adrenal_gland_left": np.s_[2:9, 2:9, 2:9], "adrenal_gland_right": np.s_[20:30, 2:9, 2:9]})
    assert told(case, "adrenal_gland_left").ids == ("adrenal_gland_left",)
    assert set(told(case, "adrenal_gland").ids) == {"adrenal_gland_left", "adrenal_gland_right"}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    spacing=st.tuples(*[st.floats(0.6, 5)] * 3),
    turn=st.tuples(*[st.floats(-40, 40)] * 3),
    shear=st.floats(-20, 20),
)
def test_voxels_outside_of_all_regions_go_to_the_nearest_in_mm(
    seed: int, spacing: tuple[float, ...], turn: tuple[float, ...], shear: float
) -> None:
    rng = np.random.default_rng(seed)
    layer = np.zeros((16, 14, 12), np.uint8)
    for number in (1, 2, 3):
        low = rng.integers(1, 9, 3)
        layer[tuple(slice(a, a + b) for a, b in zip(low, rng.integers(1, 5, 3), strict=True))] = number
    layer[5:9, 5:9, 4:8] = 0
    names = {"pancreas_head": 1, "pancreas_body": 2, "pancreas_tail": 3}
    case = case_of(
        np.zeros(layer.shape, np.int16), layer, affine_of(spacing, layer.shape, turn=turn, shear=shear), names
    )
    if not layer.any():
        return
    assert case.labels is not None
    index, grid = case.labels.layers[0], case.scan.grid
    at = np.argwhere(np.ones(index.shape, dtype=np.bool_))
    found = told(case, "pancreas").numbers(at)
    filled = np.argwhere(index)
    gaps = np.linalg.norm(grid.world(at)[:, None] - grid.world(filled)[None], axis=2)
    own = index[tuple(filled.T)]
    for number in (1, 2, 3):
        here = found == number
        if here.any():
            nearest = gaps[here][:, own == number]
            assert nearest.size
            # what is nearer by less than a millionth counts as equally near
            assert (nearest.min(axis=1) <= gaps[here].min(axis=1) + 1e-5).all()
    assert (found > 0).all()


def test_thirds_of_a_tilted_kidney_follow_its_own_axis_in_every_order() -> None:
    size, turn = (44, 40, 36), (35.0, 20.0, 10.0)
    affine = affine_of((2, 2, 3), size, turn=(5, -8, 12), shear=6)
    kidney = Ellipsoid("kidney_left", (0, 0, 0), (13, 15, 38), turn=turn)
    hu, labels, numbers = paint([kidney, Ellipsoid("liver", (34, 0, 0), (5, 5, 5))], size, affine)
    direction = np.linalg.eigh(kidney.form)[1][:, 0]
    direction *= np.sign(direction[2])
    plain: NDArray[np.uint8] | None = None
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, numbers)
        found = told(case, "kidney_left")
        assert found.place is not None
        at = np.argwhere(found.place.mask) + [s.start for s in found.place.box]
        along = case.scan.grid.world(at) @ direction
        got = found.numbers(at)
        if plain is None:
            truth = np.where(along > 38 / 3, 1, np.where(along < -38 / 3, 3, 2))
            assert (got == truth).mean() > 0.95
            assert (np.abs(np.abs(along[got != truth]) - 38 / 3) < 4).all()
            plain = got
        assert (got == plain).all()
    assert found.ids == ("kidney_upper_pole_left", "kidney_interpolar_left", "kidney_lower_pole_left")


def test_the_finest_regions_of_a_pair_are_those_of_each_side_as_far_as_they_are_told() -> None:
    boxes = {"kidney_left": np.s_[2:9, 2:9, 2:20], "kidney_right": np.s_[20:28, 2:9, 0:18]}
    case = boxes_case(SIZE, boxes)
    assert set(told(case, "kidney").ids) == {"kidney_left", "kidney_right"}
    assert case.labels is not None
    fine = finest(case.labels, "kidney")
    assert isinstance(fine, Subregions)
    assert set(fine.ids) == {
        "kidney_right", "kidney_upper_pole_left", "kidney_interpolar_left", "kidney_lower_pole_left"
    }  # fmt: skip
    names = [fine.ids[n - 1] for n in fine.numbers(np.array([[4, 4, 3], [4, 4, 11], [4, 4, 19], [24, 4, 4]]))]
    assert names == ["kidney_lower_pole_left", "kidney_interpolar_left", "kidney_upper_pole_left", "kidney_right"]


# -- landmarks ------------------------------------------------------------------------------------------------

WIDE = (60, 40, 30)
"""Indices run to the patient's right, to the front and upwards; 3 mm apart."""


def landmarks_case(*leave_out: str) -> Case:
    """A block of liver with a vena cava, three veins that leave it, a gallbladder and a portal vein."""
    middle = np.zeros(WIDE, np.uint8)
    middle[8:56, 4:36, 3:27] = 1
    vessels = np.zeros(WIDE, np.uint8)
    vessels[26:30, 7:11, 1:29] = 1
    for number in range(8, 26):  # veins 0°, ±45° about the vena cava's middle at 27.5, 8.5
        vessels[28 + number - 2 : 28 + number, 8 + number : 10 + number, 20:23] = 2
        vessels[27:29, 8 + number : 10 + number, 20:23] = 2
        vessels[max(0, 27 - number) : 29 - number, 8 + number : 10 + number, 20:23] = 2
    vessels[20:36, 20:23, 14:16] = 3
    vessels[26:30, 30:36, 2:6] = 4
    names = {
        "liver": (0, 1), "inferior_vena_cava": (1, 1), "hepatic_vein": (1, 2), "portal_vein": (1, 3),
        "gallbladder": (1, 4),
    }  # fmt: skip
    kept = {name: key for name, key in names.items() if name not in leave_out}
    return case_of(np.zeros(WIDE, np.int16), [middle, vessels], affine_of((3, 3, 3), WIDE), kept)


SPOTS = {
    "liver_segment_2": (10, 20, 24), "liver_segment_3": (10, 20, 6), "liver_segment_4": (22, 34, 20),
    "liver_segment_5": (36, 34, 6), "liver_segment_8": (36, 34, 24), "liver_segment_6": (50, 12, 6),
    "liver_segment_7": (50, 12, 24), "liver_segment_1": (23, 11, 15),
}  # fmt: skip


def test_liver_segments_from_the_hepatic_veins_and_the_portal_vein() -> None:
    found = told(landmarks_case(), "liver")
    assert (len(found.ids), found.landmarks, found.missing) == (8, True, ())
    assert found.tolerance_mm > 0
    assert "hepatic veins" in found.method
    numbers = found.numbers(np.array(list(SPOTS.values())))
    assert [found.ids[n - 1] for n in numbers] == list(SPOTS)
    whole = [found.region(ident) for ident in found.ids]
    assert sum(one.voxels for one in whole if one is not None) == 48 * 32 * 24


@pytest.mark.parametrize("missing", ["hepatic_vein", "portal_vein"])
def test_with_fewer_landmarks_only_the_lobes_are_told(missing: str) -> None:
    found = told(landmarks_case(missing), "liver")
    assert found.ids == ("liver_left_lobe", "liver_right_lobe")
    assert found.missing == ("liver_segment_1",)
    assert ("gallbladder" in found.method) == (missing == "hepatic_vein")
    assert found.numbers(np.array([SPOTS["liver_segment_3"], SPOTS["liver_segment_6"]])).tolist() == [1, 2]


def test_without_the_vena_cava_nothing_is_told_of_the_liver() -> None:
    assert refused(landmarks_case("inferior_vena_cava"), "liver").state is State.NOT_ASSESSED
    assert refused(landmarks_case("hepatic_vein", "gallbladder"), "liver").state is State.NOT_ASSESSED


def test_the_pancreas_is_parted_at_the_left_borders_of_vein_and_aorta() -> None:
    boxes = {
        "pancreas": np.s_[4:34, 14:18, 8:14], "superior_mesenteric_vein": np.s_[24:28, 10:13, 2:12],
        "aorta": np.s_[16:20, 4:8, 0:24],
    }  # fmt: skip
    found = told(boxes_case(SIZE, boxes), "pancreas")
    assert found.landmarks
    at = np.array([[33, 15, 10], [24, 15, 10], [23, 15, 10], [16, 15, 10], [15, 15, 10], [4, 15, 10]])
    assert found.numbers(at).tolist() == [1, 1, 2, 2, 3, 3]
    del boxes["aorta"]
    assert refused(boxes_case(SIZE, boxes), "pancreas").state is State.NOT_ASSESSED


def test_full_labels_go_before_landmarks_and_landmarks_before_some_labels() -> None:
    boxes = {
        "superior_mesenteric_vein": np.s_[24:28, 4:8, 2:12], "aorta": np.s_[16:20, 4:8, 0:24], **PANCREAS,
    }  # fmt: skip
    assert told(boxes_case(SIZE, boxes), "pancreas").landmarks
    boxes["pancreas_tail"] = np.s_[6:16, 10:16, 8:14]
    assert not told(boxes_case(SIZE, boxes), "pancreas").landmarks
