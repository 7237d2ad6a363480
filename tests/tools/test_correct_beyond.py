"""A lesion that grows out of its organ, or whose organ's mask is cut short: drawn by a person, within limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import UsageError
from tests.case_make import Ellipsoid, affine_of, boxes_case, case_of, orders, paint, reorder
from tests.label_make import voxels
from tools.base import Case
from tools.correct import Corrected, correct
from tools.correct_model import Edit, Point
from tools.look import look
from tools.structures import resolve
from tools.volume import FloatArray

SIZE = (36, 34, 16)
SPACING = (1.5, 2.0, 4.0)
CENTRE = (4.0, -3.0, 6.0)
# Its centre lies 6 mm outside of the organ, its inner third within it.
LESION = Ellipsoid("seen", (4.0, -26.0, 6.0), (9.0, 10.0, 11.0), hu=60)
ANATOMY = (
    Ellipsoid("body", CENTRE, (60, 60, 60), hu=-100),
    Ellipsoid("kidney_left", CENTRE, (14, 17, 22), hu=180),
    LESION,
)


@pytest.fixture(scope="module", params=[((0, 0, 0), 0.0), ((11, -17, 24), 9.0)], ids=["straight", "oblique"])
def painted(request: pytest.FixtureRequest) -> tuple[NDArray[np.int16], NDArray[np.uint8], FloatArray]:
    turn, shear = request.param
    affine = affine_of(SPACING, SIZE, turn=turn, shear=shear, centre=CENTRE)
    hu, labels, numbers = paint(ANATOMY, SIZE, affine)
    # The lesion is in the scan, and in nobody's mask.
    labels[labels == numbers["seen"]] = numbers["body"]
    noisy = hu + np.random.default_rng(3).normal(0, 8, SIZE)
    return np.rint(noisy).astype(np.int16), labels, affine


def _edit(point: Point, structure: str = "kidney_tumor", **more: Any) -> Edit:
    return Edit(kind="add", structure=structure, point=point, **{"beyond_organ": True, **more})


def test_an_exophytic_lesion_grows_the_same_on_every_order_of_the_axes(
    painted: tuple[NDArray[np.int16], NDArray[np.uint8], FloatArray],
) -> None:
    hu, labels, affine = painted
    first: NDArray[np.float64] | None = None
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, {"body": 1, "kidney_left": 2})
        assert case.labels is not None
        made = correct(case, [_edit(LESION.centre, radius_mm=18)])
        mask = voxels(made.labels, "kidney_tumor")
        points = np.round(case.scan.grid.world(np.argwhere(mask)), 3) + 0.0
        points = points[np.lexsort(points.T)]
        first = points if first is None else first
        assert np.array_equal(points, first)
        (change,) = made.changes
        assert change.after.lesions == 1
        assert change.after.volume_cm3 == pytest.approx(LESION.volume, rel=0.25)
        assert change.note.endswith("of what a person added lies outside of the mask of the kidney")
        assert np.array_equal(voxels(made.labels, "kidney_left"), voxels(case.labels, "kidney_left"))


def _point(case: Case, index: tuple[int, int, int]) -> Point:
    x, y, z = case.scan.grid.world(np.array(index))
    return float(x), float(y), float(z)


def _case(more: dict[str, Any] | None = None) -> Case:
    """A kidney whose mask is cut short at i = 14, the spleen beyond a gap, and a lesion in the gap."""
    boxes = {"kidney_left": np.s_[2:14, 4:20, 4:20], "spleen": np.s_[24:30, 4:20, 4:20], **(more or {})}
    case = boxes_case((70, 24, 24), boxes, hu={"kidney_left": 180, "spleen": 110})
    hu = case.scan.hu.copy()
    hu[14:24, :, :] = -100
    hu[30:, :, :] = -100
    hu[15:24, 8:16, 8:16] = 40
    return replace(case, scan=replace(case.scan, hu=hu))


def _added(case: Case, index: tuple[int, int, int], **more: Any) -> Corrected:
    return correct(case, [_edit(_point(case, index), **more)])


def test_it_stays_out_of_other_organs_and_says_where_it_lies() -> None:
    made = _added(_case(), (19, 12, 12))
    mask = voxels(made.labels, "kidney_tumor")
    assert mask[16:23, 9:15, 9:15].all() and not mask[24:].any() and not mask[:14].any()
    assert made.changes[0].note == "all of what a person added lies outside of the mask of the kidney"
    assert made.labels.reviewed == {"kidney_tumor"}


def test_what_only_a_person_added_denies_nothing() -> None:
    case = _case()
    assert case.labels is not None
    labels = _added(case, (19, 12, 12)).labels
    assert labels.drawn == {"kidney_tumor"}
    resolved = resolve(labels, "kidney_tumor")
    assert resolved.found and not resolved.looked
    assert look(replace(case, labels=labels), "kidney_tumor").narrow is not None
    assert not resolve(labels, "kidney_cyst").looked
    back = correct(replace(case, labels=labels), [Edit(kind="remove", structure="kidney_tumor",
                                                       point=_point(case, (19, 12, 12)))]).labels  # fmt: skip
    assert "kidney_tumor" not in back.entries
    assert np.array_equal(voxels(back, "kidney_left"), voxels(case.labels, "kidney_left"))


@pytest.mark.parametrize(
    ("index", "more", "why"),
    [
        ((19, 12, 12), {"beyond_organ": False}, r"outside of the mask of the kidney; .*beyond_organ"),
        ((60, 12, 12), {}, "farther than 30 mm from the mask of the kidney"),
        ((26, 12, 12), {}, "in another labelled structure or outside of the body"),
        ((19, 4, 4), {}, "-100 HU, which is not soft tissue or fluid"),
        ((19, 12, 12), {"structure": "kidney_left"}, "only lesions can be added"),
    ],
    ids=["not said", "far", "other organ", "fat", "no lesion"],
)
def test_limits(index: tuple[int, int, int], more: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=rf"^Edit 1 of 1 cannot be made: .*{why}.*\.$"):
        _added(_case(), index, **more)


def test_the_class_that_is_named_says_whose_lesion_it_is() -> None:
    note = _added(_case(), (19, 12, 12), structure="spleen_lesion").changes[0].note
    assert note == "all of what a person added lies outside of the mask of the spleen"


def test_outside_of_the_body_is_no_place_for_a_lesion() -> None:
    boxes = {"body": np.s_[0:18, 0:24, 0:24], "kidney_left": np.s_[2:14, 4:20, 4:20]}
    case = boxes_case((40, 24, 24), boxes, hu={"body": -100, "kidney_left": 180})
    case.scan.hu[18:30] = 40
    case.scan.hu[15:18, 10:14, 10:14] = 40
    with pytest.raises(UsageError, match="outside of the body"):
        _added(case, (22, 12, 12))
    assert not voxels(_added(case, (16, 12, 12)).labels, "kidney_tumor")[18:].any()


def test_within_the_organ_the_same_edit_is_told_from_the_organ() -> None:
    case = _case()
    case.scan.hu[6:11, 8:14, 8:14] = 40
    made = _added(case, (8, 11, 11))
    mask = voxels(made.labels, "kidney_tumor")
    assert mask[7:10, 9:13, 9:13].all() and not mask[14:].any()
    assert "outside" not in made.changes[0].note


def test_it_stays_out_of_lesions_of_other_organs() -> None:
    # Maps of one layer carve a lesion out of its organ: only its own label tells that this place is taken.
    case = _case(more={"spleen_lesion": np.s_[20:24, 4:20, 4:20]})
    made = _added(case, (17, 12, 12))
    mask = voxels(made.labels, "kidney_tumor")
    assert mask[16:19, 9:15, 9:15].all() and not mask[20:].any()
    with pytest.raises(UsageError, match="in another labelled structure"):
        _added(case, (22, 12, 12))


def test_lesions_of_the_organ_itself_bar_no_way() -> None:
    case = _case(more={"kidney_cyst": np.s_[20:24, 4:20, 4:20]})
    assert voxels(_added(case, (17, 12, 12)).labels, "kidney_tumor")[20:23, 9:15, 9:15].all()


def _deep() -> Case:
    case = boxes_case((40, 40, 40), {"liver": np.s_[4:36, 4:36, 4:36]}, hu={"liver": 110})
    case.scan.hu[17:23, 17:23, 17:23] = 40
    return case


def test_far_from_any_border_the_edit_is_an_ordinary_one() -> None:
    case = _deep()
    beyond, plain = (
        _added(case, (20, 20, 20), structure="liver_lesion", radius_mm=8, beyond_organ=one) for one in (True, False)
    )
    assert np.array_equal(voxels(beyond.labels, "liver_lesion"), voxels(plain.labels, "liver_lesion"))
    assert beyond.changes[0].note == plain.changes[0].note == ""


def test_what_looks_like_its_organ_is_doubtful_however_dark_the_fat_beyond_is() -> None:
    case = _deep()
    case.scan.hu[:4] = -100
    made = _added(case, (7, 20, 20), structure="liver_lesion", radius_mm=12)
    assert "it hardly stands out from what lies around it" in made.changes[0].note
