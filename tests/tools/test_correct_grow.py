"""A lesion that grows from a point: the same on every order of the axes, within its organ, doubts told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import UsageError
from tests.case_make import Ellipsoid, Order, affine_of, boxes_case, case_of, orders, paint, reorder
from tests.label_make import voxels
from tools.base import Case
from tools.correct import Corrected, correct
from tools.correct_model import Edit, Point
from tools.correct_place import component_at, voxel_at
from tools.volume import FloatArray

SIZE = (40, 36, 18)
SPACING = (1.5, 2.0, 4.0)
CENTRE = (4.0, -3.0, 6.0)
LESION = Ellipsoid("seen", (9.0, -6.0, 8.0), (7.0, 8.0, 9.0), hu=45)
ANATOMY = (
    Ellipsoid("liver", CENTRE, (26, 30, 31), hu=110),
    Ellipsoid("liver_cyst", (-9.0, 8.0, 2.0), (6, 6, 7), hu=5),
    LESION,
)


@pytest.fixture(scope="module", params=[((0, 0, 0), 0.0), ((11, -17, 24), 9.0)], ids=["straight", "oblique"])
def painted(request: pytest.FixtureRequest) -> tuple[NDArray[np.int16], NDArray[np.uint8], FloatArray]:
    turn, shear = request.param
    affine = affine_of(SPACING, SIZE, turn=turn, shear=shear, centre=CENTRE)
    hu, labels, numbers = paint(ANATOMY, SIZE, affine)
    # The lesion is in the scan, and in nobody's mask: its voxels are the liver's.
    labels[labels == numbers["seen"]] = numbers["liver"]
    noisy = hu + np.random.default_rng(3).normal(0, 8, SIZE)
    return np.rint(noisy).astype(np.int16), labels, affine


def _case(painted: tuple[NDArray[np.int16], NDArray[np.uint8], FloatArray], order: Order) -> Case:
    hu, labels, affine = painted
    moved, new = reorder(hu, affine, order)
    return case_of(moved, reorder(labels, affine, order)[0], new, {"liver": 1, "liver_cyst": 2})


def _world(case: Case, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Voxel centres of a mask in mm, in an order of their own."""
    points = np.round(case.scan.grid.world(np.argwhere(mask)), 3) + 0.0
    return points[np.lexsort(points.T)]


@pytest.mark.slow
def test_the_same_lesion_grows_on_every_order_of_the_axes(
    painted: tuple[NDArray[np.int16], NDArray[np.uint8], FloatArray],
) -> None:
    edits = [
        Edit(kind="add", structure="liver_tumor", point=LESION.centre),
        Edit(kind="remove", structure="liver_cyst", point=(-9.0, 8.0, 9.5)),
    ]
    first: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    for order in orders():
        case = _case(painted, order)
        made = correct(case, edits)
        found = (_world(case, voxels(made.labels, "liver_tumor")), _world(case, voxels(made.labels, "liver")))
        first = first or found
        assert all(np.array_equal(one, other) for one, other in zip(found, first, strict=True))
        assert not voxels(made.labels, "liver_cyst").any()
        tumour = made.changes[0].after
        assert tumour.lesions == 1 and made.changes[0].note == ""
        assert tumour.volume_cm3 == pytest.approx(LESION.volume, rel=0.25)


def test_a_lesion_stays_within_its_organ_and_its_reach() -> None:
    hu = {"liver": 100, "spleen": 30}
    case = boxes_case((40, 20, 20), {"liver": np.s_[2:20, 2:18, 2:18], "spleen": np.s_[20:38, 2:18, 2:18]}, hu=hu)
    dark = case.scan.hu.copy()
    dark[14:20, 8:12, 8:12] = 30
    case = replace(case, scan=replace(case.scan, hu=dark))
    made = _added(case, "liver_lesion", (17, 10, 10))
    grown = voxels(made.labels, "liver_lesion")
    assert grown[15:20, 9:11, 9:11].all() and not grown[20:].any()
    assert not voxels(_added(case, "liver_lesion", (17, 10, 10), radius=2).labels, "liver_lesion")[14].any()


def test_what_fills_all_or_has_a_few_voxels_is_doubtful() -> None:
    even = boxes_case((30, 30, 30), {"liver": np.s_[2:28, 2:28, 2:28]}, hu={"liver": 60})
    note = _added(even, "liver_lesion", (15, 15, 15)).changes[0].note
    assert note.endswith("it hardly stands out from what lies around it")
    small = boxes_case((30, 30, 30), {"liver": np.s_[13:17, 13:17, 13:17]}, hu={"liver": 60})
    hu = small.scan.hu.copy()
    hu[13:17, 13:17, 13] = 300
    note = (
        _added(replace(small, scan=replace(small.scan, hu=hu)), "liver_lesion", (15, 15, 16), radius=1).changes[0].note
    )
    assert "what was added" in note
    dark = boxes_case((30, 30, 30), {"liver": np.s_[2:28, 2:28, 2:28]}, hu={"liver": 100})
    hu = dark.scan.hu.copy()
    hu[6:25, 6:25, 6:25] = 20
    wide = replace(dark, scan=replace(dark.scan, hu=hu), labels=None)
    assert "fills all of the region" in _added(wide, "liver_lesion", (15, 15, 15), radius=9).changes[0].note


@pytest.mark.parametrize(
    ("structure", "index", "why"),
    [
        ("liver_lesion", (99, 0, 0), "lies outside of the scan"),
        ("liver_lesion", (25, 10, 10), "outside of the mask of the liver"),
        ("liver", (10, 10, 10), "only lesions can be added"),
        ("liver_cyst", (5, 5, 5), "has the point already"),
        ("something", (10, 10, 10), "only lesions can be added"),
    ],
)
def test_a_point_that_nothing_can_grow_from_is_refused(structure: str, index: tuple[int, int, int], why: str) -> None:
    boxes = {"liver": np.s_[2:20, 2:18, 2:18], "liver_cyst": np.s_[4:7, 4:7, 4:7]}
    case = boxes_case((40, 20, 20), boxes)
    with pytest.raises(UsageError, match=rf"^Edit 1 of 1 cannot be made: .*{why}.*\.$"):
        _added(case, structure, index)


def test_padding_is_no_place_for_a_lesion() -> None:
    case = boxes_case((20, 20, 20), {"spleen": np.s_[2:5, 2:5, 2:5]}, padding=-2000)
    hu = case.scan.hu.copy()
    hu[10:, :, :] = -2000
    case = replace(case, scan=replace(case.scan, hu=hu))
    with pytest.raises(UsageError, match="outside of the scan"):
        _added(case, "liver_lesion", (15, 10, 10))
    assert not voxels(_added(case, "liver_lesion", (8, 10, 10)).labels, "liver_lesion")[10:].any()


def test_a_point_on_the_edge_of_the_grid_belongs_to_it() -> None:
    case = boxes_case((6, 7, 8), {"liver": np.s_[0:6, 0:7, 0:8]})
    grid = case.scan.grid
    assert voxel_at(grid, _point(case, (5.4, 0, 0))) == (5, 0, 0)
    assert voxel_at(grid, _point(case, (5.6, 0, 0))) is None
    assert voxel_at(grid, _point(case, (-0.6, 0, 0))) is None


def test_of_two_that_are_equally_near_the_same_one_is_meant_on_every_order() -> None:
    hu = np.zeros((9, 9, 9), np.int16)
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[2, 4, 4] = labels[6, 4, 4] = 1
    affine = affine_of((1, 1, 1), (9, 9, 9))
    meant = set()
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, {"liver_lesion": 1})
        assert case.labels is not None
        mask = case.labels.region(case.labels.entries["liver_lesion"])
        assert mask is not None
        part = component_at(mask, case.scan.grid, (0.0, 0.0, 0.0))
        assert part is not None
        corner = [one.start for one in part.box]
        meant.add(tuple(np.round(case.scan.grid.world(np.array(corner)), 3)))
    assert meant == {(-2.0, 0.0, 0.0)}


def _point(case: Case, index: tuple[float, float, float]) -> Point:
    x, y, z = case.scan.grid.world(np.array(index))
    return float(x), float(y), float(z)


def _added(case: Case, structure: str, index: tuple[int, int, int], *, radius: float = 15.0) -> Corrected:
    return correct(case, [Edit(kind="add", structure=structure, point=_point(case, index), radius_mm=radius)])


def test_where_the_organ_is_not_known_other_organs_bound_the_lesion() -> None:
    boxes = {"body": np.s_[1:28, 1:24, 1:19], "spleen": np.s_[16:26, 3:22, 2:18]}
    case = boxes_case((30, 26, 20), boxes, hu={"spleen": 60, "body": 0})
    case.scan.hu[8:18, 8:14, 6:12] = 60
    made = correct(case, [Edit(kind="add", structure="liver_lesion", point=_point(case, (12, 11, 9)))])
    assert voxels(made.labels, "liver_lesion")[8:16, 8:14, 6:12].sum() > 200
    assert not (voxels(made.labels, "liver_lesion") & voxels(made.labels, "spleen")).any()
    with pytest.raises(UsageError, match="the point lies in the mask of the spleen; choose one outside of it"):
        correct(case, [Edit(kind="add", structure="liver_lesion", point=_point(case, (20, 11, 9)))])
