"""A lesion far from the organ that its label names has no place in it, on any grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.wording import describe
from tests.case_make import affine_of, boxes_case, case_of, orders, reorder, run
from tools.attached import apart
from tools.base import Case
from tools.lesion_list import lesion_list
from tools.lesion_place import place
from tools.registry import load_tools
from tools.subregions import Subregions, subregions
from tools.types import State

SIZE = (60, 30, 20)
LIVER = {f"liver_segment_{n}": np.s_[2 + 4 * (n - 1) : 2 + 4 * n, 4:26, 4:16] for n in range(1, 9)}
"""Columns 2 to 34 along the first axis."""


def liver(lesion: Any, **more: Any) -> Case:
    return boxes_case(SIZE, {**LIVER, "liver_lesion": lesion}, **more)


def is_apart(case: Case, organ: str = "liver", structure: str = "liver_lesion") -> list[bool]:
    assert case.labels is not None
    return [apart(case.labels, organ, one.region) for one in lesion_list(case, structure).every]


@pytest.mark.parametrize(("gap", "expected"), [(0, False), (1, False), (5, False), (6, True), (20, True)])
def test_a_seam_is_no_distance(gap: int, expected: bool) -> None:
    """The liver's last voxel ends at column 34; the surfaces lie `gap` mm from each other."""
    assert is_apart(liver(np.s_[34 + gap : 38 + gap, 10:14, 8:12])) == [expected]


def test_distance_is_in_millimetres_and_not_in_voxels() -> None:
    assert is_apart(liver(np.s_[37:40, 10:14, 8:12], spacing=(2.0, 1.0, 1.0))) == [True]
    assert is_apart(liver(np.s_[44:48, 10:14, 8:12], spacing=(0.5, 1.0, 1.0))) == [False]


def test_a_lesion_that_hangs_on_the_organ_by_another_lies_in_it() -> None:
    bridge, far = np.s_[34:44, 10:14, 8:12], np.s_[44:48, 10:14, 8:12]
    case = boxes_case(SIZE, {**LIVER, "liver_hcc": bridge, "liver_cyst": far})
    assert is_apart(case, structure="liver_cyst") == [False]
    assert is_apart(boxes_case(SIZE, {**LIVER, "liver_cyst": far}), structure="liver_cyst") == [True]


def test_of_an_organ_without_voxels_nothing_is_told() -> None:
    assert is_apart(boxes_case(SIZE, {"liver_lesion": np.s_[40:44, 4:8, 4:8]}, empty=["liver"])) == [False]


def test_no_region_is_told_and_the_answer_says_why() -> None:
    case = liver(np.s_[48:54, 10:14, 8:12])
    found = run(case, "largest_lesion_region", structure="liver_lesion")["largest_lesion_region"]
    assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
    assert "apart from the liver as labelled" in describe(found, {found.id: found}).text
    told = subregions(case, "liver")
    assert isinstance(told, Subregions)
    where = place(lesion_list(case, "liver_lesion").every[0].region, told)
    assert (where.main, where.held, where.doubtful, where.rivals, where.apart) == (None, [], [], [], True)
    made = load_tools()["lesions_in_regions"].call(case, {"structure": "liver_lesion"})
    assert {one.value for one in made if one.quantity == "region_lesion_count"} == {0}
    top = next(one for one in made if one.quantity == "top_region_share")
    assert top.state is State.NOT_MEASURABLE


def test_the_table_tells_no_place_in_the_organ() -> None:
    made = load_tools()["lesion_table"].call(liver(np.s_[48:54, 10:14, 8:12]), {"structure": "liver_lesion"})
    table, row = made
    assert "apart from the liver as labelled" in str(table.reason)
    assert (row.details["region"], row.details["regions"]) == (None, {})
    text = describe(row, {row.id: row}).text
    assert "It lies apart from the liver" in text and "in the liver" not in text


def test_one_astray_among_others_is_said_beside_the_count() -> None:
    case = liver([np.s_[10:14, 10:14, 8:12], np.s_[50:54, 10:14, 8:12]])
    count = run(case, "lesion_components", structure="liver_lesion")["lesion_count"]
    assert count.value == 2
    assert "some lie apart from the liver" in str(count.reason)


@pytest.mark.slow
def test_on_every_order_of_an_oblique_anisotropic_grid() -> None:
    spacing = (0.9, 1.3, 2.1)
    labels = np.zeros((40, 24, 16), np.uint8)
    labels[2:20, 4:20, 2:14], labels[21:24, 6:9, 4:7], labels[30:33, 6:9, 4:7] = 1, 2, 2
    affine = affine_of(spacing, labels.shape, turn=(20, -15, 30), shear=12)
    names = {"liver": (0, 1), "liver_lesion": (0, 2)}
    for order in orders():
        moved, new = reorder(labels, affine, order)
        case = case_of(np.where(moved > 0, 60, -80).astype(np.int16), [moved], new, names)
        assert case.labels is not None
        every = lesion_list(case, "liver_lesion").every
        centres = sorted(apart(case.labels, "liver", one.region) for one in every)
        assert centres == [False, True], order
