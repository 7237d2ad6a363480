"""What a viewer is told of masks: the same in every order of the file, with points inside of the structures."""

from __future__ import annotations

import numpy as np
import pytest

from agent.web.mask_view import MasksOut, masks_of
from agent.web.volumes import voxel_at
from tests.case_make import Ellipsoid, Order, affine_of, case_of, orders, paint, reorder
from tools.base import Case

SIZE = (36, 30, 24)
AFFINE = affine_of((2.0, 2.5, 4.0), SIZE, turn=(8, -12, 20), shear=6, centre=(5, -20, 300))
LIVER = Ellipsoid("liver", (0, -15, 300), (26, 24, 34), hu=60)
LESIONS = [
    Ellipsoid("liver_lesion", (-8, -18, 310), (8, 8, 9), hu=20),
    Ellipsoid("liver_lesion", (12, -10, 288), (5, 5, 6), hu=20),
]


def _case(order: Order = ((0, 1, 2), (False, False, False))) -> Case:
    hu, labels, numbers = paint([LIVER, *LESIONS], SIZE, AFFINE)
    moved, affine = reorder(hu, AFFINE, order)
    return case_of(moved, reorder(labels, AFFINE, order)[0], affine, {**numbers, "liver_cyst": 9})


@pytest.fixture(scope="module")
def told() -> MasksOut:
    return masks_of(_case())


def test_lesions_are_listed_the_largest_first_where_they_lie(told: MasksOut) -> None:
    assert [one.id for one in told.lesions] == ["liver_lesion#1", "liver_lesion#2"]
    for one, shape in zip(told.lesions, LESIONS, strict=True):
        assert one.centre_mm == pytest.approx(shape.centre, abs=2.0)
        assert one.volume_cm3 == pytest.approx(shape.volume, rel=0.25)


@pytest.mark.parametrize("order", list(orders()))
def test_points_are_the_same_in_every_order_of_the_file(order: Order, told: MasksOut) -> None:
    case = _case(order)
    found = masks_of(case)
    assert [one.centre_mm for one in found.lesions] == [pytest.approx(one.centre_mm, abs=1e-6) for one in told.lesions]
    for lesion in found.lesions:
        # Who goes to a lesion comes to the slice that the list names, and to the lesion.
        there = voxel_at(case, lesion.centre_mm)
        assert there.file_slice == lesion.slice
        assert lesion.structure in there.structures
    for one in found.structures:
        assert one.centre_mm is not None
        # The point is a voxel of the structure itself, at its attenuation.
        at = voxel_at(case, one.centre_mm)
        assert one.id in at.structures
        assert at.hu == (60 if one.id == "liver" else 20)


def test_the_middle_of_a_curved_structure_lies_in_it() -> None:
    i, j, k = np.ogrid[:40, :40, :12]
    away = np.hypot(i - 20, j - 20)
    ring = ((away > 13) & (away < 17) & (k >= 0)).astype(np.uint8)
    case = case_of(np.zeros(ring.shape, np.int16), ring, affine_of((1, 1, 3), ring.shape), {"colon": 1})
    (colon,) = masks_of(case).structures
    assert colon.centre_mm is not None
    assert voxel_at(case, colon.centre_mm).structures == ("colon",)


def test_classes_without_a_voxel_may_be_added_to_and_others_not(told: MasksOut) -> None:
    assert "liver_cyst" not in {one.id for one in told.structures}
    ids = [one.id for one in told.addable]
    assert {"liver_cyst", "liver_metastasis", "liver_hcc"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "liver_lesion" not in ids  # it is there to be edited
    assert "liver_rcc" not in ids  # no such tumour of the liver
    assert {one.organ for one in told.addable} == {"liver"}


def test_colours_differ_and_overlapping_layers_are_kept_apart() -> None:
    hu = np.zeros((12, 10, 8), np.int16)
    liver, segment = np.zeros(hu.shape, np.uint8), np.zeros(hu.shape, np.uint8)
    liver[2:10, 2:8, 1:7] = 1
    segment[2:5, 2:8, 1:7] = 4
    case = case_of(hu, [liver, segment], affine_of((1, 1, 1), hu.shape), {"liver": (0, 1), "liver_segment_4": (1, 4)})
    found = masks_of(case)
    assert [one.labels for one in found.layers] == [1, 1]
    assert {one.id: one.keys for one in found.structures} == {"liver": ((0, 1),), "liver_segment_4": ((1, 4),)}
    assert len({one.colour for one in found.structures}) == 2
    assert {one.organ for one in found.addable} == {"liver"}  # a segment is no organ of its own


def test_a_case_without_labels_has_no_masks() -> None:
    case = _case()
    bare = Case(scan=case.scan)
    assert masks_of(bare) == MasksOut(source="no masks")


def test_a_structure_keeps_its_colour_when_others_come(told: MasksOut) -> None:
    hu, labels, numbers = paint([LIVER, *LESIONS, Ellipsoid("spleen", (25, 5, 300), (8, 8, 9), hu=90)], SIZE, AFFINE)
    more = masks_of(case_of(hu, labels, AFFINE, numbers))
    now = {one.id: one.colour for one in more.structures}
    assert "spleen" in now
    assert {one.id: now[one.id] for one in told.structures} == {one.id: one.colour for one in told.structures}
