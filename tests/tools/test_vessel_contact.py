"""Contact of lesions with vessels, against tubes and lesions whose contact is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import ToolError
from tests.case_make import boxes_case, case_of, orders, reorder, run
from tests.said import say_all
from tests.tube_make import Ball, Slab, Tube, grid_for, tube_case, tube_labels
from tools.base import Case
from tools.types import Evidence, State

NAMES = {"superior_mesenteric_artery": 1, "pancreas_tumor": 2, "pancreas": 3}
STRAIGHT = Tube(4.0)
OBLIQUE = Tube(4.0, direction=(0.5, 0.4, 0.8), side=(0.2, 1.0, 0.1))
CURVED = Tube(4.0, direction=(0.3, 1.0, 0.2), side=(0.1, 0.2, 1.0), bend=30.0)


def _contact(case: Case) -> tuple[Evidence, Evidence]:
    made = run(case, "vessel_contact", structure="pancreas_tumor", vessel="superior_mesenteric_artery")
    say_all(made.values())
    return made["contact_angle"], made["contact_length"]


def _value(one: Evidence) -> float:
    assert one.state is State.MEASURED
    assert isinstance(one.value, float)
    return one.value


@pytest.mark.parametrize("degrees", [90, 180, 270, 360])
@pytest.mark.parametrize("tube", [STRAIGHT, OBLIQUE, CURVED], ids=["straight", "oblique", "curved"])
def test_a_plane_along_the_vessel(tube: Tube, degrees: float) -> None:
    shape, affine = grid_for((0.9, 1.0, 1.2), turn=(8, -12, 20), shear=6)
    angle, length = _contact(tube_case(tube, [Slab(tube, degrees)], shape, affine))
    assert _value(angle) == pytest.approx(degrees, abs=22)
    assert angle.uncertainty is not None
    assert 10 < angle.uncertainty < 35
    assert length.uncertainty is not None
    assert abs(_value(length) - 16.0) <= length.uncertainty
    assert (angle.unit, length.unit) == ("deg", "mm")
    assert angle.target == "pancreas_tumor+superior_mesenteric_artery"


@pytest.mark.parametrize("degrees", [60, 135, 225, 360])
def test_a_ball_beside_the_vessel_has_its_greatest_contact_in_one_plane(degrees: float) -> None:
    shape, affine = grid_for((0.8, 0.8, 1.0))
    angle, _ = _contact(tube_case(OBLIQUE, [Ball(OBLIQUE, degrees)], shape, affine))
    assert _value(angle) == pytest.approx(degrees, abs=22)


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 2.5), (1.0, 1.0, 5.0)])
def test_thick_slices_have_a_larger_uncertainty(spacing: tuple[float, float, float]) -> None:
    tube = Tube(5.0, direction=(0.6, 0.1, 0.8), side=(0, 1, 0))
    shape, affine = grid_for(spacing, extent=50)
    angle, _ = _contact(tube_case(tube, [Slab(tube, 180)], shape, affine))
    assert angle.uncertainty is not None
    assert abs(_value(angle) - 180) <= angle.uncertainty
    fine, _ = _contact(tube_case(tube, [Slab(tube, 180)], *grid_for((0.7, 0.7, 0.7), extent=50)))
    assert fine.uncertainty is not None
    assert fine.uncertainty < angle.uncertainty


@pytest.mark.parametrize("radius", [1.0, 1.5])
@pytest.mark.parametrize("degrees", [90, 180, 360])
def test_vessels_of_two_or_three_voxels(radius: float, degrees: float) -> None:
    tube = Tube(radius, direction=(0.3, 0.5, 0.9), side=(1, 0, 0))
    shape, affine = grid_for((1.0, 1.0, 1.0), centre=(0.3, 0.2, 0.4))
    angle, _ = _contact(tube_case(tube, [Slab(tube, degrees)], shape, affine))
    assert angle.uncertainty is not None
    assert abs(_value(angle) - degrees) <= angle.uncertainty
    assert 45 <= angle.uncertainty < 130


def test_two_lesions_count_together() -> None:
    """One from either side, each a quarter of the circumference."""
    other = Tube(4.0, side=(-1, 0, 0))
    shape, affine = grid_for((0.8, 0.8, 1.0))
    alone, _ = _contact(tube_case(STRAIGHT, [Slab(STRAIGHT, 90)], shape, affine))
    both, _ = _contact(tube_case(STRAIGHT, [Slab(STRAIGHT, 90), Slab(other, 90)], shape, affine))
    assert _value(alone) == pytest.approx(90, abs=18)
    assert _value(both) == pytest.approx(180, abs=30)


@pytest.mark.parametrize("voxels", [3.2, 6.0])
def test_what_does_not_touch_has_no_contact(voxels: float) -> None:
    shape, affine = grid_for((0.8, 0.8, 1.0))
    angle, length = _contact(tube_case(STRAIGHT, [Slab(STRAIGHT, 90, gap=4 + voxels * 0.8)], shape, affine))
    assert (_value(angle), angle.uncertainty, _value(length)) == (0.0, 0.0, 0.0)
    assert angle.reason == "they do not touch"


def test_a_layer_of_one_voxel_leaves_it_open() -> None:
    """Between the tube and a shell around it lies an empty voxel: no contact, but all of it may be."""
    layer = np.zeros((24, 24, 24), np.uint8)
    layer[8:16, 8:16, 2:22] = 2
    layer[9:15, 9:15, 1:23] = 0
    layer[10:14, 10:14, 1:23] = 1
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    angle, length = _contact(case_of(np.zeros(layer.shape, np.int16), layer, affine, NAMES))
    assert (_value(angle), _value(length)) == (0.0, 0.0)
    assert angle.uncertainty is not None
    assert angle.uncertainty > 180


def test_a_lesion_that_has_grown_into_the_vessel() -> None:
    """In one label map the lesion takes a part of the vessel; in two layers both hold it."""
    shape, affine = grid_for((0.8, 0.8, 1.0))
    labels = tube_labels(STRAIGHT, [Slab(STRAIGHT, 180)], shape, affine)
    world = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1) @ affine[:3, :3].T
    grown = (labels == 1) & ((world + affine[:3, 3])[..., 0] > 2.5) & (np.abs((world + affine[:3, 3])[..., 2]) < 6)
    carved = np.where(grown, 2, labels).astype(np.uint8)
    over = [labels, grown.astype(np.uint8)]
    hu = np.zeros(shape, np.int16)
    one, _ = _contact(case_of(hu, carved, affine, NAMES))
    two, _ = _contact(
        case_of(hu, over, affine, {"superior_mesenteric_artery": (0, 1), "pancreas_tumor": (1, 1), "pancreas": (0, 2)})
    )
    assert _value(one) == pytest.approx(180, abs=45)
    assert 60 < _value(two) < 200


def test_branches_of_one_vessel_do_not_count_for_each_other() -> None:
    """Two parallel tubes of one label: a lesion between them touches each on its side only."""
    layer = np.zeros((40, 30, 30), np.uint8)
    at = np.stack(np.meshgrid(*[np.arange(n) for n in layer.shape], indexing="ij"), axis=-1)
    layer[16:24, 5:25, 5:25] = 2
    for centre in (12, 27):
        layer[np.hypot(at[..., 0] - centre, at[..., 1] - 15) <= 4.2] = 1
    layer[:, :, :3] = 0
    angle, _ = _contact(case_of(np.zeros(layer.shape, np.int16), layer, np.eye(4), NAMES))
    # the lesion's face lies 3.5 mm from either centre
    assert _value(angle) == pytest.approx(2 * np.degrees(np.arccos(3.5 / 4.2)), abs=20)


@pytest.mark.slow
def test_every_order_of_the_file_gives_the_same_contact() -> None:
    shape, affine = grid_for((1.5, 1.8, 2.4), turn=(10, -20, 15), shear=7, extent=36)
    labels = tube_labels(OBLIQUE, [Slab(OBLIQUE, 180)], shape, affine)
    hu = np.zeros(shape, np.int16)
    expected: dict[str, Any] | None = None
    slices = set()
    for order in orders():
        moved, new = reorder(hu, affine, order)
        case = case_of(moved, reorder(labels, affine, order)[0], new, NAMES)
        angle, length = _contact(case)
        facts = {one.quantity: one.model_dump(exclude={"id", "slice"}) for one in (angle, length)}
        expected = expected or facts
        assert facts == expected, order
        flipped = order[1][order[0].index(2)]
        assert angle.slice is not None
        slices.add(shape[2] - 1 - angle.slice if flipped else angle.slice)
    assert len(slices) == 1
    assert abs(slices.pop() - (shape[2] - 1) / 2) <= 4


_turn = st.floats(-45, 45)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    turn=st.tuples(_turn, _turn, _turn),
    shear=st.floats(-20, 20),
    spacing=st.tuples(st.floats(0.8, 1.4), st.floats(0.8, 1.4), st.floats(0.8, 2.5)),
    direction=st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 1)),
    radius=st.floats(2.5, 6),
    degrees=st.sampled_from([0, 90, 135, 180, 225, 270, 360]),
    shift=st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_any_vessel_on_any_grid_keeps_to_its_uncertainty(
    turn: tuple[float, ...], shear: float, spacing: tuple[float, ...], direction: tuple[float, ...], radius: float,
    degrees: int, shift: tuple[float, ...],
) -> None:  # fmt: skip
    """The uncertainty holds for nineteen of twenty; here, an error of half as much again is allowed."""
    tube = Tube(radius, direction=direction, side=(direction[1], direction[2], direction[0] + 0.3))
    shape, affine = grid_for(spacing, turn=turn, shear=shear, centre=shift)
    lesion = Slab(tube, degrees) if degrees else Slab(tube, 0, gap=4 * max(spacing))
    angle, _ = _contact(tube_case(tube, [lesion], shape, affine))
    assert angle.uncertainty is not None
    assert abs(_value(angle) - degrees) <= 1.5 * angle.uncertainty


class TestStates:
    """What is missing never counts as no contact."""

    VESSEL = np.s_[8:12, 8:12, 0:20]

    def _made(self, boxes: dict[str, Any], **more: Any) -> Evidence:
        return _contact(boxes_case((24, 24, 20), boxes, **more))[0]

    def test_a_vessel_that_leaves_the_scan_hides_nothing(self) -> None:
        boxes = {"pancreas_tumor": np.s_[12:16, 6:14, 6:14], "superior_mesenteric_artery": self.VESSEL}
        assert self._made(boxes).state is State.MEASURED

    def test_a_lesion_that_is_cut_off_gives_a_bound(self) -> None:
        boxes = {"pancreas_tumor": np.s_[12:16, 6:14, 10:20], "superior_mesenteric_artery": self.VESSEL}
        found = self._made(boxes)
        assert (found.state, found.value) == (State.NOT_MEASURABLE, None)
        assert found.lower_bound is not None
        assert 40 < found.lower_bound < 150
        away = {**boxes, "pancreas_tumor": np.s_[18:22, 6:14, 10:20]}
        assert self._made(away).state is State.NOT_MEASURABLE
        assert self._made(away).lower_bound == 0

    def test_what_encases_completely_cannot_touch_more(self) -> None:
        boxes = {"pancreas_tumor": np.s_[2:18, 2:18, 6:20], "superior_mesenteric_artery": self.VESSEL}
        found = self._made(boxes)
        assert (found.state, found.value) == (State.MEASURED, 360.0)

    def test_no_lesion_no_vessel_nothing_looked_for(self) -> None:
        pancreas = {"pancreas": np.s_[14:20, 6:14, 6:14]}
        tumor = {"pancreas_tumor": np.s_[12:14, 6:14, 6:14]}
        vessel = {"superior_mesenteric_artery": self.VESSEL}
        assert self._made({**pancreas, **vessel}, empty=["pancreas_tumor"]).state is State.ABSENT
        assert self._made({**vessel}, empty=["pancreas_tumor"]).state is State.NOT_ASSESSED
        assert self._made({**pancreas, **vessel}).state is State.NOT_ASSESSED
        assert self._made({**pancreas, **tumor}).state is State.NOT_ASSESSED
        lost = self._made({**pancreas, **tumor}, empty=["superior_mesenteric_artery"])
        assert lost.state in {State.NOT_MEASURABLE, State.NOT_ASSESSED}

    def test_a_vessel_of_a_single_voxel(self) -> None:
        boxes = {"pancreas_tumor": np.s_[12:16, 6:14, 6:14], "superior_mesenteric_artery": np.s_[11:12, 8:9, 8:9]}
        found = self._made(boxes)
        assert found.state in {State.MEASURED, State.NOT_MEASURABLE}
        assert found.state is State.NOT_MEASURABLE or "course" in str(found.reason)

    def test_a_lesion_is_no_vessel(self) -> None:
        case = boxes_case((24, 24, 20), {"pancreas_tumor": np.s_[2:4, 2:4, 2:4]})
        with pytest.raises(ToolError):
            run(case, "vessel_contact", structure="superior_mesenteric_artery", vessel="pancreas_tumor")


@pytest.mark.parametrize(
    ("voxels", "state"), [(1, State.NOT_MEASURABLE), (2, State.NOT_MEASURABLE), (9, State.MEASURED)]
)
def test_a_vessel_of_few_voxels_is_not_free_of_contact(voxels: int, state: State) -> None:
    boxes = {
        "pancreas_tumor": np.s_[4:9, 4:9, 4:9],
        "superior_mesenteric_artery": np.s_[20:21, 20:21, 5 : 5 + voxels],
    }
    case = boxes_case((30, 30, 20), boxes)
    angle, length = _contact(case)
    assert (angle.state, length.state) == (state, state)
    assert angle.value == (0.0 if state is State.MEASURED else None)
