"""Distances between surfaces and neighbours, against analytic and brute-force truth."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from agent.errors import ToolError
from tests.case_make import Ellipsoid, affine_of, boxes_case, case_of, orders, paint, reorder, run
from tests.said import say_all
from tools.base import Case
from tools.registry import load_tools
from tools.surface import gap
from tools.types import Evidence, State
from tools.volume import Grid, Region

SIZE = (24, 22, 20)


def _box(i: int, j: int, k: int, size: int = 4) -> Any:
    return np.s_[i : i + size, j : j + size, k : k + size]


def _distance(case: Case, first: str, second: str) -> Evidence:
    return run(case, "surface_distance", first=first, second=second)["distance"]


def _length(one: Evidence) -> float:
    assert isinstance(one.value, float)
    return one.value


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.8, 5.0)])
@pytest.mark.parametrize(
    ("steps", "empty"), [((6, 0, 0), (2, 0, 0)), ((0, 7, 0), (0, 3, 0)), ((6, 5, 9), (2, 1, 5)), ((4, 0, 0), (0, 0, 0))]
)
def test_boxes_are_as_far_apart_as_their_faces(
    spacing: tuple[float, float, float], steps: tuple[int, int, int], empty: tuple[int, int, int]
) -> None:
    boxes = {"liver": _box(4, 4, 4), "spleen": _box(4 + steps[0], 4 + steps[1], 4 + steps[2])}
    found = _distance(boxes_case(SIZE, boxes, spacing=spacing), "liver", "spleen")
    truth = float(np.linalg.norm(np.multiply(empty, spacing)))
    assert found.state is State.MEASURED
    assert _length(found) == pytest.approx(truth, abs=1e-3)
    assert (found.unit, found.target) == ("mm", "liver+spleen")
    assert found.uncertainty is not None
    # the centres of the nearest voxels are a voxel farther apart
    centres = np.where(np.array(steps) > 0, np.multiply(np.add(empty, 1), spacing), 0.0)
    open_ = max(float(np.linalg.norm(centres)) - truth, min(spacing)) + max(spacing) ** 2 / 40
    assert found.uncertainty == pytest.approx(open_, abs=1e-3)


def test_corners_that_meet_and_masks_that_overlap_touch() -> None:
    corner = boxes_case(SIZE, {"liver": _box(4, 4, 4), "spleen": _box(8, 8, 8)})
    assert _length(_distance(corner, "liver", "spleen")) == 0.0
    layers = [np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)]
    layers[0][3:17, 3:17, 3:17] = 1
    layers[1][8:11, 8:11, 8:11] = 1  # far from the surface of the first
    case = case_of(np.zeros(SIZE, np.int16), layers, affine_of((1, 1, 1), SIZE), {"liver": (0, 1), "spleen": (1, 1)})
    found = _distance(case, "liver", "spleen")
    assert _length(found) == 0.0
    assert found.reason == "they touch"


def test_organs_are_taken_with_their_lesions() -> None:
    case = boxes_case(SIZE, {"liver": _box(4, 4, 4), "liver_lesion": _box(8, 4, 4), "spleen": _box(14, 4, 4)})
    assert _length(_distance(case, "liver", "spleen")) == 2.0
    assert _length(_distance(case, "liver_lesion", "liver")) == 0.0


_angle = st.floats(-40, 40)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    turn=st.tuples(_angle, _angle, _angle),
    shear=st.floats(-25, 25),
    spacing=st.tuples(st.floats(0.8, 2.5), st.floats(0.8, 2.5), st.floats(0.8, 5.0)),
    way=st.tuples(_angle, _angle, _angle),
    between=st.floats(0.5, 12),
)
def test_spheres_on_any_grid_are_as_far_apart_as_they_are(
    turn: tuple[float, ...], shear: float, spacing: tuple[float, ...], way: tuple[float, ...], between: float
) -> None:
    direction = np.add(way, (0.1, 0.0, 0.0))
    direction /= np.linalg.norm(direction)
    apart = tuple(float(x) for x in direction * (15 + between))
    size = tuple(int(np.ceil(64 / step)) + 4 for step in spacing)
    affine = affine_of(spacing, size, turn=turn, shear=shear, centre=[one / 2 for one in apart])
    shapes = (Ellipsoid("liver", (0, 0, 0), (8, 8, 8)), Ellipsoid("spleen", (apart[0], apart[1], apart[2]), (7, 7, 7)))
    hu, labels, numbers = paint(shapes, (size[0], size[1], size[2]), affine)
    found = _distance(case_of(hu, labels, affine, numbers), "liver", "spleen")
    assert found.uncertainty is not None
    assert abs(_length(found) - between) <= found.uncertainty
    assert found.uncertainty <= 2 * np.linalg.norm(spacing)


@pytest.mark.slow
@pytest.mark.parametrize("shear", [0.0, 20.0, -30.0])
def test_sheared_voxels_are_as_far_apart_as_their_bodies(shear: float) -> None:
    """Against the exact distance of parallelepipeds, solved as a bounded least-squares problem for each pair."""
    rng = np.random.default_rng(11)
    size = (12, 12, 12)
    grid = Grid(size, affine_of((1.0, 1.3, 2.1), size, turn=(20, 10, -35), shear=shear))
    axes = grid.affine[:3, :3]
    for _ in range(12):
        masks = [np.zeros(size, bool), np.zeros(size, bool)]
        for mask, low in zip(masks, (0, 6), strict=True):
            mask[tuple(rng.integers(low, low + 5, (3, 4)))] = True
        regions = [Region((slice(0, 12), slice(0, 12), slice(0, 12)), mask) for mask in masks]
        exact = min(
            float(np.linalg.norm(axes @ (a - b) - axes @ lsq_linear(axes, axes @ (a - b), (-1, 1), tol=1e-12).x))
            for a, b in itertools.product(*(np.argwhere(mask) for mask in masks))
        )
        found = gap(regions[0], regions[1], grid)
        assert -1e-6 <= found.mm - exact <= (1e-6 if shear == 0 else 0.25)


def test_every_order_of_the_file_gives_the_same_distances() -> None:
    affine = affine_of((1.5, 2.0, 3.0), (20, 18, 14), turn=(10, -15, 20), shear=8)
    shapes = (
        Ellipsoid("pancreas_tumor", (0, 0, 0), (5, 5, 6)),
        Ellipsoid("stomach", (9, 6, 0), (4, 4, 6)),
        Ellipsoid("duodenum", (-9, -2, 3), (3, 4, 6)),
    )
    hu, labels, numbers = paint(shapes, (20, 18, 14), affine)
    expected = None
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, numbers)
        one = run(case, "adjacent_structures", structure="pancreas_tumor", within_mm=6.0)["adjacent"]
        expected = expected or one
        assert one == expected
    assert expected is not None
    assert expected.details["looked"] == ["duodenum", "stomach"]


class TestCutOff:
    """A distance to what is cut off is known only where its unseen part cannot be nearer."""

    def test_the_unseen_part_is_farther(self) -> None:
        case = boxes_case(SIZE, {"liver": np.s_[4:8, 4:8, 14:20], "spleen": np.s_[10:14, 4:8, 4:16]})
        found = _distance(case, "liver", "spleen")
        assert (found.state, found.value) == (State.MEASURED, 2.0)

    @pytest.mark.parametrize("top", [19, 20])
    def test_the_unseen_part_may_be_nearer(self, top: int) -> None:
        case = boxes_case(SIZE, {"liver": np.s_[4:8, 4:8, 14:20], "spleen": np.s_[10:14, 4:8, 4:top]})
        found = _distance(case, "liver", "spleen")
        assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
        assert found.details["upper_bound"] == 2.0
        assert "field of view" in str(found.reason)
        assert "It is at most 2.0" in say_all([found])[0]
        # a bound that decides, decides
        near = load_tools()["compare_number"].call(
            _knowing(case, found), {"item": found.id, "comparator": "le", "number": 4.0, "unit": "mm"}
        )
        assert near[-1].value is True

    def test_what_touches_cannot_be_nearer(self) -> None:
        case = boxes_case(SIZE, {"liver": np.s_[4:8, 4:8, 14:20], "spleen": np.s_[8:14, 4:8, 4:20]})
        assert _distance(case, "liver", "spleen").value == 0.0

    def test_parts_that_nobody_labelled_may_be_nearer(self) -> None:
        case = boxes_case(SIZE, {"lung_upper_lobe_left": _box(4, 4, 4), "spleen": _box(10, 4, 4)})
        found = _distance(case, "lung_left", "spleen")
        assert (found.state, found.details["upper_bound"]) == (State.NOT_MEASURABLE, 2.0)


def _knowing(case: Case, *made: Evidence) -> Case:
    return Case(scan=case.scan, labels=case.labels, evidence={one.id: one for one in made})


def test_what_was_not_looked_for_has_no_distance() -> None:
    case = boxes_case(SIZE, {"liver": _box(4, 4, 4), "kidney_left": _box(14, 4, 4)}, empty=("liver_lesion",))
    assert _distance(case, "liver", "stomach").state is State.NOT_ASSESSED
    assert _distance(case, "liver_lesion", "kidney_left").state is State.ABSENT
    cut = boxes_case(SIZE, {"liver": _box(0, 4, 4), "kidney_left": _box(14, 4, 4)}, empty=("liver_lesion",))
    assert _distance(cut, "liver_lesion", "kidney_left").state is State.NOT_MEASURABLE
    none = Case(scan=case.scan)
    assert _distance(none, "liver", "kidney_left").state is State.NOT_ASSESSED
    for pair in (("liver", "liver"), ("liver", "liver_segment_4"), ("kidney_left", "kidney")):
        with pytest.raises(ToolError):
            _distance(case, *pair)


class TestNeighbours:
    """What lies next to a structure."""

    BOXES: ClassVar[dict[str, Any]] = {
        "pancreas": np.s_[4:12, 4:8, 4:8],
        "pancreas_tumor": np.s_[12:16, 4:8, 4:8],
        "pancreas_cyst": np.s_[12:14, 8:10, 4:8],
        "duodenum": np.s_[18:22, 4:8, 4:8],
        "stomach": np.s_[12:16, 9:12, 4:8],
        "spleen": np.s_[12:16, 17:20, 4:8],
        "portal_vein": np.s_[12:16, 4:8, 9:11],
        "liver_segment_4": np.s_[12:16, 4:8, 14:18],
    }  # fmt: skip

    def _made(self, **more: Any) -> list[Evidence]:
        case = boxes_case(SIZE, self.BOXES, empty=("colon", "liver_segment_5"))
        return load_tools()["adjacent_structures"].call(case, {"structure": "pancreas_tumor", **more})

    def test_nearest_first_without_the_own_organ_and_lesions(self) -> None:
        near, *rest = self._made()
        assert near.value == "stomach, duodenum"
        assert near.details["structures"] == ["stomach", "duodenum"]
        assert near.details["distances"] == {"stomach": 1.0, "duodenum": 2.0}
        assert near.details["looked"] == ["duodenum", "liver", "spleen", "stomach"]
        assert [(one.quantity, one.target, one.value) for one in rest] == [
            ("distance", "pancreas_tumor+stomach", 1.0),
            ("distance", "pancreas_tumor+duodenum", 2.0),
        ]
        assert "Within 4.00 mm of the pancreas tumor: stomach, duodenum." in say_all([near, *rest])[0]

    def test_the_limit_itself_is_near_and_open(self) -> None:
        near = self._made(within_mm=6.0)[0]
        assert near.details["structures"] == ["stomach", "duodenum", "liver"]
        assert near.details["at_the_limit"] == ["liver"]
        assert self._made(within_mm=5.5)[0].details["at_the_limit"] == ["liver"]
        assert self._made(within_mm=5.5)[0].details["structures"] == ["stomach", "duodenum"]

    def test_vessels_are_asked_for(self) -> None:
        near = self._made(kinds=["vessel"])[0]
        assert (near.value, near.details["looked"]) == ("portal vein", ["portal_vein"])

    def test_none_near_says_only_what_was_looked_at(self) -> None:
        near, *rest = self._made(within_mm=0.5)
        assert (near.state, near.value, rest) == (State.MEASURED, "none of those looked at", [])
        assert self._made(kinds=["bone"])[0].state is State.NOT_ASSESSED

    def test_an_organ_has_neighbours_too(self) -> None:
        case = boxes_case(SIZE, self.BOXES)
        near = run(case, "adjacent_structures", structure="pancreas")["adjacent"]
        assert near.details["structures"] == ["stomach", "duodenum"]
        liver = run(case, "adjacent_structures", structure="liver_segment_4", kinds=["vessel"])["adjacent"]
        assert liver.details["distances"] == {"portal_vein": 3.0}

    def test_a_cut_off_lesion_may_have_more(self) -> None:
        boxes = {
            "liver": np.s_[2:9, 2:9, 2:9],
            "liver_lesion": np.s_[9:12, 2:9, 0:9],
            "stomach": np.s_[14:18, 2:9, 2:9],
        }
        near, distance = load_tools()["adjacent_structures"].call(
            boxes_case(SIZE, boxes), {"structure": "liver_lesion"}
        )
        assert near.value == "stomach"
        assert "more beyond" in str(near.reason)
        assert distance.state is State.MEASURED or distance.details["upper_bound"] == 2.0

    def test_one_lesion_of_several(self) -> None:
        lesions = [np.s_[10:14, 4:8, 4:8], np.s_[4:7, 14:17, 4:7]]
        boxes = {"liver": np.s_[2:10, 2:18, 2:10], "liver_lesion": lesions, "stomach": np.s_[15:18, 4:8, 4:8]}
        case = boxes_case(SIZE, boxes, settings=None)
        first = run(case, "adjacent_structures", structure="liver_lesion#1")["adjacent"]
        assert first.details["structures"] == ["stomach"]
        third = run(case, "adjacent_structures", structure="liver_lesion#3")["adjacent"]
        assert third.state is State.ABSENT
